/** Published files of benchmarks: found by their names, read row by row, with the pictures that rows mean. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodePicture } from '../../src/data/pictures/images.ts';
import type { ShownPart } from '../../src/eval/asking/asker.ts';
import type { Asking } from '../../src/eval/benchmarks/benchmark.ts';
import { type BenchmarkName, benchmarkNames } from '../../src/eval/benchmarks/benchmark.ts';
import { benchmarkNamed } from '../../src/eval/benchmarks/index.ts';
import { openPublished } from '../../src/eval/published/questions.ts';
import { openTsv } from '../../src/eval/published/tsv.ts';
import { samples } from './model-server.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-published-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const open = async (name: BenchmarkName, variant?: string, dir = samples, limit: number | null = null) => {
  const benchmark = await benchmarkNamed(name, 'test');
  return openPublished(benchmark, variant ?? benchmark.asking.variants[0], dir, limit);
};
/** Colours in the middle of a question's squares. */
const colours = async (parts: ShownPart[]) => {
  const found: string[] = [];
  for (const part of parts) {
    if (!('picture' in part)) continue;
    const { width, height, rgb } = await decodePicture(part.picture, part.source);
    const middle = 3 * (width * Math.floor(height / 2) + Math.floor(width / 2));
    found.push([...rgb.subarray(middle, middle + 3)].join());
  }
  return found;
};
const RED = '200,30,30';
const GREEN = '30,160,60';
const BLUE = '30,60,200';
const YELLOW = '230,210,40';

describe('the samples', () => {
  it.each<[BenchmarkName, string | undefined, number]>([
    ['mathvista', undefined, 6],
    ['mathverse', 'testmini', 10],
    ['mathverse', 'text_only', 2],
    ['mathverse', 'all', 12],
    ['mmmu', undefined, 4],
    ['mme', undefined, 6],
    ['mmstar', undefined, 4],
    ['chartqa', undefined, 5],
    ['mmbench', 'en', 9],
    ['mmbench', 'cn', 9],
  ])('%s, %s: %i questions, each with its own id', async (name, variant, n) => {
    const questions = await open(name, variant);
    expect(questions.list).toHaveLength(n);
    expect(new Set(questions.list.map(({ id }) => id)).size).toBe(n);
    for (const [i] of questions.list.entries()) {
      const parts = await questions.parts(i);
      expect(parts.some((part) => 'text' in part)).toBe(true);
      await colours(parts);
    }
  });

  it.each(benchmarkNames)('%s: a folder of its own, or one above it, is the same', async (name) => {
    const [above, own] = await Promise.all([open(name), open(name, undefined, join(samples, name))]);
    expect(own.digest).toBe(above.digest);
    expect((await open(name, undefined, samples, 1)).digest).not.toBe(above.digest);
  });

  it('MathVista: shards of Parquet one after the other', async () => {
    const { parts } = await open('mathvista');
    const all = await Promise.all([0, 1, 2, 3, 4, 5].map(async (i) => (await colours(await parts(i)))[0]));
    expect(all).toEqual([RED, GREEN, BLUE, BLUE, YELLOW, RED]);
  });

  it('MMMU: several pictures a question', async () => {
    const { parts } = await open('mmmu');
    expect(await colours(await parts(0))).toEqual([RED, BLUE]);
    expect(await colours(await parts(3))).toEqual([GREEN, YELLOW]);
  });

  it('MMBench: a rotation shows the picture of the row that it names', async () => {
    const { parts } = await open('mmbench');
    for (const [i, colour] of [RED, GREEN, BLUE].entries())
      for (const turn of [0, 1, 2]) expect(await colours(await parts(i + 3 * turn))).toEqual([colour]);
  });
});

