import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendJsonl, type JsonlRow, readJsonl, readJsonlValues, writeJsonl } from '../../src/data/jsonl.ts';
import { InputError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

function fileOf(content: string | Buffer): string {
  const file = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(file, content);
  return file;
}

async function readUntilError(file: string): Promise<{ rows: JsonlRow[]; error: unknown }> {
  const rows: JsonlRow[] = [];
  try {
    for await (const row of readJsonl(file)) rows.push(row);
    return { rows, error: null };
  } catch (error) {
    return { rows, error };
  }
}

describe('readJsonl', () => {
  it('skips a byte order mark and blank lines, takes CRLF, and counts lines from 1', async () => {
    const file = fileOf('\ufeff{"a":1}\r\n\n   \n[2]\n"drei"');
    const { rows } = await readUntilError(file);
    expect(rows.map(({ line, value }) => [line, value])).toEqual([
      [1, { a: 1 }],
      [4, [2]],
      [5, 'drei'],
    ]);
    expect(rows[1].source).toBe(`${file}:4`);
  });

  it.each([
    ['broken JSON', '{"a":1}\n{"a":}\n{"a":3}\n', 2],
    ['a last line that was cut off', '{"a":1}\n{"a":2}\n{"a":', 3],
    ['text after the document', '{"a":1}\n{"a":2} {"a":3}\n', 2],
    ['NaN, which JSON does not have', '{"a":NaN}\n', 1],
  ])('gives the rows before %s, then one line naming file and line', async (_, content, line) => {
    const file = fileOf(content);
    const { rows, error } = await readUntilError(file);
    expect(rows).toHaveLength(line - 1);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(/not valid JSON/);
    expect((error as Error).message.startsWith(`${file}:${line}: `)).toBe(true);
    expect((error as Error).message).not.toContain('\n');
  });

  it('refuses bytes that are not UTF-8, naming the line', async () => {
    const file = fileOf(
      Buffer.concat([Buffer.from('{"a":1}\n"'), Buffer.from([0xc3, 0x28]), Buffer.from('"\n')]),
    );
    const { rows, error } = await readUntilError(file);
    expect(rows).toHaveLength(1);
    expect((error as Error).message).toBe(`${file}:2: not valid UTF-8; save the file as UTF-8`);
  });

  it('says so when there is no such file, or a folder in its place', async () => {
    const folder = temporaryFolder();
    await expect(readJsonlValues(join(folder, 'none.jsonl'))).rejects.toThrow(
      /none\.jsonl: cannot read: no such file/,
    );
    await expect(readJsonlValues(folder)).rejects.toThrow(InputError);
  });

  it('reads lines longer than a read chunk and characters cut by one', async () => {
    const long = '語'.repeat(300_001);
    const file = fileOf(`"x${long}"\n"${long}"\n`);
    expect(await readJsonlValues(file)).toEqual([`x${long}`, long]);
  });
});

describe('writing', () => {
  it('reading gives back what was written and appended, whatever JSON it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), fc.jsonValue(), async (rows, last) => {
        const file = join(temporaryFolder(), 'deep/rows.jsonl');
        await writeJsonl(file, rows);
        await appendJsonl(file, last);
        // JSON has no −0.
        expect(await readJsonlValues(file)).toEqual(JSON.parse(JSON.stringify([...rows, last])));
      }),
      { numRuns: 30 },
    );
  });

  it('leaves the old file as it was when a row cannot be written', async () => {
    const file = fileOf('{"old":true}\n');
    await expect(writeJsonl(file, [{ a: 1 }, undefined])).rejects.toThrow(TypeError);
    expect(readFileSync(file, 'utf8')).toBe('{"old":true}\n');
  });

  it('appends whole lines only: when there is no room for one, none of it stays', async () => {
    const file = fileOf('');
    const script = join(temporaryFolder(), 'script.mts');
    writeFileSync(
      script,
      `import { appendJsonl } from ${JSON.stringify(new URL('../../src/data/jsonl.ts', import.meta.url).href)};
       try { for (;;) await appendJsonl(${JSON.stringify(file)}, 'x'.repeat(5000)); }
       catch (error) { console.log(error.name); }`,
    );
    const said = execFileSync(
      'bash',
      ['-c', 'ulimit -f 16; exec "$0" --import tsx "$1"', process.execPath, script],
      {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    expect(said).toBe('RunError\n');
    expect(await readJsonlValues(file)).toEqual(Array(3).fill('x'.repeat(5000)));
  });
});
