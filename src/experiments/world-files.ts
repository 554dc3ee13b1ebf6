/**
 * The seeing world on disk, as a user's own data set would be: PNG files and JSONL records in the published schema.
 * Pictures come first and records last, each written whole: records that stand always have their pictures.
 */
import { mkdir, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeError, writeFileWhole, writeFolder } from '../data/atomic.ts';
import { jsonLine } from '../data/jsonl.ts';
import { encodePng } from '../data/pictures/images.ts';
import { InputError } from '../errors.ts';
import {
  captionRow,
  contentOf,
  type Item,
  type Lesson,
  listingRow,
  lookupRow,
  mixedRow,
  pictureOf,
  picturePath,
  poolItem,
  questionRecord,
  type SeeingRecord,
  type Split,
  type Template,
  trmRow,
} from '../worlds/seeing/index.ts';

/** How much of everything a recipe makes. */
export interface WorldSizes {
  /** Distinct pictures that the cold start's lessons share. */
  pictures: number;
  captions: number;
  lookups: number;
  listings: number;
  mixed: number;
  /** Questions for responses that the TRM learns to judge. */
  trm: number;
  /** Questions to train on by reinforcement. */
  rl: number;
  /** Questions of each of the two tests: the same ones, with other notes. */
  test: number;
}

/** The quickstart's sizes. */
export const QUICKSTART_SIZES: WorldSizes = {
  pictures: 10_000,
  captions: 9000,
  lookups: 24_000,
  listings: 24_000,
  mixed: 9600,
  trm: 1600,
  rl: 720,
  test: 480,
};

export interface WorldFiles {
  captions: string;
  lookups: string;
  listings: string;
  mixed: string;
  trm: string;
  rl: string;
  testId: string;
  testOod: string;
}

/** Told after each picture: pictures written, pictures in all. */
export type OnProgress = (done: number, total: number) => void;

/**
 * Writes the files of all stages into `dir` (made if missing, files of the same names replaced); returns their paths.
 * The same seed and sizes give the same bytes. Throws RunError (disk full, not allowed …).
 */
export async function writeWorld(options: {
  dir: string;
  seed: number;
  sizes?: Partial<WorldSizes>;
  n?: number;
  onProgress?: OnProgress;
}): Promise<WorldFiles> {
  const { dir, seed, n, onProgress } = options;
  const sizes = { ...QUICKSTART_SIZES, ...options.sizes };
  const pool = lessonPool(seed, sizes.pictures, n);
  const lesson = (index: number, items: readonly number[], at = index): Lesson => ({
    seed,
    index,
    item: items[at % items.length],
    n,
  });
  const captions = times(sizes.captions, (index) => lesson(index, pool.pictured));
  const listings = times(sizes.listings, (index) => lesson(index, pool.items));
  // Mixed lessons go on where the listings end, so that a pool's questions are used equally often.
  const mixed = times(sizes.mixed, (index) => lesson(index, pool.items, sizes.listings + index));
  const ask = (split: Split, count: number) => times(count, (index): Item => ({ seed, split, index, n }));
  const [trm, rl, testId, testOod] = [
    ask('trm', sizes.trm),
    ask('rl', sizes.rl),
    ask('test-id', sizes.test),
    ask('test-ood', sizes.test),
  ];

  const lessons = [...captions, ...listings, ...mixed].map(poolItem);
  await writePictures(dir, [...lessons, ...trm, ...rl, ...testId], onProgress);

  const files = worldFiles(dir);
  const lookups = times(sizes.lookups, (index): Lesson => ({ seed, index, n }));
  await writeFileWhole(files.captions, lines(captions, captionRow));
  await writeFileWhole(files.lookups, lines(lookups, lookupRow));
  await writeFileWhole(files.listings, lines(listings, listingRow));
  await writeFileWhole(files.mixed, lines(mixed, mixedRow));
  await writeFileWhole(files.trm, lines(trm, trmRow));
  await writeFileWhole(files.rl, lines(rl, questionRecord));
  await writeFileWhole(files.testId, lines(testId, questionRecord));
  await writeFileWhole(files.testOod, lines(testOod, questionRecord));
  return files;
}