describe('wrong files are one line', () => {
  it('a folder without published files', async () => {
    await expect(open('mmstar', undefined, folder)).rejects.toThrow(
      /^.*: holds no files of MMStar, val; looked there and in mmstar\/ for mmstar\.parquet, MMStar\.tsv/,
    );
  });

  it('a folder that is not there, and a file', async () => {
    await expect(open('mme', undefined, join(folder, 'no'))).rejects.toThrow(
      /no: cannot read: no such file$/,
    );
    const file = join(samples, 'mmstar/mmstar.parquet');
    await expect(open('mmstar', undefined, file)).rejects.toThrow(/is a file; name the folder/);
  });

  it('a damaged Parquet file', async () => {
    const dir = join(folder, 'damaged');
    mkdirSync(dir);
    writeFileSync(join(dir, 'mmstar.parquet'), 'PAR1 nothing PAR1');
    await expect(open('mmstar', undefined, dir)).rejects.toThrow(
      /^.*mmstar\.parquet: not a readable Parquet/,
    );
  });

  it('a row that is not of the layout, by its line', async () => {
    const dir = join(folder, 'layout');
    mkdirSync(dir);
    writeFileSync(join(dir, 'MMStar.tsv'), 'index\tquestion\tanswer\n1\t"two\nlines"\tA\n2\tq\tA\n');
    await expect(open('mmstar', undefined, dir)).rejects.toThrow(/MMStar\.tsv:2: category: is missing$/);
  });

  it.each([
    ['cells of another number', 'index\tquestion\n1\n', /:2: not a tab-separated table \(/],
    ['a quote that does not end', 'index\tquestion\n1\t"q\n', /:\d: not a tab-separated table \(/],
    ['no columns', '', /is empty; a table begins with the names of its columns$/],
    ['commas', 'index,question\n1,q\n', /:1: one column only; columns must be separated by tabs$/],
    ['a name twice', 'a\ta\n1\t2\n', /:1: two columns are called a$/],
  ])('a table with %s', async (_what, text, line) => {
    const file = join(folder, 'table.tsv');
    writeFileSync(file, text);
    await expect(openTsv(file)).rejects.toThrow(line);
  });
});

describe('without a folder', () => {
  const cached = (repository: string, file: string, from: string) => {
    const home = join(folder, 'hub', `datasets--${repository.replace('/', '--')}`);
    const commit = 'c'.repeat(40);
    const target = join(home, 'snapshots', commit, file);
    mkdirSync(dirname(target), { recursive: true });
    mkdirSync(join(home, 'refs'), { recursive: true });
    writeFileSync(join(home, 'refs/main'), commit);
    cpSync(join(samples, from), target);
  };
  beforeAll(() => {
    vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
    vi.stubEnv('HF_HUB_OFFLINE', '1');
  });
  afterAll(() => void vi.unstubAllEnvs());

  it('files are those of the repository that publishes the benchmark, kept by the client of the hub', async () => {
    for (const shard of ['00000', '00001']) {
      const file = `data/testmini-${shard}-of-00002.parquet`;
      cached('AI4Math/MathVista', file, `mathvista/${file}`);
    }
    const benchmark = await benchmarkNamed('mathvista', 'test');
    const fetched = await openPublished(benchmark, 'testmini', null, null);
    expect(fetched.digest).toBe((await open('mathvista')).digest);
  });

  it('or of another one; what is not there is one line', async () => {
    cached('somebody/copies', 'mmstar.parquet', 'mmstar/mmstar.parquet');
    const benchmark = await benchmarkNamed('mmstar', 'test');
    const copy = await openPublished(benchmark, 'val', 'hf://datasets/somebody/copies', null);
    expect(copy.list).toHaveLength(4);
    await expect(openPublished(benchmark, 'val', null, null)).rejects.toThrow(
      /^hf:\/\/datasets\/Lin-Chen\/MMStar\/mmstar\.parquet: HF_HUB_OFFLINE is set and the cache [^\n]+$/,
    );
  });
});

describe('pictures by their path', () => {
  const asking = (path: string): Asking => ({
    variants: ['v'],
    files: () => ['rows.json'],
    hub: 'nobody/nothing',
    question: () => ({ id: '1', parts: [{ picture: { path } }], fields: {} }),
  });
  const parts = async (path: string) => {
    const dir = join(folder, 'paths');
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'rows.json'), '[{}]');
    const benchmark = { name: 'mme' as const, title: 'Paths', asking: asking(path) };
    return (await openPublished(benchmark, 'v', dir, null)).parts(0);
  };

  it('are read below the data folder only, symbolic links followed', async () => {
    const inside = join(folder, 'paths/inside.png');
    mkdirSync(join(folder, 'paths'), { recursive: true });
    cpSync(join(samples, 'chartqa/test/png/chart_1.png'), inside);
    cpSync(inside, join(folder, 'outside.png'));
    symlinkSync('../outside.png', join(folder, 'paths/link.png'));
    expect(await colours(await parts('inside.png'))).toEqual([RED]);
    for (const path of ['../outside.png', join(folder, 'outside.png'), 'link.png', 'no.png', '.'])
      await expect(parts(path)).rejects.toThrow(/^[^\n]*rows\.json: row 1: [^\n]+$/);
  });
});

it('any table of text is read as it was written, row by row in any order', async () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', '\t', '\n', ' ', 'é', '图', '1'), maxLength: 6 });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const file = join(folder, 'any.tsv');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }), async (rows) => {
      const lines = [['question', 'image'], ...rows].map((cells) => cells.map(quoted).join('\t'));
      writeFileSync(file, lines.join('\n'));
      const table = await openTsv(file);
      expect(table.length).toBe(rows.length);
      for (let i = rows.length - 1; i >= 0; i--)
        expect(await table.get(i)).toEqual({ question: rows[i][0], image: rows[i][1] });
    }),
    { numRuns: 30 },
  );
});
