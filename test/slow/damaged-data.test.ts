/** Thousands of damaged record files, each batch in a process with little memory and a limit of time. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../data/folder.ts';

const fixtures = join(import.meta.dirname, '../fixtures/parquet');
const script = join(import.meta.dirname, 'damaged-files.ts');
const COPIES = 1000;

it.each([...readdirSync(fixtures).filter((name) => name.endsWith('.parquet')), 'rows.jsonl'])(
  `%s: ${COPIES} damaged copies: records or one line, no crash, no hang, little memory`,
  (name) => {
    const folder = temporaryFolder();
    let source = join(fixtures, name);
    if (name === 'rows.jsonl') {
      const rows: object[] = JSON.parse(readFileSync(join(fixtures, 'rows.json'), 'utf8'));
      source = join(folder, name);
      writeFileSync(source, rows.map((row) => JSON.stringify({ ...row, data_type: 'text' })).join('\n'));
    }
    const file = join(folder, `damaged${name.slice(name.lastIndexOf('.'))}`);
    const child = spawnSync(
      process.execPath,
      ['--max-old-space-size=256', '--import', 'tsx', script, source, file, '1000', String(1000 + COPIES)],
      { encoding: 'utf8', timeout: 240_000 },
    );
    expect(child.signal).toBeNull();
    expect(child.status, child.stderr).toBe(0);
    const { tally, rssMb } = JSON.parse(child.stdout);
    expect(Object.keys(tally).sort()).toEqual(['ok', 'refused']);
    expect(tally.ok + tally.refused).toBe(COPIES);
    expect(rssMb).toBeLessThan(1000);
  },
  300_000,
);
