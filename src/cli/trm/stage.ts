/** What the stages of the TRM's data have in common: flags of the output, identity of the input, printed counts. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { InputError } from '../../errors.ts';
import { createProgress } from '../progress.ts';

export interface OutputFlags {
  out: string;
  force?: boolean;
  json?: boolean;
}

export const FORCE = [
  '--force',
  'replace FILE where it exists, and begin anew what was begun with other settings',
] as const;
export const JSON_COUNTS = ['--json', 'print the counts as JSON'] as const;

/** An input by what it is: who goes on with a stage must have the same. Throws InputError. */
export function inputFile(file: string, flag: string): { file: string; bytes: number } {
  const info = file === '-' ? null : statSync(file, { throwIfNoEntry: false });
  if (file === '-')
    throw new InputError(`${flag} -: must be a file, which can be read again when the stage goes on`);
  if (!info?.isFile())
    throw new InputError(`${flag} ${file}: ${info ? 'is a folder; name a file' : 'no such file'}`);
  return { file: resolve(file), bytes: info.size };
}

/** Runs a stage with a line of progress on stderr; prints its counts to stderr as lines, or to stdout as JSON. */
export async function runStage<C extends object>(
  label: string,
  { out, json }: OutputFlags,
  run: (progress: (done: number, total: number) => void) => Promise<C>,
  lines: (counts: C) => string,
): Promise<void> {
  const progress = createProgress();
  let started = false;
  try {
    const counts = await run((done, total) => {
      if (!started) progress.start(label, total, done);
      started = true;
      progress.update(label, done);
    });
    if (started) progress.finish(label);
    progress.stop();
    process.stderr.write(`${out}: ${lines(counts)}\n`);
    if (json) process.stdout.write(`${JSON.stringify({ out, ...counts })}\n`);
  } finally {
    progress.stop();
  }
}

/** `3 of this, 1 of that`; what there is none of is left out. */
export function listed(counts: Record<string, number>): string {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([what, n]) => `${n} ${what}`)
    .join(', ');
}
