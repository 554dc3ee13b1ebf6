/** What a bad row costs when a file of records is opened: itself, up to a share of the rows. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import { rawRows } from '../../src/data/check/raw-rows.ts';
import { mostBad } from '../../src/data/records/bad-rows.ts';
import { openRecords } from '../../src/data/records/reader.ts';
import { InputError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

const row = (id: number, over: object = {}) => ({
  problem_id: id,
  problem: `${id}?`,
  data_type: 'text',
  problem_type: 'numerical',
  solution: String(id),
  ...over,
});
const missing = (id: number) => row(id, { data_type: 'image', path: `${id}.png` });
const kinds: [name: string, text: (rows: object[]) => string][] = [
  ['r.jsonl', (rows) => rows.map((each) => `${JSON.stringify(each)}\n`).join('')],
  ['r.json', JSON.stringify],
];
function write(name: string, text: string) {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, text);
  return file;
}

it.each(kinds)(
  '%s: bad rows are left out and said, the others keep their order and their names',
  async (name, text) => {
    const rows = Array.from({ length: 200 }, (_, i) =>
      i === 20 ? missing(i) : i === 120 ? row(i, { problem_type: 'poem' }) : row(i),
    );
    const file = write(name, text(rows));
    const said: string[] = [];
    const records = await openRecords(file, { maxBad: 0.01, say: (line) => said.push(line) });
    expect(records.length).toBe(198);
    const ids = await Promise.all(
      Array.from({ length: 198 }, async (_, i) => (await records.get(i)).problem_id),
    );
    expect(ids).toEqual(rows.map((each) => each.problem_id).filter((id) => id !== 20 && id !== 120));
    expect((await records.get(20)).source).toMatch(/(:22|record 22)$/);
    expect(said).toEqual([
      expect.stringMatching(/^left out: \S+(:21|: record 21): path: no such picture: \S+20\.png$/),
      expect.stringMatching(/^left out: .*(:121|: record 121): problem_type: must be one of/),
      `${file}: 2 of 200 rows left out`,
    ]);
  },
);

it.each(kinds)('%s: one more than the share is an error that says both', async (name, text) => {
  const file = write(name, text(Array.from({ length: 100 }, (_, i) => (i < 3 ? missing(i) : row(i)))));
  const error = await openRecords(file, { maxBad: 0.02 }).catch((caught) => caught);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toMatch(
    /^\S+: 3 of 100 rows cannot be used, and data\.max_bad: 0\.02 allows 2; the first: .*no such picture: \S+0\.png$/,
  );
});

it.each(kinds)('%s: where the share allows no row, the first bad one is the error', async (name, text) => {
  const file = write(name, text(Array.from({ length: 50 }, (_, i) => (i === 7 ? missing(i) : row(i)))));
  for (const maxBad of [0, 0.01])
    await expect(openRecords(file, { maxBad })).rejects.toThrow(
      /(:8|record 8): path: no such picture: \S+7\.png$/,
    );
});

it('a line that is no JSON, or no UTF-8, is a bad row', async () => {
  const good = Array.from({ length: 100 }, (_, i) => `${JSON.stringify(row(i))}\n`).join('');
  const file = write('r.jsonl', '');
  writeFileSync(file, Buffer.concat([Buffer.from(good), Buffer.from('{"cut\n'), Buffer.from([0xff, 0x0a])]));
  expect((await openRecords(file, { maxBad: 0.02 })).length).toBe(100);
  await expect(openRecords(file, { maxBad: 0.01 })).rejects.toThrow(/2 of 102 rows cannot be used/);
});

it('a cell of Parquet that is no UTF-8 costs its row and not the row group', async () => {
  const rows = Array.from({ length: 100 }, (_, i) => row(i));
  const solutions = rows.map((_, i) => (i === 3 || i === 60 ? Buffer.from([0xff]) : Buffer.from(`${i}`)));
  const column = (name: string, data: unknown[], type: 'STRING' | 'BYTE_ARRAY' = 'STRING') => ({
    name,
    data,
    type,
  });
  const file = write('r.parquet', '');
  const columnData = [
    ...(['problem', 'data_type', 'problem_type'] as const).map((name) =>
      column(
        name,
        rows.map((each) => each[name]),
      ),
    ),
    column(
      'problem_id',
      rows.map((each) => String(each.problem_id)),
    ),
    column('solution', solutions, 'BYTE_ARRAY'),
  ];
  writeFileSync(file, Buffer.from(parquetWriteBuffer({ columnData })));
  const said: string[] = [];
  const records = await openRecords(file, { maxBad: 0.02, say: (line) => said.push(line) });
  expect([records.length, (await records.get(3)).problem_id]).toEqual([98, '4']);
  expect(said[0]).toMatch(/^left out: \S+#3: solution: .*UTF-8/);
  await expect(openRecords(file, { maxBad: 0.01 })).rejects.toThrow(/2 of 100 rows cannot be used/);
  await expect(openRecords(file)).rejects.toThrow(`${file}#3: solution`);
  const bad = [];
  for await (const raw of rawRows(file)) if ('message' in raw) bad.push([raw.source, raw.rows]);
  expect(bad).toEqual([
    [`${file}#3`, 1],
    [`${file}#60`, 1],
  ]);
});

it('many bad rows are said in a few lines', async () => {
  const file = write(
    'r.jsonl',
    kinds[0][1](Array.from({ length: 100 }, (_, i) => (i < 40 ? missing(i) : row(i)))),
  );
  const said: string[] = [];
  await openRecords(file, { maxBad: 0.5, say: (line) => said.push(line) });
  expect(said.length).toBe(6);
  expect(said.at(-1)).toBe(`${file}: 40 of 100 rows left out, of which the first are said`);
});

it('the share is rounded down: what is left out is never more of the rows than it says', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100 }), fc.nat(200_000), (percent, rows) => {
      const most = mostBad(percent / 100, rows);
      expect(most * 100).toBeLessThanOrEqual(percent * rows);
      expect((most + 1) * 100).toBeGreaterThan(percent * rows);
    }),
  );
});
