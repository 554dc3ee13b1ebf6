/** `sophia trm bench` from outside: its folder, its table, its JSON. */
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
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BenchResult } from '../../src/trm/bench/bench.ts';
import { keyed } from '../../src/worlds/random.ts';
import { oracle, parseWorld, responseText, TRACE_STYLES, traceOf } from '../../src/worlds/seeing/index.ts';
import { startJudgeServer } from '../trm/judge-server.ts';
import { sophia } from './sophia.ts';

let folder: string;
const jsonl = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-bench-'));
  await sophia(folder, 'world', '--count', '8', '--split', 'test-id', '--out', 'world');
  const records = readFileSync(join(folder, 'world/records.jsonl'), 'utf8').trimEnd().split('\n');
  const rows = records.flatMap((line) => {
    const record = JSON.parse(line);
    const world = parseWorld(record);
    return TRACE_STYLES.map((style) => {
      const response = responseText(traceOf(world, style, keyed('rows', record.problem_id)));
      return { ...record, response, score: oracle(world, response).score };
    });
  });
  const broken = { ...rows[0], response: '<think> so 1' };
  const { score: _, ...unknown } = rows[1];
  writeFileSync(join(folder, 'world/held-out.jsonl'), jsonl([...rows, broken, unknown]));
  writeFileSync(join(folder, 'world/no-response.jsonl'), `${records[0]}\n`);
  writeFileSync(join(folder, 'world/unknown.jsonl'), jsonl([unknown]));
  const { world: _world, ...worldless } = rows[0];
  writeFileSync(join(folder, 'world/worldless.jsonl'), jsonl([worldless]));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const bench = (...args: string[]) =>
  sophia(folder, 'trm', 'bench', '--judge', 'oracle', '--in', 'world/held-out.jsonl', ...args);

describe('sophia trm bench', () => {
  it('with --json prints the one document that bench.json holds, beside a report', async () => {
    const { code, stdout } = await bench('--out', 'a', '--json');
    expect(code).toBe(0);
    const result: BenchResult = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(join(folder, 'a/bench.json'), 'utf8'))).toEqual(result);
    expect(readdirSync(join(folder, 'a')).sort()).toEqual(['bench.json', 'report.html']);
    expect(readFileSync(join(folder, 'a/report.html'), 'utf8')).toMatch(/^<!doctype html>/);
    expect(result).toMatchObject({ judge: 'oracle', file: 'world/held-out.jsonl', seed: 0, run: null });
    expect(result.data).toMatchObject({
      read: 26,
      used: 24,
      questions: 8,
      sound: 8,
      left_out: { unknown: 1, broken_format: 1, limit: 0 },
    });
    expect(result.agreement.spearman.value).toBeCloseTo(1, 4);
    const picture = result.gaming.find(({ name }) => name === 'picture')!;
    expect(picture.flawed.n).toBeGreaterThan(0);
    expect(picture.flawed.change.value).toBe(0);
  });

  it('names a server without what may be secret in its address', async () => {
    const server = await startJudgeServer();
    try {
      const address = `${server.url}?key=hunter2`;
      const { code, stdout, stderr } = await bench(
        '--judge',
        address,
        '--probes',
        '1',
        '--out',
        's',
        '--json',
      );
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout).judge).toBe(server.url);
      for (const file of ['bench.json', 'report.html'])
        expect(readFileSync(join(folder, 's', file), 'utf8')).not.toContain('hunter2');
    } finally {
      await server.stop();
    }
  });

  it('gives the same document again for the same seed', async () => {
    const once = await bench('--out', 'b', '--json', '--seed', '5');
    const again = await bench('--out', 'c', '--json', '--seed', '5');
    expect(once.stdout).toBe(again.stdout);
    expect(readFileSync(join(folder, 'b/report.html'))).toEqual(readFileSync(join(folder, 'c/report.html')));
  });

  it('prints tables no wider than 100 columns, and names the report', async () => {
    const { stdout } = await bench();
    for (const name of ['Spearman', 'answer_swapped', 'flattery', 'world_made_up'])
      expect(stdout).toMatch(new RegExp(`^${name} +\\S`, 'm'));
    for (const line of stdout.split('\n')) expect([...line].length).toBeLessThanOrEqual(100);
    expect(stdout).toContain('24 responses to 8 questions, 8 sound');
    expect(stdout).toMatch(/Report: bench\/held-out\/report\.html\n$/);
    expect((await bench('--limit', '5', '--probes', '1')).stdout).toMatch(
      /bench\/held-out-2\/report\.html\n$/,
    );
  });

  it('draws whole questions up to --limit, and changes no more than --probes', async () => {
    const { stdout } = await bench('--out', 'd', '--json', '--limit', '7', '--probes', '1');
    const { data, coverage }: BenchResult = JSON.parse(stdout);
    expect(data).toMatchObject({ used: 7, questions: 3, left_out: { limit: 17 } });
    expect(data.probed).toEqual({ sound: 1, flawed: 1 });
    expect(coverage.asked).toBe(7);
  });
});

describe('wrong input ends with exit code 2, one line, and nothing written', () => {
  it.each([
    ['no such file', ['--in', 'no.jsonl'], /^no\.jsonl: cannot read: no such file$/],
    [
      'rows without a response',
      ['--in', 'world/no-response.jsonl'],
      /:1: response: is missing; the bench needs/,
    ],
    [
      'rows of unknown quality only',
      ['--in', 'world/unknown.jsonl'],
      /^world\/unknown\.jsonl: holds no response to measure on: 1 without a score, 0 of broken format$/,
    ],
    ['records the oracle cannot judge', ['--in', 'world/worldless.jsonl'], /:1: world: missing; the oracle/],
    ['a used folder', ['--out', 'used'], /^--out used: is used already; /],
    ['a run without rollouts', ['--run', 'used'], /^--run used: holds no rollouts; /],
    ['a limit of none', ['--limit', '0'], /^--limit 0: must be a whole number from 1 on$/],
    ['no such judge', ['--judge', 'nowhere'], /^nowhere/],
  ])('%s', async (_what, args, line) => {
    mkdirSync(join(folder, 'used'), { recursive: true });
    writeFileSync(join(folder, 'used/mine'), '');
    const { code, stdout, stderr } = await bench('--out', 'new', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(line);
    expect(existsSync(join(folder, 'new'))).toBe(false);
    expect(readdirSync(join(folder, 'used'))).toEqual(['mine']);
  });
});
