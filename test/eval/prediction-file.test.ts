/** Files of predictions in the forms that harnesses write. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPredictions } from '../../src/eval/prediction-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-predictions-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const row = { answer: '5', response: '6' };
const jsonl = (rows: unknown[]) => rows.map((one) => `${JSON.stringify(one)}\n`).join('');

/** What is read, with sources without the folder's name. */
async function read(name: string, text: string) {
  const file = join(folder, name);
  writeFileSync(file, text);
  const rows = [];
  for await (const { value, source } of readPredictions(file, 'mathvista'))
    rows.push([source.replace(`${folder}/`, ''), value]);
  return rows;
}

describe('rows are read from', () => {
  it.each([
    ['JSON Lines', 'a.jsonl', `\ufeff${jsonl([row])}\n${jsonl([row])}`, ['a.jsonl:1', 'a.jsonl:3']],
    ['JSON Lines called .json', 'b.json', `\n${jsonl([row, row])}`, ['b.json:2', 'b.json:3']],
    ['JSON Lines without an extension', 'c', jsonl([row, row]), ['c:1', 'c:2']],
    ['an array on one line', 'd.json', JSON.stringify([row, row]), ['d.json: row 1', 'd.json: row 2']],
    ['an array on many', 'e.json', JSON.stringify([row, row], null, 2), ['e.json: row 1', 'e.json: row 2']],
    ['a single row', 'f.json', JSON.stringify(row), ['f.json:1']],
    ['nothing', 'g.json', '\n', []],
  ])('%s', async (_form, name, text, sources) => {
    expect(await read(name, text)).toEqual(sources.map((source) => [source, row]));
  });

  it.each([0, 2])('an object of rows by their ids, indented by %d', async (indent) => {
    const rows = await read('h.json', JSON.stringify({ 7: row, x: { pid: '8', ...row } }, null, indent));
    expect(rows).toEqual([
      ['h.json: "7"', { pid: '7', ...row }],
      ['h.json: "x"', { pid: '8', ...row }],
    ]);
  });
});

describe('refused in one line', () => {
  it.each([
    ['cut.jsonl', `${jsonl([row])}{"pid": `, 'cut.jsonl:2: not valid JSON '],
    ['cut.json', `${jsonl([row])}{"pid": \n`, 'cut.json:2: not valid JSON '],
    ['first.json', `{"pid": \n${jsonl([row])}`, 'first.json:1: not valid JSON '],
    ['one.json', '{"pid": ', 'one.json:1: not valid JSON '],
    ['text.json', '"x"', 'text.json: must hold rows: '],
    ['ids.json', '{"1": "A", "2": "B"}', 'ids.json: holds answers by id without their questions; '],
    ['x.parquet', 'PAR1', 'x.parquet: predictions are read from files that end in .jsonl, '],
  ])('%s', async (name, text, message) => {
    const failed = await read(name, text).catch((error: Error) => error.message);
    expect(String(failed).replace(`${folder}/`, '')).toContain(message);
    expect(failed).not.toContain('\n');
  });

  it('a file that is not there', async () => {
    const missing = readPredictions(join(folder, 'absent.json'), 'mmmu').next();
    await expect(missing).rejects.toThrow('absent.json: cannot read: no such file');
  });
});
