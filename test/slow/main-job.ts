/** Before all slow tests: the shortened main job, once, by the command that a user types. */
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { repository, sophia, workFolder } from './sophia.ts';

declare module 'vitest' {
  interface ProvidedContext {
    mainJob: MainJob;
  }
}

export interface MainJob {
  /** Its run folder. */
  dir: string;
  code: number | null;
  stdout: string;
  stderr: string;
  seconds: number;
}

export default async function setup(project: TestProject): Promise<() => void> {
  const { dir, remove } = workFolder();
  const run = join(dir, 'tiny');
  const started = performance.now();
  const ended = await sophia(['train', join(repository, 'recipes', 'tiny.yaml'), '--run', run]);
  const seconds = (performance.now() - started) / 1000;
  project.provide('mainJob', {
    dir: run,
    code: ended.code,
    stdout: ended.stdout,
    stderr: ended.stderr,
    seconds,
  });
  return remove;
}
