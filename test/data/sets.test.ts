import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { itemOrder } from '../../src/data/records/order.ts';
import { openRecords, type Records } from '../../src/data/records/reader.ts';
import { openSources } from '../../src/data/records/sources.ts';
import { InputError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';
import { type Row, writeParquet } from './parquet-files.ts';

const fixtures = join(import.meta.dirname, '../fixtures/parquet');
const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i) => ({
    problem_id: from + i,
    image:
      (from + i) % 3 === 0 ? null : { bytes: Buffer.from(`picture ${from + i}`), path: `${from + i}.png` },
  }));
const jsonl = (ids: number[]) =>
  ids
    .map((id) =>
      JSON.stringify({
        problem_id: id,
        problem: '?',
        data_type: 'text',
        problem_type: 'numerical',
        solution: '1',
      }),
    )
    .join('\n');
const ids = async (records: Records) =>
  Promise.all(Array.from({ length: records.length }, async (_, i) => (await records.get(i)).problem_id));

describe('a set of shards', () => {
  it('in Parquet is read in the order of the numbers in their names, by folder or by pattern', async () => {
    const folder = temporaryFolder();
    for (const [shard, from, to] of [
      [2, 5, 9],
      [10, 9, 20],
      [1, 0, 5],
    ])
      writeParquet(join(folder, `train-${shard}.parquet`), rows(from, to));
    for (const what of [folder, join(folder, 'train-*.parquet')]) {
      const records = await openRecords(what);
      expect(await ids(records)).toEqual([...Array(20).keys()]);
      expect(records.blocks).toEqual([4, 1, 4, 4, 4, 3]);
    }
  });

  it('names pictures in rows by file and row, and rows in messages too', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'a.parquet');
    writeParquet(file, rows(0, 6));
    const records = await openRecords(file);
    expect(await records.get(4)).toMatchObject({
      path: 'a.parquet#4',
      picture: `${file}#4`,
      source: `${file}#4`,
    });
    expect(await records.get(3)).toMatchObject({ path: null, picture: null });
    const later = join(folder, 'rows.jsonl');
    writeFileSync(later, JSON.stringify({ ...(await records.get(4)), source: undefined }));
    expect((await (await openRecords(later)).get(0)).picture).toBe(`${file}#4`);
  });

  it('takes pictures by their paths where a Parquet file holds no bytes', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, '1.png'), 'x');
    const image = { bytes: null, path: '1.png' };
    writeParquet(join(folder, 'a.parquet'), [{ problem_id: 1, image }]);
    expect((await (await openRecords(join(folder, 'a.parquet'))).get(0)).picture).toBe(join(folder, '1.png'));
    writeParquet(join(folder, 'a.parquet'), [{ problem_id: 1, image: { bytes: null, path: '2.png' } }]);
    await expect(openRecords(join(folder, 'a.parquet'))).rejects.toThrow(
      /a\.parquet#0: path: no such picture/,
    );
  });

  it.each([
    ['with', true],
    ['without', false],
  ])('takes bytes or paths row by row, %s statistics', async (_, statistics) => {
    const folder = temporaryFolder();
    const file = join(folder, 'a.parquet');
    for (const name of ['0.png', '2.png', '3.png']) writeFileSync(join(folder, name), 'x');
    const bytes = Buffer.from('picture');
    const cells = [
      { bytes: null, path: '0.png' },
      { bytes, path: 'never.png' },
      { bytes: null, path: '2.png' },
      { bytes: null, path: '3.png' },
      { bytes, path: null },
      null,
    ];
    const given = cells.map((image, i) => ({ problem_id: i, image }));
    // groups: some of both, paths alone, bytes and a question without a picture
    writeParquet(file, given, 2, statistics);
    const records = await openRecords(file);
    const pictures = await Promise.all(cells.map(async (_, i) => (await records.get(i)).picture));
    expect(pictures).toEqual([
      join(folder, '0.png'),
      `${file}#1`,
      join(folder, '2.png'),
      join(folder, '3.png'),
      `${file}#4`,
      null,
    ]);
  });

  it('by Arrow reads as records, with lists of options and questions without pictures', async () => {
    const records = await openRecords(join(fixtures, 'pyarrow-zstd.parquet'));
    expect(await records.get(1)).toMatchObject({
      options: ['A. 1', 'B. 2'],
      problem_type: 'multiple choice',
    });
    expect(await records.get(5)).toMatchObject({ data_type: 'text', picture: null });
  });

  it.each([
    [
      ['train-1.parquet', 'test-1.parquet'],
      /is a folder of several sets \(test-\*\.parquet, train-\*\.parquet\); name one/,
    ],
    [[], /is a folder without shards/],
    [['facts.json'], /is a folder without shards/],
  ])('in one folder is one set, not %j', async (names, message) => {
    const folder = temporaryFolder();
    for (const name of names) writeParquet(join(folder, name), rows(0, 2));
    await expect(openRecords(folder)).rejects.toThrow(message);
  });

  it.each([
    [
      ['train-00000-of-00003', 'train-00002-of-00003'],
      '',
      /: 1 of 3 shards missing: train-00001-of-00003\.parquet$/,
    ],
    [
      ['train-00000-of-00003', 'train-00002-of-00003'],
      '/train-*.parquet',
      /\*\.parquet: 1 of 3 shards missing/,
    ],
    [['a-0-of-2', 'a-0-of-3'], '', /shards of several sets \(a-\*-of-2\.parquet, a-\*-of-3\.parquet\)/],
    [['a-0-of-2', 'a-0-of-3'], '/a-0*.parquet', /shards of several sets/],
    [['a-0-of-999999'], '', /: 999998 of 999999 shards missing: a-1-of-999999.parquet, .* …$/],
  ])('%j%s is not whole', async (names, what, message) => {
    const folder = temporaryFolder();
    for (const name of names) writeParquet(join(folder, `${name}.parquet`), rows(0, 2));
    await expect(openRecords(`${folder}${what}`)).rejects.toThrow(message);
  });

  it.each([
    [['a-00000-of-00002', 'a-00001-of-00002'], ''],
    [['a-1-of-2', 'a-2-of-2'], ''],
    [['a-00000-of-00020', 'a-00002-of-00020'], '/a-0000*-of-00020.parquet'],
    [['a-0-of-2', 'a-1-of-2', 'b-0-of-1'], '/*.parquet'],
  ])('%j%s is whole, or all that was asked for', async (names, what) => {
    const folder = temporaryFolder();
    for (const name of names) writeParquet(join(folder, `${name}.parquet`), rows(0, 2));
    expect((await openRecords(`${folder}${what}`)).length).toBe(2 * names.length);
  });

  it('that a pattern does not find is said', async () => {
    const folder = temporaryFolder();
    await expect(openRecords(join(folder, 'x-*.parquet'))).rejects.toThrow(/no file has such a name/);
    await expect(openRecords(join(folder, '*/x.parquet'))).rejects.toThrow(/name the folder/);
  });

  it('names the first row that is no record', async () => {
    const folder = temporaryFolder();
    writeParquet(join(folder, 'a.parquet'), [...rows(0, 5), { problem_id: 5, problem_type: 'essay' }]);
    const error = await openRecords(join(folder, 'a.parquet')).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/a\.parquet#5: problem_type: must be one of/);
  });
});

