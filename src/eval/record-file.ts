/**
 * A checkpoint on a file of records: which records, predictions and scores in a folder of their own. Records of a world
 * are judged by its oracle, all by exact match of the answer.
 */
import { readdir, stat, writeFile } from 'node:fs/promises';
import { basename, extname, join, normalize, resolve, sep } from 'node:path';
import { writeFolder } from '../data/atomic.ts';
import { type Chat, loadChat } from '../data/chat/chat.ts';
import { readError, readJsonl, writeJsonl } from '../data/jsonl.ts';
import { OWN_FOLDER, type PictureAccess } from '../data/pictures/access.ts';
import { openRecords, type Records } from '../data/records/reader.ts';
import { worldIn } from '../data/records/record.ts';
import { isRepository, listShards } from '../data/records/shards.ts';
import type { Scores } from '../data/run-folder.ts';
import { createLocalEngine } from '../engine/local/index.ts';
import type { Engine } from '../engine/types.ts';
import { InputError } from '../errors.ts';
import { type BestOfOptions, bestOf, predictBest } from './best-of.ts';
import { scoresOf } from './measures.ts';
import { type PredictOptions, predict } from './predict.ts';

/** Questions to evaluate on, and what their scores are filed under. */
export interface Questions {
  records: Records;
  split: string;
}

/**
 * Opens the questions of a set of records; of a folder, those of `SPLIT.jsonl`, else of `records.jsonl` in it, else of
 * its shards. With `split`, records of a world are kept only if they are of that split. Throws InputError.
 */
export async function openQuestions(
  data: string,
  split: string | null,
  limit: number | null,
  access: PictureAccess = OWN_FOLDER,
): Promise<Questions> {
  const all = await openRecords(await recordFile(data, split), { access });
  const kept: number[] = [];
  const splits = new Set<string>();
  let i = 0;
  for await (const of of worldSplits(all)) {
    if (of !== null) splits.add(of);
    if (split === null || of === null || of === split) kept.push(i);
    i += 1;
  }
  if (kept.length === 0)
    throw new InputError(`--split ${split}: ${all.source} holds only ${[...splits].sort().join(', ')}`);
  const only = splits.size === 1 ? [...splits][0] : null;
  return {
    records: { ...all, length: Math.min(kept.length, limit ?? kept.length), get: (i) => all.get(kept[i]) },
    split: split ?? only ?? nameOfSet(all.source),
  };
}

/** What to open: of a folder the file that is meant, or the folder itself where it holds the shards of one set. */
async function recordFile(data: string, split: string | null): Promise<string> {
  if (isRepository(data)) return data;
  const info = await stat(data).catch((error) => {
    if (data.includes('*')) return null;
    throw readError(error, data);
  });
  if (!info?.isDirectory()) return data;
  const names = await readdir(data);
  for (const name of [...(split === null ? [] : [`${split}.jsonl`]), 'records.jsonl'])
    if (names.includes(name)) return join(data, name);
  const files = names.filter((name) => name.endsWith('.jsonl')).map((name) => basename(name, '.jsonl'));
  const choose = new InputError(
    `${data}: holds no ${split ?? 'records'}.jsonl; choose one with --split: ${files.sort().join(', ')}`,
  );
  // what was asked for by name is not there, and no other file is it
  if (split !== null && files.length > 0) throw choose;
  await listShards(data).catch((error) => {
    throw files.length > 0 ? choose : error;
  });
  return data;
}

/** What the questions of a set are filed under where nobody says: its file's or folder's name, without patterns. */
function nameOfSet(source: string): string {
  const name = basename(resolve(source));
  return basename(name, extname(name)).replace(/[-_.]*\*/g, '') || 'records';
}

/** The world's split of each record, null where there is none. One JSONL file is read as a stream: `get` opens it anew. */
async function* worldSplits(all: Records): AsyncGenerator<string | null> {
  if (!(await isOneJsonl(all.source)))
    for (let i = 0; i < all.length; i++) yield worldSplit(await all.get(i));
  else for await (const { value } of readJsonl(all.source)) yield worldSplit(value);
}

async function isOneJsonl(source: string): Promise<boolean> {
  if (!['.jsonl', '.ndjson'].includes(extname(source).toLowerCase())) return false;
  return stat(source).then(
    (info) => info.isFile(),
    () => false,
  );
}

function worldSplit(record: unknown): string | null {
  const world = worldIn((record as { world?: unknown } | null)?.world);
  const split = (world as { split?: unknown } | undefined)?.split;
  return typeof split === 'string' ? split : null;
}

/** A model by the last folders of its path: runs/first/checkpoints/000060 → `first-000060`. */
export function modelName(dir: string): string {
  const parts = normalize(dir)
    .split(sep)
    .filter((part) => part !== '' && part !== '.' && part !== '..' && part !== 'checkpoints');
  return parts.slice(-2).join('-') || 'model';
}

/** The model that is evaluated, and what it computes with. */
interface Evaluated {
  /** A Qwen2.5-VL folder. */
  model: string;
  /** Folder of a LoRA adapter beside its weights; null: none. */
  adapter: string | null;
  threads: number;
  tokenBudget: number;
}

export type EvaluationOptions = Evaluated & Omit<PredictOptions, 'engine' | 'chat'>;
export type BestOfEvaluationOptions = Evaluated & Omit<BestOfOptions, 'engine' | 'chat'>;

/** Asks all questions and writes `out`/predictions.jsonl and scores.json, both or none. Throws InputError, RunError. */
export async function evaluateRecords(
  { records, split }: Questions,
  out: string,
  options: EvaluationOptions,
): Promise<Scores> {
  const predictions = await withModel(options, (asked) => predict(records, { ...options, ...asked }));
  const scores = scoresOf(predictions, nameOf(options), split, options.temperature);
  await writeEvaluation(out, predictions, scores);
  return scores;
}

/** The same with one of several responses to each question; scores.json says, too, what the choice was worth. */
export async function evaluateBestOf(
  { records, split }: Questions,
  out: string,
  options: BestOfEvaluationOptions,
): Promise<Scores> {
  const { predictions, best_of } = await withModel(options, async (asked) => {
    const asking = { ...options, ...asked };
    const predictions = await predictBest(records, asking);
    return { predictions, best_of: bestOf(predictions, asking) };
  });
  const scores = { ...scoresOf(predictions, nameOf(options), split, options.temperature), best_of };
  await writeEvaluation(out, predictions, scores);
  return scores;
}

const nameOf = ({ model, adapter }: Evaluated) => (adapter === null ? model : `${model} + ${adapter}`);

async function withModel<T>(
  { model, adapter, threads, tokenBudget }: Evaluated,
  use: (asked: { engine: Engine; chat: Chat }) => Promise<T>,
): Promise<T> {
  const chat = await loadChat(model);
  const engine = await createLocalEngine({
    source: { dir: model },
    adapter: adapter === null ? null : { dir: adapter },
    trainable: false,
    provider: 'cpu',
    threads,
    tokenBudget,
  });
  try {
    return await use({ engine, chat });
  } finally {
    await engine.dispose();
  }
}

async function writeEvaluation(out: string, predictions: readonly unknown[], scores: Scores): Promise<void> {
  await writeFolder(out, async (folder) => {
    await writeJsonl(join(folder, 'predictions.jsonl'), predictions);
    await writeFile(join(folder, 'scores.json'), `${JSON.stringify(scores, null, 2)}\n`);
  });
}
