import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import { openRecords } from '../../src/data/records/reader.ts';
import { parseWorld } from '../../src/worlds/seeing/index.ts';
import { questionRecord } from '../../src/worlds/seeing/records.ts';
import { temporaryFolder } from './folder.ts';

const { world } = questionRecord({ seed: 1, split: 'train', index: 0, template: 'choice', note: 'ood' });
const facts = world as unknown as { rule: object };
// as Arrow reads a column of structs whose rows have different keys
const struct = { ...facts, rule: { of: null, content: null, ...facts.rule } };

it.each([
  ['JSON text', 'STRING', JSON.stringify(world)],
  ['an object with all keys', 'JSON', struct],
] as const)("a world's facts are read from %s", async (_, type, cell) => {
  const file = join(temporaryFolder(), 'rows.parquet');
  const column = (name: string, text: string) => ({ name, data: [text], type: 'STRING' as const });
  const bytes = parquetWriteBuffer({
    columnData: [
      column('problem_id', '1'),
      column('problem', 'q'),
      column('data_type', 'text'),
      column('problem_type', 'free-form'),
      column('solution', 'x'),
      { name: 'world', data: [cell], type },
    ],
  });
  writeFileSync(file, Buffer.from(bytes));
  const record = await (await openRecords(file)).get(0);
  expect(record.world).toEqual(JSON.parse(JSON.stringify(world)));
  expect(() => parseWorld(record)).not.toThrow();
});
