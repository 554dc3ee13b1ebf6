/** Damaged files give records or one line, in moderate time; thousands of them are in test/slow. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openRecords } from '../../src/data/records/reader.ts';
import { InputError } from '../../src/errors.ts';
import { damaged } from './damage.ts';
import { temporaryFolder } from './folder.ts';

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/parquet', name));
const rows: object[] = JSON.parse(fixture('rows.json').toString());
const text = Buffer.from(
  rows.map((row) => JSON.stringify({ ...row, picture: undefined, data_type: 'text' })).join('\n'),
);

it.each([
  ['parquet', fixture('pyarrow-v2.parquet')],
  ['parquet', fixture('pyarrow-snappy.parquet')],
  ['jsonl', text],
])('%s (%#): 40 damaged copies', async (kind, bytes) => {
  const file = join(temporaryFolder(), `a.${kind}`);
  let whole = 0;
  let refused = 0;
  for (let number = 0; number < 40; number++) {
    writeFileSync(file, damaged(bytes, number));
    try {
      const records = await openRecords(file);
      for (let i = 0; i < records.length; i++) await records.get(i);
      whole += 1;
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      expect((error as Error).message).toContain(file);
      expect((error as Error).message).not.toContain('\n');
      refused += 1;
    }
  }
  expect(whole + refused).toBe(40);
  expect(refused).toBeGreaterThan(8);
});
