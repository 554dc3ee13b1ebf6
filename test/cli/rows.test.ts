/** `sophia reward` and `sophia trust` from outside: JSON Lines in, JSON Lines out, through the built binary. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenRewards } from '../rewards/golden.ts';
import { goldenGroups } from '../trust/golden.ts';

const binary = fileURLToPath(new URL('../../bin/sophia.js', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-rows-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Result {
  code: number | null;
  stderr: string;
  rows: Record<string, unknown>[];
  lines: string[];
}

function sophia(args: string[], stdin = ''): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [binary, ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('close', (code) => {
      const lines = stdout.split('\n').slice(0, -1);
      resolve({ code, stderr, lines, rows: lines.map((line) => JSON.parse(line)) });
    });
    child.stdin.on('error', () => {}).end(stdin);
  });
}

const jsonl = (rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const group = { step: 0, total_steps: 10, outcome: [1, 0], thinking: [0.2, 0.9] };
const response = { problem_type: 'numerical', response: '<think>a</think><answer>5</answer>', solution: '5' };

describe('sophia reward', () => {
  it('scores the golden rows of a file under both variants, keeping order and every field', async () => {
    const rows = goldenRewards.map((row) => ({
      id: row.id,
      extra: { kept: [row.tag] },
      problem_type: row.type,
      response: row.response,
      solution: row.truth,
    }));
    const file = join(folder, 'responses.jsonl');
    writeFileSync(file, jsonl(rows));
    for (const variant of ['paper', 'reference'] as const) {
      const got = await sophia(['reward', '--in', file, '--variant', variant]);
      expect([got.code, got.stderr]).toEqual([0, '']);
      expect(got.rows).toEqual(
        goldenRewards.map((row, i) => ({
          ...rows[i],
          reward: expect.closeTo(variant === 'paper' ? row.paper_reward : row.reference_train_reward, 12),
          format_ok: variant === 'paper' ? row.paper_format_ok : row.reference_format_ok,
          answer: got.rows[i].answer,
          exact: expect.any(Boolean),
        })),
      );
    }
  });

  it('leaves a row’s own answer alone', async () => {
    const { rows } = await sophia(['reward', '--in', '-'], jsonl([{ ...response, answer: 'mine' }]));
    expect(rows).toEqual([{ ...response, answer: 'mine', reward: 1, format_ok: true, exact: true }]);
  });

  it('reads a number as solution like its text, and prints it as it was', async () => {
    const { rows } = await sophia(
      ['reward', '--in', '-'],
      jsonl([
        { ...response, solution: 5 },
        { ...response, solution: 5.5 },
      ]),
    );
    expect(rows).toEqual([
      { ...response, solution: 5, reward: 1, format_ok: true, answer: '5', exact: true },
      { ...response, solution: 5.5, reward: 0, format_ok: true, answer: '5', exact: false },
    ]);
  });

  it.each([
    [
      'an unknown problem type',
      { ...response, problem_type: 'ocr' },
      /problem_type: must be one of "numerical"/,
    ],
    ['a missing response', { ...response, response: undefined }, /response: missing; add a string/],
    ['a solution that is no text', { ...response, solution: [5] }, /solution: must be a string or a number/],
    [
      'a missing solution',
      { ...response, solution: undefined },
      /solution: missing; add a string or a number/,
    ],
    ['a row that is no object', [response], /must be a JSON object/],
  ])('ends with exit code 2 and one line on %s; rows before it stand', async (_name, bad, message) => {
    const got = await sophia(['reward', '--in', '-'], jsonl([response, bad, response]));
    expect(got.code).toBe(2);
    expect(got.rows).toHaveLength(1);
    expect(got.stderr).toMatch(/^<stdin>:2: [^\n]+\n$/);
    expect(got.stderr).toMatch(message);
  });
});

describe('sophia trust', () => {
  const rows = goldenGroups.map(({ id, step, T, alpha, outcome, thinking }) => ({
    id,
    step,
    total_steps: T,
    alpha,
    outcome,
    thinking,
  }));

  it('gives the paper’s rewards and advantages of the golden groups', async () => {
    const got = await sophia(['trust', '--in', '-'], jsonl(rows));
    expect([got.code, got.stderr]).toEqual([0, '']);
    goldenGroups.forEach((row, i) => {
      const expected = row.paper_missing_imputed ?? row.paper;
      expect(got.rows[i]).toMatchObject({
        ...rows[i],
        gamma: expect.closeTo(expected.gamma, 9),
        reward: expected.final_rewards.map((value) => expect.closeTo(value, 9)),
        advantage: (expected.adv_ddof1_eps1e6 ?? [0]).map((value) => expect.closeTo(value, 6)),
      });
      expect(got.rows[i].mu_c === null).toBe(expected.mu_c === null);
      expect(got.rows[i].mu_w === null).toBe(expected.mu_w === null);
    });
  });

  it('gives the published code’s under --variant reference', async () => {
    const got = await sophia(['trust', '--in', '-', '--variant', 'reference'], jsonl(rows));
    goldenGroups.forEach(({ reference_code: expected }, i) => {
      expect(got.rows[i]).toMatchObject({
        reward: expected.final_rewards.map((value) => expect.closeTo(value, 9)),
        advantage: expected.advantages_verl.map((value) => expect.closeTo(value, 6)),
      });
    });
  });

  it('takes --alpha where a row has none, and a row’s own alpha, 0 too, before it', async () => {
    const input = jsonl([group, { ...group, alpha: 0 }]);
    const { rows: got } = await sophia(
      ['trust', '--in', '-', '--alpha', '1', '--variant', 'trust-grpo'],
      input,
    );
    const gamma = Math.exp(0.2 - 0.9);
    expect(got[0].reward).toEqual([1 + gamma * 0.2, gamma * 0.9].map((value) => expect.closeTo(value, 12)));
    expect(got[1].reward).toEqual([1, 0]);
  });

  it('calls paper what trust-grpo is, and has outcome rewards alone under grpo', async () => {
    const run = (variant: string) => sophia(['trust', '--in', '-', '--variant', variant], jsonl([group]));
    const [paper, trustGrpo, grpo] = await Promise.all(['paper', 'trust-grpo', 'grpo'].map(run));
    expect(paper.lines).toEqual(trustGrpo.lines);
    expect(grpo.rows[0]).toMatchObject({ mu_c: null, mu_w: null, gamma: 1, reward: [1, 0] });
  });

  it('skips blank lines and counts them', async () => {
    const { rows: got, stderr } = await sophia(['trust', '--in', '-'], `\n${jsonl([group])}\n  \n{oops\n`);
    expect(got).toHaveLength(1);
    expect(stderr).toMatch(/^<stdin>:5: /);
  });

  it.each([
    ['a group without responses', { ...group, outcome: [], thinking: [] }, /outcome: the group is empty/],
    ['arrays of two lengths', { ...group, thinking: [1] }, /thinking: its length is not that of outcome/],
    ['a negative step', { ...group, step: -1 }, /step: must be a number that is 0 or more/],
    ['no steps in all', { ...group, total_steps: 0 }, /total_steps: must be a number above 0/],
    ['a missing outcome', { ...group, outcome: undefined }, /outcome: missing/],
    ['thinking that is null as a whole', { ...group, thinking: null }, /thinking: must be an array/],
    ['an outcome that is missing', { ...group, outcome: [1, null] }, /outcome\[1\]: must be a finite number/],
    [
      'a score that is text',
      { ...group, thinking: ['1', 0] },
      /thinking\[0\]: must be a finite number, or null/,
    ],
  ])('ends with exit code 2 and one line on %s; rows before it stand', async (_name, bad, message) => {
    const file = join(folder, 'groups.jsonl');
    writeFileSync(file, jsonl([group, bad, group]));
    const got = await sophia(['trust', '--in', file]);
    expect(got.code).toBe(2);
    expect(got.rows).toHaveLength(1);
    expect(got.stderr.startsWith(`${file}:2: `)).toBe(true);
    expect(got.stderr).toMatch(/^[^\n]+\n$/);
    expect(got.stderr).toMatch(message);
  });

  it('refuses numbers that are not finite', async () => {
    const text = JSON.stringify(group).replace('[1,0]', '[1e999,0]');
    const { code, stderr } = await sophia(['trust', '--in', '-'], text);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^<stdin>:1: outcome\[0\]: must be a finite number/),
    ]);
  });

  it('streams: a row comes out before the next one goes in', async () => {
    const child = spawn(process.execPath, [binary, 'trust', '--in', '-']);
    child.stdin.write(jsonl([group]));
    const first = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(String(data))),
    );
    expect(JSON.parse(first).gamma).toBeCloseTo(Math.exp(-0.7), 12);
    child.stdin.end();
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  });

  it('ends quietly when its reader has gone, by SIGPIPE as other programs do', async () => {
    const child = spawn(process.execPath, [binary, 'trust', '--in', '-']);
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.stdin.on('error', () => {}).end(jsonl(Array.from({ length: 5000 }, () => group)));
    child.stdout.once('data', () => child.stdout.destroy());
    const ended = await new Promise((resolve) =>
      child.on('close', (code, signal) => resolve({ code, signal })),
    );
    expect(ended).toEqual({ code: null, signal: 'SIGPIPE' });
    expect(stderr).toBe('');
  });
});
