/** Rows with a response each, scored by a judge as they stream by: what `sophia trm score` prints. */
import { isAbsolute } from 'node:path';
import { pMapIterable } from 'p-map';
import { z } from 'zod';
import { inBatches } from '../data/batches.ts';
import { readJsonl } from '../data/jsonl.ts';
import { OWN_FOLDER, type PictureAccess } from '../data/pictures/access.ts';
import { type LoadedRecord, pictureCheck, pictureOfRow } from '../data/records/reader.ts';
import { dataTypes, worldIn } from '../data/records/record.ts';
import { parseWith } from '../data/validate.ts';
import { InputError } from '../errors.ts';
import type { Judge, JudgedResponse, JudgeScore } from './judge.ts';

const textOrNumber = z.union([z.string(), z.number()]);

/** A record of which less is needed; `image` is what some data sets call the path. */
const Row = z.object({
  problem: z.string(),
  response: z.string(),
  options: z
    .array(textOrNumber.transform(String))
    .nullish()
    .transform((options) => options ?? []),
  data_type: z.enum(dataTypes).nullish(),
  path: z.unknown().optional(),
  image: z.unknown().optional(),
  world: z.unknown().optional(),
});

/** A row as it stood, with a score or the reason why it has none. */
export type ScoredRow = Record<string, unknown> & JudgeScore;

/** Rows read ahead of the one that is to be given out next, for a judge that takes them singly. */
const WINDOW = 1024;
/** Rows handed over together, for one that takes them so. */
const TOGETHER = 64;

/**
 * The rows `{problem, response, path?, …}` of a JSONL file (`-`: standard input) in order, every field kept, as they are
 * scored. Relative paths of pictures resolve against the file's folder and stay below it; absolute ones, which whoever
 * wrote the rows means on this machine, are taken as they stand. `access`: what else they may name.
 * Throws InputError `FILE:LINE: …` for a bad row, one whose picture is not there, or one that this judge can never judge; those
 * before it have been given by then.
 */
export async function* scoreRows(
  file: string,
  judge: Judge,
  access: PictureAccess = OWN_FOLDER,
): AsyncGenerator<ScoredRow> {
  const items = readItems(file, access);
  const stop = new AbortController();
  try {
    yield* judge.takes === 'singly'
      ? singly(items, judge, stop.signal)
      : together(items, judge, stop.signal, file === '-' ? 100 : null);
  } finally {
    // nobody waits any longer for what is under way
    stop.abort('no longer needed');
  }
}

interface Item {
  row: object;
  judged: JudgedResponse;
}

function singly(items: AsyncIterable<Item>, judge: Judge, signal: AbortSignal): AsyncIterable<ScoredRow> {
  return pMapIterable(
    items,
    async ({ row, judged }): Promise<ScoredRow> => ({ ...row, ...(await judge.score([judged], signal))[0] }),
    { concurrency: WINDOW },
  );
}

async function* together(
  items: AsyncIterable<Item>,
  judge: Judge,
  signal: AbortSignal,
  patienceMs: number | null,
): AsyncGenerator<ScoredRow> {
  const batches = inBatches(items, { joins: (batch) => batch.length < TOGETHER, patienceMs });
  for await (const batch of batches) {
    const scores = await judge.score(
      batch.map(({ judged }) => judged),
      signal,
    );
    for (const [i, { row }] of batch.entries()) yield { ...row, ...scores[i] };
  }
}

async function* readItems(file: string, access: PictureAccess): AsyncGenerator<Item> {
  // standard input: as if it were a file in the working directory
  const anywhere = { ...access, roots: null };
  const checks = { below: pictureCheck(file, access), anywhere: pictureCheck(file, anywhere) };
  for await (const { value, source } of readJsonl(file)) {
    const row = parseWith(Row, value, source);
    const path = pictureOf(row, source);
    const absolute = path !== null && isAbsolute(path);
    const shown = path === null ? null : pictureOfRow(path, source, file, absolute ? anywhere : access);
    const item = itemOf(value as object, row, shown ?? { picture: null }, source);
    checks[absolute ? 'anywhere' : 'below'](item.judged.record);
    yield item;
  }
}

function itemOf(
  given: object,
  row: z.infer<typeof Row>,
  shown: Pick<LoadedRecord, 'picture' | 'roots'>,
  source: string,
): Item {
  const world = worldIn(row.world);
  const record = {
    problem: row.problem,
    options: row.options,
    ...shown,
    source,
    ...(world === undefined ? {} : { world }),
  };
  return { row: given, judged: { record, response: row.response } };
}

/** Null for text. Throws InputError `SOURCE: …`. */
function pictureOf({ data_type, path, image }: z.infer<typeof Row>, source: string): string | null {
  if (data_type === 'text') return null;
  const given = [
    ['path', path],
    ['image', image],
  ] as const;
  for (const [key, value] of given) {
    if (value == null || value === '') continue;
    if (typeof value === 'string') return value;
    throw new InputError(`${source}: ${key}: must be the path of a picture`);
  }
  if (data_type !== 'image') return null;
  throw new InputError(`${source}: a row of data_type "image" needs a path`);
}
