/** `sophia score` from outside: files of predictions in, scores and rows out, through the built binary. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenFile, goldenJson } from '../eval/benchmarks/golden.ts';
import { type Outcome, sophia } from './sophia.ts';

const binary = fileURLToPath(new URL('../../bin/sophia.js', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-score-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const score = (...args: string[]): Promise<Outcome> => sophia(folder, 'score', ...args);

function piped(
  text: string,
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [binary, 'score', ...args, '--predictions', '-'], { cwd: folder });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      stdout += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece) => {
      stderr += piece;
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.on('error', () => {}).end(text);
  });
}

function written(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

const jsonl = (rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const rowsOf = (name: string): Record<string, unknown>[] =>
  readFileSync(join(folder, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const row = {
  pid: '1',
  question_type: 'free_form',
  answer_type: 'integer',
  choices: null,
  precision: null,
  answer: '5',
  response: '5',
  extra: [1],
};

describe('a published result file', () => {
  it('of MathVista, by pid: its totals as JSON and its rows with hits', async () => {
    const { scores, right } = goldenJson('mathvista_scores.json');
    const { code, stdout, stderr } = await score(
      ...['--benchmark', 'mathvista', '--predictions', goldenFile('mathvista_results.json')],
      ...['--out', 'rows.jsonl', '--json'],
    );
    expect([code, stderr]).toEqual([0, '']);
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({
      benchmark: 'mathvista',
      scorer: 'official',
      n: 1000,
      correct: scores.average.correct,
      accuracy: scores.average.accuracy,
      decided_by: { rules: 0, extractor: 1000, none: 0 },
    });
    expect(summary.per_category.skills['logical reasoning'].correct).toBe(
      scores.skills['logical reasoning'].correct,
    );
    const rows = rowsOf('rows.jsonl');
    expect(rows.filter(({ hit }) => hit).map(({ pid }) => pid)).toEqual(right);
    expect(rows[0]).toMatchObject(goldenJson('mathvista_results.json')['1']);
  });

  it('of MMMU, an array, from standard input', async () => {
    const { official } = goldenJson('mmmu_scores.json');
    const { code, stdout } = await piped(
      readFileSync(goldenFile('mmmu_outputs.json'), 'utf8'),
      ...['--benchmark', 'MMMU', '--json'],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      n: 900,
      correct: official.right.length,
      random_fallback: official.random.length,
    });
  });
});

it('a table for people where no JSON is asked for', async () => {
  const { code, stdout } = await score(
    '--benchmark',
    'mmmu',
    '--predictions',
    goldenFile('mmmu_outputs.json'),
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/^MMMU, scorer official: 393 of 900 right, accuracy 43\.67 %\n/);
  expect(stdout).toMatch(/\nrandom fallback: 259\n/);
  expect(stdout).toMatch(/Art and Design +120 +55 +45\.83 %/);
  expect(stdout).toMatch(/Mechanical_Engineering +30 /);
});

describe('rows', () => {
  it('that are bad are named, and the rows of an earlier run stand', async () => {
    written('kept.jsonl', 'kept\n');
    const bad: [name: string, text: string, message: string][] = [
      ['bad.jsonl', jsonl([row, { ...row, answer: undefined }]), 'bad.jsonl:2: answer: is missing'],
      ['none.json', '[]', 'none.json: holds no rows'],
    ];
    const outcomes = await Promise.all(
      bad.map(async ([name, text, message]) => {
        const found = await score(
          ...[
            '--benchmark',
            'mathvista',
            '--predictions',
            written(name, text),
            '--out',
            'kept.jsonl',
            '--json',
          ],
        );
        return { message, code: found.code, stdout: found.stdout, stderr: found.stderr };
      }),
    );
    for (const { message, code, stdout, stderr } of outcomes) {
      expect([code, stdout, stderr.startsWith(message), stderr.split('\n').length]).toEqual([2, '', true, 2]);
      expect(stderr.slice(0, message.length)).toBe(message);
    }
    expect(readFileSync(join(folder, 'kept.jsonl'), 'utf8')).toBe('kept\n');
  });
});

it('a command line that does not fit is refused in one line', async () => {
  const [unknown, absent] = await Promise.all([
    score('--benchmark', 'mathvist', '--predictions', 'x.jsonl'),
    score('--benchmark', 'mathvista', '--predictions', 'absent.jsonl', '--out', 'never.jsonl'),
  ]);
  expect(unknown).toMatchObject({ code: 2, stdout: '' });
  expect(unknown.stderr).toMatch(/^--benchmark mathvist: no such benchmark; there are mathvista, .*\n$/);
  expect([absent.code, absent.stderr]).toEqual([2, 'absent.jsonl: cannot read: no such file\n']);
  expect(existsSync(join(folder, 'never.jsonl'))).toBe(false);
});

it.each([
  ['tsv', '\t'],
  ['csv', ','],
])('reads a table of VLMEvalKit, .%s', async (extension, delimiter) => {
  const cells = [
    ['index', 'question', 'A', 'B', 'answer', 'category', 'prediction'],
    ['0', 'q', 'one', 'two', 'B', 'math', 'B'],
    ['1', 'q', 'one', 'two', 'A', 'math', 'B'],
  ];
  const file = written(`table.${extension}`, cells.map((row) => `${row.join(delimiter)}\n`).join(''));
  const { code, stdout } = await score('--benchmark', 'mmstar', '--predictions', file, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ n: 2, correct: 1 });
});

it.each([
  ['mme', { category: 'OCR', image_path: '1', answer: 'Yes', prediction: 'yes' }],
  ['chartqa', { answer: '1', prediction: '1' }],
  ['mmstar', { index: 1, category: 'c', A: '1', B: '2', answer: 'A', prediction: 'A' }],
  ['mmbench', { index: 1, question: 'q', A: '1', B: '2', answer: 'A', prediction: 'A' }],
])('takes VLMEvalKit’s `prediction` for a response: %s', async (benchmark, predicted) => {
  const { code, stdout } = await piped(JSON.stringify(predicted), '--benchmark', benchmark, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ n: 1, correct: 1 });
});

it.each([
  ['chartqa', { answer: '', response: null }],
  ['mmstar', { index: 1, category: 'c', question: 'Q Options: A: , B: b', answer: 'A', response: null }],
])('a response of null is never right: %s', async (benchmark, unsaid) => {
  const { code, stdout } = await piped(JSON.stringify(unsaid), '--benchmark', benchmark, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ n: 1, correct: 0, decided_by: { none: 1 } });
});

it('reads what `eval --failures wrong` writes: a row with a failure in place of a response is wrong', async () => {
  const mmstar = { category: 'c', A: '1', B: '2', answer: 'A' };
  const file = written(
    'failed.jsonl',
    jsonl([
      { ...mmstar, index: 1, response: 'A' },
      { ...mmstar, index: 2, failure: 'gone' },
    ]),
  );
  const { code, stdout } = await score('--benchmark', 'mmstar', '--predictions', file, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ n: 2, correct: 1 });
});
