/** The responses of a run's rollouts as a TRM's training data: every group joined with its record. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { parse } from 'yaml';
import { countRows, readJsonl } from '../data/jsonl.ts';
import { OWN_FOLDER, type PictureAccess } from '../data/pictures/access.ts';
import { absoluteAddress } from '../data/pictures/address.ts';
import type { LoadedRecord, Records } from '../data/records/reader.ts';
import { isRepository } from '../data/records/shards.ts';
import { openSources, Sources } from '../data/records/sources.ts';
import { listRollouts, rolloutsFile } from '../data/run-files.ts';
import { RolloutGroup } from '../data/run-folder.ts';
import { parseWith } from '../data/validate.ts';
import { InputError } from '../errors.ts';
import type { CollectedBatch, ResponseSource } from './collect.ts';
import { digest } from './question.ts';

export interface RunResponses extends ResponseSource {
  /** Where the records come from. */
  data: Sources;
  /** Bytes of all rollouts. */
  bytes: number;
}

/** Groups a batch. */
const GROUPS = 64;

/**
 * Rollouts of a run, or of a stage in it, whose records are those of `data`; by default those that the run was trained
 * on. Throws InputError naming the folder, or the rollout whose question is not among the records.
 */
export async function runResponses(
  run: string,
  data: string | null,
  access: PictureAccess = OWN_FOLDER,
): Promise<RunResponses> {
  const steps = await listRollouts(run);
  if (steps.length === 0) throw new InputError(`--run ${run}: ${await whyNoRollouts(run)}`);
  const files = steps.map((step) => rolloutsFile(run, step));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const recordsFile = data ?? (await recordsOfRun(run));
  const records = await openSources(recordsFile, undefined, { access });
  const find = await finder(records, runRoot(run) ?? run);
  const inputs = await groupsIn(files);

  return {
    inputs,
    data: recordsFile,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    async *batches(from) {
      let batch: CollectedBatch = { inputs: 0, rows: [], failures: [] };
      let at = 0;
      for (const file of files) {
        const groups = await countRows(file);
        const skip = Math.min(groups, from - at);
        at += groups;
        if (skip === groups) continue;
        for await (const { value, source } of readJsonl(file, Math.max(0, skip))) {
          const group = parseWith(RolloutGroup, value, source);
          const record = await find(group, source);
          const policy = `${run}@${group.step}`;
          for (const { text, finish, format_ok, outcome, right } of group.responses)
            batch.rows.push({ record, facts: { response: text, finish, format_ok, outcome, right, policy } });
          if (++batch.inputs < GROUPS) continue;
          yield batch;
          batch = { inputs: 0, rows: [], failures: [] };
        }
      }
      if (batch.inputs > 0) yield batch;
    },
  };
}

async function whyNoRollouts(run: string): Promise<string> {
  if (!existsSync(run)) return 'no such folder';
  if (existsSync(join(run, 'seed-0'))) return 'holds several seeds; name one of them, such as seed-0';
  return 'holds no rollouts/NNNNNN.jsonl; name a run folder, or a stage of one such as grpo';
}

/** The folder with the recipe's result that a run or a stage folder belongs to. */
function runRoot(run: string): string | null {
  return [run, dirname(resolve(run))].find((dir) => existsSync(join(dir, 'data', 'rl.jsonl'))) ?? null;
}

/** What the run was trained on: its recipe's `data.train`, or the world's records. */
async function recordsOfRun(run: string): Promise<Sources> {
  const up = dirname(resolve(run));
  const recipe = [run, up, dirname(up)]
    .map((dir) => join(dir, 'recipe.yaml'))
    .find((file) => existsSync(file));
  const train = recipe && parse(await readFile(recipe, 'utf8'))?.data?.train;
  if (recipe && train != null) {
    const sources = parseWith(Sources, train, `${recipe}: data.train`);
    const missing = [sources]
      .flat()
      .map((source) => (typeof source === 'string' ? source : source.path))
      .find((path) => !isRepository(path) && !existsSync(path.includes('*') ? dirname(path) : path));
    if (missing === undefined) return sources;
    throw new InputError(
      `${recipe}: data.train: no such file from here: ${missing}; name the records with --data`,
    );
  }
  const root = runRoot(run);
  if (root === null)
    throw new InputError(`--run ${run}: its records are not in its data/; name them with --data`);
  return join(root, 'data', 'rl.jsonl');
}

/** Finds the record of a group: the same number and question, and where several have these, the same picture. */
async function finder(
  records: Records,
  root: string,
): Promise<(group: RolloutGroup, source: string) => Promise<LoadedRecord>> {
  const places = new Map<string, number | number[]>();
  const keyOf = ({ problem_id, problem }: Pick<LoadedRecord, 'problem_id' | 'problem'>) =>
    digest(JSON.stringify(problem_id), problem);
  for (let i = 0; i < records.length; i++) {
    const key = keyOf(await records.get(i));
    const known = places.get(key);
    places.set(key, known === undefined ? i : [known, i].flat());
  }
  return async (group, source) => {
    const found = await Promise.all([places.get(keyOf(group)) ?? []].flat().map((i) => records.get(i)));
    const picture = group.path && absoluteAddress(root, group.path);
    const record =
      found.length > 1 ? (found.find((candidate) => candidate.picture === picture) ?? found[0]) : found[0];
    if (record !== undefined) return record;
    throw new InputError(
      `${source}: problem_id: ${relative('.', records.source)} has no record ${JSON.stringify(group.problem_id)} with this problem; name the run's records with --data`,
    );
  };
}

async function groupsIn(files: string[]): Promise<number> {
  let groups = 0;
  for (const file of files) groups += await countRows(file);
  return groups;
}