describe('a mixture of sources', () => {
  const files = () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'b'));
    writeFileSync(join(folder, 'a.jsonl'), jsonl([0, 1, 2]));
    writeFileSync(join(folder, 'b/1.jsonl'), jsonl([10, 11]));
    writeFileSync(join(folder, 'b/2.jsonl'), jsonl([12]));
    return [join(folder, 'a.jsonl'), join(folder, 'b')];
  };

  it('without weights is one source after another', async () => {
    const [a, b] = files();
    const records = await openSources([{ path: a }, { path: b }]);
    expect(await ids(records)).toEqual([0, 1, 2, 10, 11, 12]);
    expect(records.blocks).toBeUndefined();
  });

  it('with weights is drawn from in their shares, each source once before it comes again', async () => {
    const [a, b] = files();
    const records = await openSources([
      { path: a, weight: 3 },
      { path: b, weight: 1 },
    ]);
    const item = itemOrder(records, 7);
    const drawn = Array.from({ length: 8000 }, (_, k) => item(k));
    const ofA = drawn.filter((i) => i < 3);
    expect(ofA.length / 8000).toBeGreaterThan(0.73);
    expect(ofA.length / 8000).toBeLessThan(0.77);
    for (let epoch = 0; epoch < 50; epoch++)
      expect(ofA.slice(3 * epoch, 3 * epoch + 3).sort()).toEqual([0, 1, 2]);
    const again = itemOrder({ ...records }, 7);
    for (const k of [7999, 0, 4000]) expect(again(k)).toBe(drawn[k]);
  });

  it('of Parquet and JSONL stays in blocks', async () => {
    const folder = temporaryFolder();
    copyFileSync(join(fixtures, 'pyarrow-none.parquet'), join(folder, 'a.parquet'));
    writeFileSync(join(folder, 'b.jsonl'), jsonl([1, 2]));
    const records = await openSources([
      { path: join(folder, 'a.parquet') },
      { path: join(folder, 'b.jsonl') },
    ]);
    expect(records.blocks).toEqual([4, 4, 2, 2]);
  });
});