/** Where writeWorld puts its files; `testOod` is the last to be written, so where it stands all do. */
export function worldFiles(dir: string): WorldFiles {
  const at = (name: string) => join(dir, `${name}.jsonl`);
  return {
    captions: at('captions'),
    lookups: at('lookups'),
    listings: at('listings'),
    mixed: at('mixed'),
    trm: at('trm'),
    rl: at('rl'),
    testId: at('test-id'),
    testOod: at('test-ood'),
  };
}

export interface WrittenSplit {
  /** Path of the records. */
  records: string;
  /** How many, and how many pictures. */
  count: number;
  pictures: number;
}

/**
 * Writes one split: `dir`/records.jsonl and `dir`/images. Nothing is left behind if it fails.
 * Throws InputError if records or pictures stand there already, RunError if writing fails.
 */
export async function writeSplit(options: {
  dir: string;
  seed: number;
  split: Split;
  count: number;
  template?: Template;
  n?: number;
  onProgress?: OnProgress;
}): Promise<WrittenSplit> {
  const { dir, seed, split, count, template, n, onProgress } = options;
  const records = join(dir, 'records.jsonl');
  const isNew = await refuseUsed(dir, records);
  const items = times(count, (index): Item => ({ seed, split, index, template, n }));
  try {
    const pictures = await writePictures(dir, items, onProgress);
    await writeFileWhole(records, lines(items, questionRecord));
    return { records, count, pictures };
  } catch (error) {
    await rm(join(dir, 'images'), { recursive: true, force: true });
    if (isNew) await rmdir(dir).catch(() => {});
    throw error;
  }
}

/** Whether the folder is yet to be made. Throws InputError if something of ours would be overwritten. */
async function refuseUsed(dir: string, records: string): Promise<boolean> {
  const info = await stat(dir).catch((error) => {
    if (error.code === 'ENOTDIR')
      throw new InputError(`${dir}: a part of this path is a file; choose another`);
    return null;
  });
  if (info === null) return true;
  if (!info.isDirectory()) throw new InputError(`${dir}: is a file; name a folder to write into`);
  const names = await readdir(dir);
  for (const used of [basename(records), 'images'])
    if (names.includes(used))
      throw new InputError(`${join(dir, used)}: exists already; choose another folder or remove it`);
  return false;
}

/** The first questions of the cold start that between them have as many pictures as asked for. */
function lessonPool(seed: number, pictures: number, n?: number): { items: number[]; pictured: number[] } {
  const items: number[] = [];
  const pictured: number[] = [];
  for (let item = 0; pictured.length < pictures; item++) {
    items.push(item);
    if (contentOf(poolItem({ seed, index: item, n })).template !== 'text') pictured.push(item);
  }
  return { items, pictured };
}

/** Encoding runs in sharp's threads; a few pictures under way keep them busy. */
const UNDER_WAY = 8;

/** Writes the items' pictures, each once, as one folder; returns how many. */
async function writePictures(dir: string, items: readonly Item[], onProgress?: OnProgress): Promise<number> {
  const byPath = new Map(items.map((item) => [picturePath(item), item]));
  const pictured = [...byPath].filter(([, item]) => contentOf(item).template !== 'text');
  const total = pictured.length;
  await makeFolder(dir);
  if (total === 0) return 0;
  await writeFolder(join(dir, 'images'), async (folder) => {
    const queue = pictured.values();
    let done = 0;
    let failed = false;
    const work = async () => {
      for (const [path, item] of queue) {
        if (failed) return;
        const { rgb, width, height } = pictureOf(item)!;
        await writeFile(join(folder, basename(path)), await encodePng(rgb, width, height));
        onProgress?.(++done, total);
      }
    };
    const stop = (error: unknown) => {
      failed = true;
      throw error;
    };
    // All are waited for, also after a failure: the folder is then removed, and nobody may still write into it.
    const ended = await Promise.allSettled(times(UNDER_WAY, () => work().catch(stop)));
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  });
  return total;
}

async function makeFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    throw writeError(error, dir);
  }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Rows as JSON Lines, many at once: a write a row would take longer than making it. */
function* lines<T>(keys: readonly T[], row: (key: T) => SeeingRecord): Iterable<string> {
  const atOnce = 1000;
  for (let from = 0; from < keys.length; from += atOnce)
    yield keys
      .slice(from, from + atOnce)
      .map((key) => jsonLine(row(key)))
      .join('');
}
