import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { order, orderedItems } from '../../src/data/records/order.ts';
import { openRecords } from '../../src/data/records/reader.ts';
import { InputError, RunError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

const text = (id: number) => ({
  problem_id: id,
  problem: `é${id}?`,
  data_type: 'text',
  problem_type: 'numerical',
  solution: String(id),
});
const image = (id: number, path: string) => ({ ...text(id), data_type: 'image', path });

function folderWith(name: string, content: string): { folder: string; file: string } {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'pictures'));
  writeFileSync(join(folder, 'pictures/1.png'), '');
  writeFileSync(join(folder, name), content);
  return { folder, file: join(folder, name) };
}

describe('openRecords', () => {
  it('gives the same records from JSONL and JSON, in any order of asking', async () => {
    const rows = [text(0), image(1, 'pictures/1.png'), text(2)];
    const jsonl = folderWith('r.jsonl', `\ufeff${rows.map((row) => JSON.stringify(row)).join('\n\n')}`);
    const json = folderWith('r.JSON', `\ufeff${JSON.stringify(rows)}`);
    for (const { folder, file } of [jsonl, json]) {
      const records = await openRecords(file);
      expect(records.length).toBe(3);
      expect((await records.get(2)).problem).toBe('é2?');
      expect((await records.get(0)).problem).toBe('é0?');
      expect((await records.get(1)).picture).toBe(join(folder, 'pictures/1.png'));
      expect((await records.get(0)).picture).toBeNull();
    }
    expect((await (await openRecords(jsonl.file)).get(2)).source).toBe(`${jsonl.file}:5`);
    expect((await (await openRecords(json.file)).get(2)).source).toBe(`${json.file}: record 3`);
  });

  it.each([
    [
      'r.jsonl',
      `${JSON.stringify(text(0))}\n${JSON.stringify({ ...text(1), problem_type: 'x' })}`,
      /r\.jsonl:2: problem_type: must be one of/,
    ],
    [
      'r.jsonl',
      `${JSON.stringify(text(0))}\n${JSON.stringify(text(1)).slice(0, -9)}`,
      /r\.jsonl:2: not valid JSON/,
    ],
    [
      'r.jsonl',
      `${JSON.stringify(text(0))}\n\n${JSON.stringify(image(1, 'pictures/2.png'))}`,
      /r\.jsonl:3: path: no such picture: \/.*\/pictures\/2\.png$/,
    ],
    ['r.jsonl', JSON.stringify(image(1, 'pictures')), /r\.jsonl:1: path: not a file: /],
    ['r.jsonl', '\n', /r\.jsonl: holds no records/],
    [
      'r.json',
      JSON.stringify([text(0), { ...text(1), problem: 3 }]),
      /r\.json: record 2: problem: must be string, found 3/,
    ],
    ['r.json', JSON.stringify([text(0)]).slice(0, -3), /r\.json: not valid JSON/],
    ['r.json', JSON.stringify(text(0)), /r\.json: must be an array of records/],
    ['r.csv', 'a,b', /r\.csv: unknown kind of file; records are read from \.json, \.jsonl/],
  ])('refuses a bad %s at opening with one line (%#)', async (name, content, message) => {
    const { file } = folderWith(name, content);
    const error = await openRecords(file).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  });

  it('refuses a missing file and a folder', async () => {
    const folder = temporaryFolder();
    await expect(openRecords(join(folder, 'no.jsonl'))).rejects.toThrow(
      /no\.jsonl: cannot read: no such file/,
    );
    await expect(openRecords(folder)).rejects.toThrow(/is a folder/);
  });

  it('notices a file that was changed after it was opened', async () => {
    const { file } = folderWith('r.jsonl', `${JSON.stringify(text(0))}\n${JSON.stringify(text(1))}\n`);
    const records = await openRecords(file);
    writeFileSync(file, 'short\n');
    await expect(records.get(1)).rejects.toThrow(RunError);
  });

  it('notices a file that was written anew with the same length', async () => {
    const rows = (first: number) => `${JSON.stringify(text(first))}\n${JSON.stringify(text(1))}\n`;
    const { file } = folderWith('r.jsonl', rows(0));
    const records = await openRecords(file);
    writeFileSync(file, rows(2));
    utimesSync(file, new Date(), new Date(Date.now() + 1000));
    const error = await records.get(0).catch((caught) => caught);
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toBe(
      `${file}: was changed while it was in use; leave it as it is and run this again`,
    );
  });
});

describe('order', () => {
  it('is a permutation of 0 … n−1 for every seed and epoch, and always the same one', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(1000), fc.nat(200), (seed, epoch, n) => {
        const first = order(seed, epoch, n);
        expect([...first].sort((a, b) => a - b)).toEqual([...Array(n).keys()]);
        expect(order(seed, epoch, n)).toEqual(first);
      }),
    );
  });

  it('differs between seeds and between epochs', () => {
    const seen = new Set<string>();
    for (const seed of [0, 1, 2, 2 ** 32])
      for (const epoch of [0, 1, 2]) seen.add(order(seed, epoch, 50).join());
    expect(seen.size).toBe(12);
  });

  it('puts every record everywhere about equally often (χ² at 25 degrees of freedom per position)', () => {
    const n = 6;
    const draws = 3000;
    const counts = Array.from({ length: n }, () => new Float64Array(n));
    for (let seed = 0; seed < draws; seed++)
      for (const [place, item] of order(seed, 0, n).entries()) counts[place][item]++;
    const expected = draws / n;
    const chi2 = counts
      .flatMap((row) => [...row])
      .reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chi2).toBeLessThan(53); // p = 0.001
  });

  it('item k of a run does not depend on which items were asked for before', () => {
    const n = 7;
    const run = orderedItems(3, n);
    const forwards = Array.from({ length: 30 }, (_, k) => run(k));
    const resumed = orderedItems(3, n);
    for (const k of [29, 0, 15, 14, 13, 28]) expect(resumed(k)).toBe(forwards[k]);
    expect(new Set(forwards.slice(0, n)).size).toBe(n);
    expect(forwards.slice(0, n)).not.toEqual(forwards.slice(n, 2 * n));
  });
});
