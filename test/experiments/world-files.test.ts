/** The world's files: what a recipe's stages read, through the same reader that reads a user's own data. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPicture as decodeFile } from '../../src/data/pictures/images.ts';
import { openRecords } from '../../src/data/records/reader.ts';
import type { DataRecord } from '../../src/data/records/record.ts';
import { type WorldFiles, writeWorld } from '../../src/experiments/world-files.ts';
import { parseWorld } from '../../src/worlds/seeing/index.ts';
import { readPicture } from '../worlds/read-picture.ts';

const sizes = { pictures: 30, captions: 40, lookups: 20, listings: 50, mixed: 25, trm: 12, rl: 12, test: 24 };
let dir: string;
let files: WorldFiles;
const progress: [number, number][] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-world-'));
  const onProgress = (done: number, total: number) => progress.push([done, total]);
  files = await writeWorld({ dir: join(dir, 'one'), seed: 0, sizes, onProgress });
});
afterAll(() => rm(dir, { recursive: true }));

async function rows(file: string): Promise<(DataRecord & { picture: string | null })[]> {
  const records = await openRecords(file);
  return Promise.all(Array.from({ length: records.length }, (_, i) => records.get(i)));
}

describe('writeWorld', () => {
  it('writes as many records a stage as asked for, all of which the reader takes', async () => {
    const counts = await Promise.all(Object.values(files).map(async (file) => (await rows(file)).length));
    expect(Object.fromEntries(Object.keys(files).map((name, i) => [name, counts[i]]))).toEqual({
      captions: 40,
      lookups: 20,
      listings: 50,
      mixed: 25,
      trm: 12,
      rl: 12,
      testId: 24,
      testOod: 24,
    });
  });

  it('writes pictures that hold what the records say', async () => {
    for (const file of [files.listings, files.mixed, files.trm, files.rl, files.testId, files.testOod])
      for (const record of (await rows(file)).slice(0, 12)) {
        if (record.picture === null) continue;
        const { rgb, width, height } = await decodeFile(record.picture);
        expect([width, height]).toEqual([84, 84]);
        expect(readPicture(rgb, 3)).toEqual(parseWorld(record).cells);
      }
    for (const record of (await rows(files.captions)).slice(0, 5)) {
      const contents = readPicture((await decodeFile(record.picture!)).rgb, 3);
      const told = record.segments!.filter(({ train }) => train).map(({ text }) => text.trim());
      expect(told.toSorted()).toEqual(contents.toSorted());
    }
  });

  it('lets the lessons of the cold start share its pool of pictures, and nothing else', async () => {
    const pictures = async (...of: string[]) =>
      new Set((await Promise.all(of.map(rows))).flat().flatMap(({ picture }) => picture ?? []));
    const lessons = await pictures(files.captions, files.listings, files.mixed);
    expect(lessons.size).toBe(sizes.pictures);
    expect((await pictures(files.captions)).size).toBe(sizes.pictures);
    const tests = await pictures(files.testId, files.testOod);
    expect(tests.size).toBe(20);
    const asked = await pictures(files.trm, files.rl);
    const written = await readdir(join(dir, 'one', 'images'));
    expect(written.length).toBe(lessons.size + tests.size + asked.size);
  });

  it('tells of every picture', () => {
    const total = progress[0][1];
    expect(progress).toEqual(Array.from({ length: total }, (_, i) => [i + 1, total]));
  });

  it('writes the same bytes for the same seed and others for another', async () => {
    await writeWorld({ dir: join(dir, 'two'), seed: 0, sizes });
    await writeWorld({ dir: join(dir, 'three'), seed: 1, sizes });
    const names = (await readdir(join(dir, 'one'), { recursive: true })).toSorted();
    expect((await readdir(join(dir, 'two'), { recursive: true })).toSorted()).toEqual(names);
    for (const name of names) {
      if ((await stat(join(dir, 'one', name))).isDirectory()) continue;
      const bytes = await readFile(join(dir, 'one', name));
      expect(bytes.equals(await readFile(join(dir, 'two', name))), name).toBe(true);
      const other = await readFile(join(dir, 'three', name)).catch(() => null);
      if (other !== null) expect(bytes.equals(other), name).toBe(false);
    }
  });
});
