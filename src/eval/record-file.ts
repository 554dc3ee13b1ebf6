/**
 * A checkpoint on a file of records: which records, predictions and scores in a folder of their own. Records of a world
 * are judged by its oracle, all by exact match of the answer.
 */
import { readdir, stat, writeFile } from 'node:fs/promises';
import { basename, extname, join, normalize, sep } from 'node:path';
import { writeFolder } from '../data/atomic.ts';
import { loadChat } from '../data/chat.ts';
import { readError, readJsonl, writeJsonl } from '../data/jsonl.ts';
import { openRecords, type Records } from '../data/reader.ts';
import type { Scores } from '../data/run-folder.ts';
import { createLocalEngine } from '../engine/local/index.ts';
import { InputError } from '../errors.ts';
import { scoresOf } from './measures.ts';
import { type PredictOptions, predict } from './predict.ts';

/** Questions to evaluate on, and what their scores are filed under. */
export interface Questions {
  records: Records;
  split: string;
}

/**
 * Opens the questions of a file; of a folder, those of `SPLIT.jsonl` or else of `records.jsonl` in it. With `split`,
 * records of a world are kept only if they are of that split. Throws InputError.
 */
export async function openQuestions(
  data: string,
  split: string | null,
  limit: number | null,
): Promise<Questions> {
  const all = await openRecords(await recordFile(data, split));
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
    split: split ?? only ?? basename(all.source, extname(all.source)),
  };
}

async function recordFile(data: string, split: string | null): Promise<string> {
  const info = await stat(data).catch((error) => {
    throw readError(error, data);
  });
  if (!info.isDirectory()) return data;
  const names = await readdir(data);
  for (const name of [...(split === null ? [] : [`${split}.jsonl`]), 'records.jsonl'])
    if (names.includes(name)) return join(data, name);
  const files = names.filter((name) => name.endsWith('.jsonl')).map((name) => basename(name, '.jsonl'));
  throw new InputError(
    files.length === 0
      ? `${data}: holds no records.jsonl; give a file of records, or a folder that \`sophia world\` wrote`
      : `${data}: holds no ${split ?? 'records'}.jsonl; choose one with --split: ${files.sort().join(', ')}`,
  );
}

/** The world's split of each record, null where there is none. JSONL is read as one stream: `get` opens the file anew. */
async function* worldSplits(all: Records): AsyncGenerator<string | null> {
  if (extname(all.source).toLowerCase() === '.json')
    for (let i = 0; i < all.length; i++) yield worldSplit(await all.get(i));
  else for await (const { value } of readJsonl(all.source)) yield worldSplit(value);
}

function worldSplit(record: unknown): string | null {
  const split = (record as { world?: { split?: unknown } | null } | null)?.world?.split;
  return typeof split === 'string' ? split : null;
}

/** A model by the last folders of its path: runs/first/checkpoints/000060 → `first-000060`. */
export function modelName(dir: string): string {
  const parts = normalize(dir)
    .split(sep)
    .filter((part) => part !== '' && part !== '.' && part !== '..' && part !== 'checkpoints');
  return parts.slice(-2).join('-') || 'model';
}

export interface EvaluationOptions extends Omit<PredictOptions, 'engine' | 'chat'> {
  /** A Qwen2.5-VL folder. */
  model: string;
  /** Folder of a LoRA adapter beside its weights; null: none. */
  adapter: string | null;
  threads: number;
  tokenBudget: number;
}

/** Asks all questions and writes `out`/predictions.jsonl and scores.json, both or none. Throws InputError, RunError. */
export async function evaluateRecords(
  { records, split }: Questions,
  out: string,
  { model, adapter, threads, tokenBudget, ...options }: EvaluationOptions,
): Promise<Scores> {
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
    const predictions = await predict(records, { ...options, engine, chat });
    const named = adapter === null ? model : `${model} + ${adapter}`;
    const scores = scoresOf(predictions, named, split, options.temperature);
    await writeFolder(out, async (folder) => {
      await writeJsonl(join(folder, 'predictions.jsonl'), predictions);
      await writeFile(join(folder, 'scores.json'), `${JSON.stringify(scores, null, 2)}\n`);
    });
    return scores;
  } finally {
    await engine.dispose();
  }
}
