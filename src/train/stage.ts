/**
 * What every training stage does around its steps: go on from the last checkpoint, log, save, stop when asked to.
 * A step is a pure function of the weights, the optimizer and its number (all draws are keyed by step), so a stage that
 * was killed goes on exactly as if it had not been.
 */
import { copyFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolder } from '../data/atomic.ts';
import {
  appendMetrics,
  checkpointFolder,
  cutBack,
  latestCheckpoint,
  listCheckpoints,
  readTrainerState,
  writeTrainerState,
} from '../data/run-files.ts';
import type { RlMetrics, SftMetrics } from '../data/run-folder.ts';
import type { Engine } from '../engine/types.ts';
import { Interrupted, RunError } from '../errors.ts';
import { JUDGE_FILE } from '../trm/judge-config.ts';

export interface Stage {
  /** The stage's folder: metrics.jsonl, checkpoints/, rollouts/. */
  dir: string;
  /** The run folder it lies in: paths in rollouts are relative to it. */
  runDir: string;
  /** Name in messages and in the trainer state. */
  name: string;
  seed: number;
  steps: number;
  /** A checkpoint every so many steps, and after the last one. */
  saveEvery: number;
  /** Older checkpoints are removed, but for this many. */
  keep: number;
  /** Folder whose tokenizer, chat template and other small files belong to the model. */
  modelDir: string;
  /** How to go on after an interruption, said to the user. */
  howToResume: string;
  signal: AbortSignal;
  progress: (done: number, facts: Record<string, number | string>) => void;
  /** A line for the person who started the run. */
  warn: (line: string) => void;
}

/** Consecutive steps without a finite gradient after which a stage gives up. */
const MAX_SKIPPED = 5;

/**
 * Loads the last checkpoint into the engine and cuts metrics and rollouts back to it; `also` loads what else was saved
 * there. Returns the steps done.
 */
export async function resumeStage(
  stage: Stage,
  engine: Engine,
  also?: (checkpoint: string) => Promise<void>,
): Promise<number> {
  const last = await latestCheckpoint(stage.dir);
  if (last) {
    const state = await readTrainerState(last.dir);
    if (state.stage !== stage.name || state.seed !== stage.seed || state.total_steps !== stage.steps) {
      throw new RunError(
        `${last.dir}: is of ${state.stage}, seed ${state.seed}, ${state.total_steps} steps, not of ${stage.name}, seed ${stage.seed}, ${stage.steps} steps; start a new run with --run DIR`,
      );
    }
    await engine.load(last.dir, { optimizer: true });
    await also?.(last.dir);
  }
  await cutBack(stage.dir, last?.step ?? 0);
  return last?.step ?? 0;
}

/** Counts steps that were not applied, so that a stage which has diverged stops instead of going through the motions. */
export function skipCounter(stage: Stage): (step: number, applied: boolean) => void {
  let skipped = 0;
  return (step, applied) => {
    skipped = applied ? 0 : skipped + 1;
    if (skipped < MAX_SKIPPED) return;
    throw new RunError(
      `${stage.name}: the gradient was not finite in ${MAX_SKIPPED} steps on end (last: step ${step}); lower the learning rate`,
    );
  };
}

/**
 * Logs a step, saves where it is due or the user has interrupted; `also` puts what else belongs to the state into the
 * checkpoint's folder. Throws Interrupted after saving.
 */
export async function endStep(
  stage: Stage,
  engine: Engine,
  row: RlMetrics | SftMetrics,
  position: number,
  also?: (checkpoint: string) => Promise<void>,
): Promise<void> {
  await appendMetrics(stage.dir, row);
  const { step } = row;
  const interrupted = stage.signal.aborted && step < stage.steps;
  if (interrupted || step === stage.steps || step % stage.saveEvery === 0)
    await save(stage, engine, step, position, also);
  if (interrupted) {
    throw new Interrupted(
      `interrupted; ${stage.name} is saved at step ${step} of ${stage.steps}. Go on with: ${stage.howToResume}`,
    );
  }
}

/** Saves the state before a step that cannot be taken, unless it is saved already. */
export async function saveBefore(
  stage: Stage,
  engine: Engine,
  step: number,
  position: number,
  also?: (checkpoint: string) => Promise<void>,
): Promise<void> {
  if ((await stepsDone(stage.dir)) < step - 1) await save(stage, engine, step - 1, position, also);
}

async function save(
  stage: Stage,
  engine: Engine,
  step: number,
  position: number,
  also?: (checkpoint: string) => Promise<void>,
): Promise<void> {
  await writeFolder(checkpointFolder(stage.dir, step), async (folder) => {
    await engine.save(folder, { optimizer: true });
    await copyTokenizer(stage.modelDir, folder);
    await also?.(folder);
    const state = {
      format: 1 as const,
      stage: stage.name,
      step,
      total_steps: stage.steps,
      seed: stage.seed,
      position,
    };
    await writeTrainerState(folder, state);
  });
  const old = (await listCheckpoints(stage.dir)).slice(0, -stage.keep);
  for (const { dir } of old) await rm(dir, { recursive: true, force: true });
}

/** Steps behind a stage's last checkpoint. */
export async function stepsDone(stageDir: string): Promise<number> {
  return (await latestCheckpoint(stageDir))?.step ?? 0;
}

/** The last checkpoint of a finished stage, or null where it has not finished. */
export async function finishedCheckpoint(stageDir: string, steps: number): Promise<string | null> {
  const last = await latestCheckpoint(stageDir);
  return last && last.step === steps ? last.dir : null;
}

/**
 * Copies what makes a folder of weights a model to others: tokenizer, chat template, generation settings. How a judge is
 * asked is not among it: what is trained from a judge need not be one.
 */
export async function copyTokenizer(from: string, to: string): Promise<void> {
  const written = new Set(await readdir(to));
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const wanted =
      /\.(json|jinja|txt|model)$/.test(entry.name) &&
      !entry.name.endsWith('.index.json') &&
      entry.name !== JUDGE_FILE;
    if (entry.isFile() && wanted && !written.has(entry.name))
      await copyFile(join(from, entry.name), join(to, entry.name));
  }
}
