/** `sophia trm annotate --by-step` and `--steps` from outside: rows with steps, each with a label of its own. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import { annotatedSchema } from '../../src/trm/rows.ts';
import { keyed } from '../../src/worlds/random.ts';
import { questionRecord, responseText, soundTrace, traceOf } from '../../src/worlds/seeing/index.ts';
import { smallest, sophia } from './sophia.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-by-step-'));
  await writeStartModel(join(folder, 'model'), smallest, 0);
  const facts = { finish: 'stop', format_ok: true, outcome: 1, right: true, policy: 'by hand' };
  const rows = [0, 1, 2].map((index) => {
    const record = questionRecord({ seed: 0, split: 'rl', index, template: 'text' });
    const trace =
      index === 0 ? soundTrace(record.world!) : traceOf(record.world!, 'shortcut', keyed('by-step', index));
    return { ...record, ...facts, response: responseText(trace) };
  });
  rows.push({ ...rows[0], response: '<think> so 1', format_ok: false });
  writeFileSync(join(folder, 'rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const { world: _, ...plain } = rows[0];
  writeFileSync(join(folder, 'plain.jsonl'), `${JSON.stringify(plain)}\n`);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const annotate = (out: string, ...args: string[]) =>
  sophia(folder, 'trm', 'annotate', '--in', 'rows.jsonl', '--out', out, ...args);
const rowsOf = (out: string) =>
  readFileSync(join(folder, out), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => annotatedSchema.parse(JSON.parse(line)));
const stepScores = (out: string) => rowsOf(out).map(({ steps }) => steps?.map(({ score }) => score) ?? null);

describe('sophia trm annotate --by-step', () => {
  it('oracle: verdicts of the statements, and what they come to; a broken format says so', async () => {
    const { code, stdout } = await annotate(
      ...([
        'oracle.jsonl',
        '--by-step',
        'oracle',
        '--steps',
        'statements',
        '--aggregate',
        'min',
        '--json',
      ] as const),
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ read: 4, scored: 3, failed: { 'broken format': 1 } });
    const rows = rowsOf('oracle.jsonl');
    expect(rows.map(({ score }) => score)).toEqual([1, 0, 0, null]);
    expect(rows[0].annotator).toBe('oracle by step');
    for (const { response, steps } of rows.slice(0, 3))
      expect(steps!.map(({ text }) => text).join('')).toBe(response);
    expect(new Set(stepScores('oracle.jsonl')[0])).toEqual(new Set([1]));
    expect(stepScores('oracle.jsonl')[1]).toEqual([0, 0, 1]);
    expect(rows[3].steps).toBeUndefined();
  });

  it('monte-carlo: an untrained policy comes to no answer, so only the last steps can be right; the same again', async () => {
    const flags = [
      '--by-step',
      'monte-carlo',
      '--policy',
      'model',
      '--completions',
      '3',
      '--max-tokens',
      '4',
    ];
    const { code } = await annotate('completed.jsonl', ...flags, '--steps', 'statements');
    expect(code).toBe(0);
    expect(stepScores('completed.jsonl').slice(1)).toEqual([
      [0, 0, expect.any(Number)],
      [0, 0, expect.any(Number)],
      null,
    ]);
    expect(stepScores('completed.jsonl')[0]!.at(-1)).toBe(1);
    expect(rowsOf('completed.jsonl')[0].annotator).toBe('completions of model');
    await annotate('again.jsonl', ...flags, '--steps', 'statements');
    expect(readFileSync(join(folder, 'again.jsonl'))).toEqual(readFileSync(join(folder, 'completed.jsonl')));
  });

  it.each([
    ['nobody who scores', [], /^--judge: missing; name who scores, or use --by-step$/],
    [
      'two who do',
      ['--by-step', 'oracle', '--judge', 'oracle'],
      /^--judge oracle: --by-step oracle needs no/,
    ],
    ['no policy', ['--by-step', 'monte-carlo'], /^--policy: missing; name the model that goes on/],
    [
      'a policy that is not asked',
      ['--by-step', 'oracle', '--policy', 'model'],
      /^--policy: is of --by-step monte-carlo; leave it out$/,
    ],
    [
      'a judge’s flag',
      ['--by-step', 'oracle', '--judge-model', 'big'],
      /^--judge-model: is about a judge; name one with --judge$/,
    ],
    ['another way', ['--by-step', 'guess'], /--by-step.*guess.*oracle, monte-carlo/],
    [
      'records of no world',
      ['--by-step', 'oracle', '--in', 'plain.jsonl'],
      /^plain\.jsonl:1: refused: world: missing; the oracle knows only steps of records/,
    ],
  ])('%s: exit code 2 and one line', async (_what, args, line) => {
    const { code, stdout, stderr } = await annotate('new.jsonl', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(line);
    expect(existsSync(join(folder, 'new.jsonl'))).toBe(false);
  });
});
