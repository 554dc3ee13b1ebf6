/** What `sophia data check` calls a picture's address that may not be used. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkRows, type PictureCheck } from '../../src/data/check/check.ts';
import { temporaryFolder } from './folder.ts';

async function faultsOf(paths: string[], pictures: PictureCheck) {
  const kind = { data_type: 'image', problem: '?', problem_type: 'numerical', solution: '1' };
  const rows = paths.map((path, id) => `${JSON.stringify({ ...kind, problem_id: id, path })}\n`);
  const file = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(file, rows.join(''));
  const faults = [];
  for await (const { fault } of checkRows([file], pictures))
    faults.push(fault && [fault.kind, fault.message]);
  return faults;
}

const paths = ['https://example.org/7.png', 'file:///7.png', 'data:,x', 'a\\7.png', 'a\0.png', 'none.png'];

it('a picture that may not be read is missing_picture, whatever its address', async () => {
  const faults = await faultsOf(paths, 'header');
  expect(faults).toEqual(paths.map(() => ['missing_picture', expect.stringMatching(/^path: /)]));
});

it('addresses are left alone where pictures are', async () => {
  expect(await faultsOf(paths, 'off')).toEqual(paths.map(() => null));
});
