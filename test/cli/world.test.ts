/** `sophia world` from outside: pictures and records on disk, through the built binary. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRecords } from '../../src/data/records/reader.ts';

const binary = fileURLToPath(new URL('../../bin/sophia.js', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-world-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Result = { code: number; stdout: string; stderr: string };

function run(command: string, args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { cwd: folder }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}
const world = (...args: string[]) => run(process.execPath, [binary, 'world', ...args]);
const problems = (dir: string) =>
  readFileSync(join(folder, dir, 'records.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).problem as string);

describe('sophia world', () => {
  it('writes records that the data reader takes, pictures beside them', async () => {
    const { code, stdout } = await world(
      '--count',
      '12',
      '--seed',
      '3',
      '--split',
      'train',
      '--out',
      'plain',
    );
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^plain\/records\.jsonl: 12 records, \d+ pictures\n$/),
    });
    const records = await openRecords(join(folder, 'plain', 'records.jsonl'));
    expect(records.length).toBe(12);
    expect(readdirSync(join(folder, 'plain')).toSorted()).toEqual(['images', 'records.jsonl']);
  });

  it('prints one JSON document with --json and nothing else', async () => {
    const { code, stdout } = await world('--count', '6', '--split', 'test-id', '--out', 'json', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      world: 'seeing',
      split: 'test-id',
      seed: 0,
      records: 'json/records.jsonl',
      count: 6,
      pictures: 5,
    });
  });

  it('asks the same in test-id and test-ood, with other notes', async () => {
    await world('--count', '30', '--split', 'test-id', '--out', 'id');
    await world('--count', '30', '--split', 'test-ood', '--out', 'ood');
    const withoutNotes = (dir: string) =>
      problems(dir).map((problem) => problem.replace(/ note says .*/, ''));
    expect(withoutNotes('ood')).toEqual(withoutNotes('id'));
    expect(problems('ood')).not.toEqual(problems('id'));
    for (const name of readdirSync(join(folder, 'id', 'images')))
      expect(
        readFileSync(join(folder, 'id', 'images', name)).equals(
          readFileSync(join(folder, 'ood', 'images', name)),
        ),
      ).toBe(true);
  });

  it('keeps to one template, with no pictures where it needs none', async () => {
    await world('--count', '5', '--template', 'text', '--out', 'text');
    for (const problem of problems('text')) expect(problem).toMatch(/ \. (how many|sum of) /);
    expect(readdirSync(join(folder, 'text'))).toEqual(['records.jsonl']);
  });
});

describe('wrong input ends with exit code 2, one line, and nothing written', () => {
  it.each([
    ['no count', ['--out', 'new'], /--count/],
    ['no folder', ['--count', '3'], /--out/],
    ['count 0', ['--count', '0', '--out', 'new'], /^--count 0: must be a whole number from 1 on$/],
    ['half a record', ['--count', '1.5', '--out', 'new'], /^--count 1\.5: must be/],
    ['a count in words', ['--count', 'ten', '--out', 'new'], /^--count ten: must be/],
    [
      'a negative seed',
      ['--count', '1', '--seed=-1', '--out', 'new'],
      /^--seed -1: must be a whole number from 0 on$/,
    ],
    ['an unknown split', ['--count', '1', '--split', 'val', '--out', 'new'], /train, test-id, test-ood/],
    [
      'an unknown template',
      ['--count', '1', '--template', 'why', '--out', 'new'],
      /count, sum, choice, ocr, free, text/,
    ],
    ['an unknown world', ['--count', '1', '--world', 'hearing', '--out', 'new'], /seeing/],
    ['a file in the way', ['--count', '1', '--out', 'file'], /^file: is a file; name a folder/],
    ['a file on the way', ['--count', '1', '--out', 'file/new'], /^file\/new: a part of this path is a file/],
    [
      'records there already',
      ['--count', '1', '--out', 'used'],
      /^used\/records\.jsonl: exists already; choose another/,
    ],
    ['pictures there already', ['--count', '1', '--out', 'shown'], /^shown\/images: exists already/],
  ])('%s', async (_what, args, line) => {
    writeFileSync(join(folder, 'file'), 'mine');
    mkdirSync(join(folder, 'used'), { recursive: true });
    writeFileSync(join(folder, 'used', 'records.jsonl'), 'mine');
    mkdirSync(join(folder, 'shown', 'images'), { recursive: true });
    const { code, stdout, stderr } = await world(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(line);
    expect(existsSync(join(folder, 'new'))).toBe(false);
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('mine');
    expect(readFileSync(join(folder, 'used', 'records.jsonl'), 'utf8')).toBe('mine');
    expect(readdirSync(join(folder, 'shown'))).toEqual(['images']);
  });
});

describe('a disk that takes no more ends with exit code 1, one line, and nothing written', () => {
  // ulimit -f counts kilobytes: a picture has 15, three hundred records have 200.
  it.each([
    ['in the pictures', 8, '30'],
    ['in the records', 64, '300'],
  ])('%s', async (_where, kilobytes, count) => {
    const script = `ulimit -f ${kilobytes}; exec "$0" "$@"`;
    const args = [process.execPath, binary, 'world', '--count', count, '--out', 'full'];
    const { code, stdout, stderr } = await run('bash', ['-c', script, ...args]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.split('\n').at(-2)).toMatch(/^full\/\S+: cannot write: /);
    expect(existsSync(join(folder, 'full'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('full'))).toEqual([]);
  });
});
