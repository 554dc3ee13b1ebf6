/** Reading and writing a run folder: metrics, rollouts, scores, checkpoints, and cutting them back for a resumed run. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError, RunError } from '../errors.ts';
import { isTemporary, restoreFolder, temporaryTarget, writeError, writeFileWhole } from './atomic.ts';
import { appendJsonl, decodeUtf8, parseJson, readError, readJsonl, readLines, writeJsonl } from './jsonl.ts';
import { RlMetrics, RolloutGroup, Scores, SftMetrics } from './run-folder.ts';
import { parseWith } from './validate.ts';

/** What a stage needs, beside the engine's own files, to go on from a checkpoint. Further keys are the stage's own. */
export const TrainerState = z.looseObject({
  format: z.literal(1),
  /** Which loop wrote it, e.g. `sft` or `trust-grpo`. */
  stage: z.string(),
  /** Steps done. */
  step: z.number().int().nonnegative(),
  total_steps: z.number().int().positive(),
  seed: z.number().int(),
  /** Items of the data order used so far. */
  position: z.number().int().nonnegative(),
});
export type TrainerState = z.infer<typeof TrainerState>;

export interface Checkpoint {
  step: number;
  /** The Hugging Face folder. */
  dir: string;
}

/** How steps are written in names: 60 → `000060`. */
function stepName(step: number): string {
  return String(step).padStart(6, '0');
}

export const metricsFile = (stage: string): string => join(stage, 'metrics.jsonl');
export const rolloutsFile = (stage: string, step: number): string =>
  join(stage, 'rollouts', `${stepName(step)}.jsonl`);
export const checkpointFolder = (stage: string, step: number): string =>
  join(stage, 'checkpoints', stepName(step));
export const evalFolder = (stage: string, split: string): string => join(stage, 'eval', split);

/** Adds one step's line to a stage's metrics. Throws RunError. */
export async function appendMetrics(stage: string, row: RlMetrics | SftMetrics): Promise<void> {
  await appendJsonl(metricsFile(stage), row);
}

/** All lines of an RL stage's metrics. Throws InputError. */
export async function readRlMetrics(stage: string): Promise<RlMetrics[]> {
  return readRows(metricsFile(stage), RlMetrics);
}

/** All lines of a supervised stage's metrics. Throws InputError. */
export async function readSftMetrics(stage: string): Promise<SftMetrics[]> {
  return readRows(metricsFile(stage), SftMetrics);
}

/** A metrics line without what may differ between an interrupted and an uninterrupted run. */
export function withoutTime<T extends { time: unknown }>(row: T): Omit<T, 'time'> {
  const { time: _, ...rest } = row;
  return rest;
}

/** Writes all groups of a step, whole or not at all. Throws RunError. */
export async function writeRollouts(
  stage: string,
  step: number,
  groups: readonly RolloutGroup[],
): Promise<void> {
  await writeJsonl(rolloutsFile(stage, step), groups);
}

/** All groups of a step. Throws InputError. */
export async function readRollouts(stage: string, step: number): Promise<RolloutGroup[]> {
  return readRows(rolloutsFile(stage, step), RolloutGroup);
}

/** Steps whose rollouts are there, ascending. */
export async function listRollouts(stage: string): Promise<number[]> {
  return numbered(await names(join(stage, 'rollouts')), /^(\d{6,})\.jsonl$/);
}

/** Writes eval/SPLIT/scores.json. Throws RunError. */
export async function writeScores(stage: string, scores: Scores): Promise<void> {
  const file = join(evalFolder(stage, scores.split), 'scores.json');
  await writeFileWhole(file, `${JSON.stringify(scores, null, 2)}\n`);
}

/** Reads eval/SPLIT/scores.json. Throws InputError. */
export async function readScores(stage: string, split: string): Promise<Scores> {
  const file = join(evalFolder(stage, split), 'scores.json');
  return parseWith(Scores, await readJson(file), file);
}

/** Complete checkpoints of a stage, ascending by step; mends a replacement that was killed half-way. */
export async function listCheckpoints(stage: string): Promise<Checkpoint[]> {
  const folder = join(stage, 'checkpoints');
  for (const name of await names(folder)) {
    const target = temporaryTarget(name);
    if (target !== null) await restoreFolder(join(folder, target));
  }
  const complete: Checkpoint[] = [];
  for (const step of numbered(await names(folder), /^(\d{6,})$/)) {
    const dir = checkpointFolder(stage, step);
    if ((await names(join(dir, 'trainer'))).includes('state.json')) complete.push({ step, dir });
  }
  return complete;
}

/** The checkpoint to go on from; null if there is none. */
export async function latestCheckpoint(stage: string): Promise<Checkpoint | null> {
  return (await listCheckpoints(stage)).at(-1) ?? null;
}

/** Writes `trainer/state.json` in a checkpoint's folder (inside `writeFolder`, as its last file). Throws RunError. */
export async function writeTrainerState(checkpoint: string, state: TrainerState): Promise<void> {
  const file = join(checkpoint, 'trainer', 'state.json');
  await mkdir(join(checkpoint, 'trainer'), { recursive: true }).catch((error) => {
    throw writeError(error, file);
  });
  await writeFileWhole(file, `${JSON.stringify(state, null, 2)}\n`);
}

/** Reads `trainer/state.json` of a checkpoint. Throws InputError. */
export async function readTrainerState(checkpoint: string): Promise<TrainerState> {
  const file = join(checkpoint, 'trainer', 'state.json');
  return parseWith(TrainerState, await readJson(file), file);
}

/**
 * Takes a stage's metrics and rollouts back to what they were after step `step` (0: nothing), for a run that goes on
 * from there. A last line that was cut off while it was written goes too. Throws RunError if a step at or before
 * `step` has no metrics.
 */
export async function cutBack(stage: string, step: number): Promise<void> {
  const file = metricsFile(stage);
  const kept: string[] = [];
  let last = 0;
  if ((await names(stage)).includes('metrics.jsonl')) {
    for await (const { line, bytes } of readLines(file)) {
      const text = decodeUtf8(bytes, `${file}:${line}`);
      if (text.trim() === '') continue;
      if (last >= step) break;
      const row = parseJson(text, `${file}:${line}`) as { step?: unknown };
      if (row?.step !== last + 1)
        throw new RunError(`${file}:${line}: expected step ${last + 1}; start a new run`);
      last = row.step;
      kept.push(`${text}\n`);
    }
    await writeFileWhole(file, kept);
  }
  if (last < step)
    throw new RunError(
      `${file}: ends at step ${last}, but the checkpoint is of step ${step}; start a new run`,
    );
  for (const done of await listRollouts(stage))
    if (done > step) await rm(rolloutsFile(stage, done), { force: true });
  for (const name of (await names(join(stage, 'rollouts'))).filter(isTemporary))
    await rm(join(stage, 'rollouts', name), { force: true });
}

async function readRows<T extends z.ZodType>(file: string, schema: T): Promise<z.infer<T>[]> {
  const rows: z.infer<T>[] = [];
  for await (const { value, source } of readJsonl(file)) rows.push(parseWith(schema, value, source));
  return rows;
}

async function readJson(file: string): Promise<unknown> {
  const bytes = await readFile(file).catch((error) => {
    throw readError(error, file);
  });
  return parseJson(decodeUtf8(bytes, file), file);
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch((error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw new InputError(`${folder}: cannot read: ${error.message}`);
  });
}

function numbered(entries: string[], pattern: RegExp): number[] {
  return entries
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}
