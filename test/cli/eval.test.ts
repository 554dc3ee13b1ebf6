/** `sophia eval` from outside: a checkpoint on records of a world and on others. */
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
import { Scores } from '../../src/data/run-folder.ts';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import { startJudgeServer } from '../trm/judge-server.ts';
import { adapter, hubModel, smallest, sophia } from './sophia.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-eval-'));
  await writeStartModel(join(folder, 'model'), smallest, 0);
  await sophia(folder, 'world', '--count', '12', '--split', 'test-ood', '--out', 'world');
  const question = { data_type: 'text', problem_type: 'numerical', data_source: 'school' };
  const rows = ['2', '3', '5'].map((n, i) => ({
    ...question,
    problem_id: i,
    problem: `${n} + ${n}`,
    solution: `<answer>${2 * Number(n)}</answer>`,
  }));
  writeFileSync(join(folder, 'sums.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const evaluate = (...args: string[]) =>
  sophia(folder, 'eval', '--model', 'model', '--max-tokens', '8', ...args);
const predictions = (dir: string) =>
  readFileSync(join(folder, dir, 'predictions.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('sophia eval', () => {
  it("judges a world's records by the oracle; scores.json and --json say the same", async () => {
    const { code, stdout } = await evaluate('--data', 'world', '--out', 'scored', '--json');
    expect(code).toBe(0);
    const scores = Scores.parse(JSON.parse(stdout));
    expect(JSON.parse(readFileSync(join(folder, 'scored/scores.json'), 'utf8'))).toEqual(scores);
    expect(scores).toMatchObject({ model: 'model', split: 'test-ood', n: 12, temperature: 0 });
    expect(Object.values(scores.by_source).map(({ n }) => n)).toEqual([2, 2, 2, 2, 2, 2]);
    expect(Object.keys(scores.by_type)).toEqual(['OCR', 'free-form', 'multiple choice', 'numerical']);
    expect(scores.quality).not.toBeNull();
    const rows = predictions('scored');
    expect(rows).toHaveLength(12);
    for (const row of rows) expect(row.oracle.score).toBe(row.format_ok ? expect.any(Number) : 0);
  });

  it('judges other records by exact match alone, with a template of their own', async () => {
    const args = ['--data', 'sums.jsonl', '--out', 'sums', '--template', 'how many ? {problem}', '--json'];
    const scores = Scores.parse(JSON.parse((await evaluate(...args)).stdout));
    expect(scores).toMatchObject({ split: 'sums', n: 3, quality: null, flawed_right: null, by_style: null });
    expect(Object.keys(scores.by_source)).toEqual(['school']);
  });

  it('prints a table by type and by style, and where the files are', async () => {
    const { code, stdout } = await evaluate('--data', 'world');
    expect(code).toBe(0);
    for (const name of ['all', 'seeing/count', 'seeing/text', 'broken'])
      expect(stdout).toMatch(new RegExp(`^${name} +\\d`, 'm'));
    expect(stdout).toMatch(/Predictions and scores: eval\/model-test-ood\n$/);
    const again = await evaluate('--data', 'world', '--limit', '1');
    expect(again.stdout).toMatch(/Predictions and scores: eval\/model-test-ood-2\n$/);
    expect(predictions('eval/model-test-ood')).toHaveLength(12);
    expect(predictions('eval/model-test-ood-2')).toHaveLength(1);
  });

  it('chooses a file of a folder by its split', async () => {
    mkdirSync(join(folder, 'data'), { recursive: true });
    writeFileSync(join(folder, 'data/sums.jsonl'), readFileSync(join(folder, 'sums.jsonl')));
    const { stdout } = await evaluate('--data', 'data', '--split', 'sums', '--out', 'by-split', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ split: 'sums', n: 3 });
  });

  it('draws by seed where the temperature is not 0', async () => {
    const responses = async (out: string, seed: string) => {
      await evaluate('--data', 'world', '--temperature', '1', '--seed', seed, '--out', out);
      return predictions(out).map(({ response }) => response);
    };
    const first = await responses('seed-1', '1');
    expect(await responses('seed-1-again', '1')).toEqual(first);
    expect(await responses('seed-2', '2')).not.toEqual(first);
  });

  it('asks a model from a hub', async () => {
    const { code, stdout } = await sophia(
      folder,
      ...['eval', '--model', hubModel, '--data', 'sums.jsonl', '--max-tokens', '4', '--out', 'hub', '--json'],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ n: 3, broken_format: 1, truncated: 1, accuracy: 0 });
  });
});

it('an adapter is scored as it is merged into its base, and named', async () => {
  const beside = ['--model', hubModel, '--adapter', adapter];
  await sophia(folder, 'export', ...beside, '--out', 'merged');
  const scored = (out: string, ...model: string[]) =>
    sophia(
      folder,
      ...['eval', ...model, '--data', 'sums.jsonl', '--max-tokens', '8', '--out', out, '--json'],
    );
  const [adapted] = await Promise.all([
    scored('beside', ...beside),
    scored('in-one', '--model', 'merged'),
    scored('bare', '--model', hubModel),
  ]);
  expect(JSON.parse(adapted.stdout).model).toBe(`${hubModel} + ${adapter}`);
  expect(predictions('beside')).toEqual(predictions('in-one'));
  expect(predictions('beside')).not.toEqual(predictions('bare'));
});

describe('sophia eval --model URL on records', () => {
  const atServer = (url: string, ...args: string[]) =>
    sophia(folder, 'eval', '--model', url, '--model-name', 'm', '--data', 'sums.jsonl', ...args);
  const right = ['2', '3', '5'].map((n) => ({
    has: `${n} + ${n}`,
    does: [`<think>easy</think><answer>${n === '5' ? 11 : 2 * Number(n)}</answer>`],
  }));

  it('scores by the outcome rules, and asks for the format where it is told to', async () => {
    const server = await startJudgeServer({ rules: right });
    try {
      const args = ['--out', 'server', '--format', 'think', '--json'];
      const { code, stdout } = await atServer(server.url, ...args);
      expect(code).toBe(0);
      const scores = Scores.parse(JSON.parse(stdout));
      expect(scores).toMatchObject({ model: `${server.url} m`, n: 3, broken_format: 0, no_response: 0 });
      expect(scores.accuracy).toBeCloseTo(2 / 3);
      expect(predictions('server').map((row) => row.right)).toEqual([true, true, false]);
      const calls = await server.log();
      for (const { text } of calls) expect(text).toMatch(/between <think> and <\/think>/);
      const again = await atServer(server.url, ...args);
      expect(again.stdout).toBe(stdout);
      expect(await server.log()).toHaveLength(calls.length);
    } finally {
      await server.stop();
    }
  });

  it('does not score questions without a response, and asks them again', async () => {
    const [, ...others] = right;
    const server = await startJudgeServer({ rules: [{ has: '2 + 2', does: ['400'] }, ...others] });
    try {
      const failed = await atServer(server.url, '--out', 'silent');
      expect(failed).toMatchObject({ code: 1, stdout: '' });
      expect(failed.stderr.trimEnd().split('\n').at(-1)).toMatch(
        /^sums\.jsonl: 1 of 3 questions have no response \(the server answered 400.*--failures wrong/,
      );
      expect(existsSync(join(folder, 'silent/scores.json'))).toBe(false);
      expect(predictions('silent')[0]).toMatchObject({ failure: expect.any(String) });
      expect(predictions('silent')[0].response).toBeUndefined();
      const wrong = await atServer(server.url, '--out', 'silent', '--failures', 'wrong', '--json');
      expect(JSON.parse(wrong.stdout)).toMatchObject({ n: 3, no_response: 1 });
      const other = await atServer(server.url, '--out', 'silent', '--max-tokens', '7');
      expect(other.code).toBe(2);
      expect(other.stderr).toMatch(/^silent: was begun with another max_tokens \(512 then, 7 now\)/);
    } finally {
      await server.stop();
    }
  });
});

describe('sophia eval --best-of', () => {
  const bestOf = (...args: string[]) => evaluate('--data', 'world', '--best-of', '4', ...args);

  it('draws N responses at temperature 1, keeps them all, and measures the one that the judge chose', async () => {
    const { code, stdout } = await bestOf('--judge', 'oracle', '--out', 'best', '--json');
    expect(code).toBe(0);
    const scores = Scores.parse(JSON.parse(stdout));
    expect(JSON.parse(readFileSync(join(folder, 'best/scores.json'), 'utf8'))).toEqual(scores);
    expect(scores).toMatchObject({ n: 12, temperature: 1 });
    const { curve, ...rest } = scores.best_of!;
    // an untrained model hardly ever gives an answer, and what breaks the format is shown to nobody
    expect(rest).toMatchObject({ samples: 4, chosen_by: 'judge', judge: 'oracle' });
    expect(curve.map(({ n }) => n)).toEqual([1, 2, 4]);
    expect(curve[2].judge).toBe(scores.accuracy);
    for (const { chosen, candidates, response } of predictions('best')) {
      expect(candidates).toHaveLength(4);
      expect(candidates[chosen].response).toBe(response);
      expect(Object.keys(candidates[0]).sort()).toEqual(
        ['answer', 'failure', 'finish', 'format_ok', 'response', 'right', 'score'].sort(),
      );
    }
    await evaluate('--data', 'world', '--temperature', '1', '--out', 'single');
    expect(predictions('single').map(({ response }) => response)).toEqual(
      predictions('best').map(({ candidates }) => candidates[0].response),
    );
  });

  it('prints what choosing among 1, 2, 4 … responses comes to', async () => {
    const { stdout } = await bestOf('--vote', 'majority', '--out', 'voted');
    expect(stdout).toMatch(/^responses +majority +right$/m);
    for (const n of [1, 2, 4]) expect(stdout).toMatch(new RegExp(`^${n} +\\d\\.\\d\\d +\\d\\.\\d\\d$`, 'm'));
    expect(stdout).toMatch(/^Of 4 responses the majority chose one\.$/m);
  });

  it('names a server that judges without what may be secret in its address', async () => {
    const server = await startJudgeServer();
    try {
      const { stdout } = await bestOf('--judge', `${server.url}?key=hunter2`, '--out', 'by-server', '--json');
      expect(JSON.parse(stdout).best_of.judge).toBe(server.url);
    } finally {
      await server.stop();
    }
  });

  it('names a judge that is asked by steps', async () => {
    const { code, stdout } = await bestOf(
      ...['--judge', 'model', '--steps', 'statements', '--aggregate', 'min', '--vote', 'majority'],
      ...['--limit', '2', '--out', 'stepwise', '--json'],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout).best_of).toMatchObject({
      judge: 'model, steps: statements, min',
      chosen_by: 'majority',
    });
  });
});

describe('wrong input ends with exit code 2, one line, and nothing written', () => {
  it.each([
    ['no data', [], /^--data: missing; name a file of records, or a benchmark with --benchmark$/],
    ['no such file', ['--data', 'no.jsonl'], /^no\.jsonl: cannot read: no such file$/],
    [
      'no records in a folder',
      ['--data', 'model'],
      /^model: is a folder without shards \(\*\.parquet, \*\.jsonl\); name the file of records/,
    ],
    ['several files in a folder', ['--data', 'many'], /^many: holds no records\.jsonl; choose .*: id, ood$/],
    [
      'records of another split',
      ['--data', 'world', '--split', 'test-id'],
      /^--split test-id: world\/records\.jsonl holds only test-ood$/,
    ],
    ['a cut line', ['--data', 'cut.jsonl'], /^cut\.jsonl:1: not valid JSON/],
    ['a template without the question', ['--data', 'world', '--template', 'hi'], /^--template: must hold/],
    ['a used folder', ['--data', 'world', '--out', 'used'], /^--out used: is used already; name another/],
    ['no questions', ['--data', 'world', '--limit', '0'], /^--limit 0: must be a whole number from 1 on$/],
    ['nobody who chooses', ['--data', 'world', '--best-of', '4'], /^--best-of 4: who chooses\? Add --judge/],
    [
      'nothing to choose from',
      ['--data', 'world', '--best-of', '4', '--vote', 'majority', '--temperature', '0'],
      /^--temperature 0: greedy responses are all the same/,
    ],
    [
      'a judge without a choice',
      ['--data', 'world', '--judge', 'oracle'],
      /^--judge oracle: chooses among several responses; say how many with --best-of$/,
    ],
    [
      'flags of a judge without one',
      ['--data', 'world', '--best-of', '4', '--vote', 'majority', '--steps', 'text'],
      /^--steps: is about a judge; name one with --judge$/,
    ],
    [
      'the oracle by steps',
      ['--data', 'world', '--best-of', '4', '--judge', 'oracle', '--steps', 'text'],
      /^--steps: the oracle judges a response as a whole; leave it out$/,
    ],
    [
      'no responses',
      ['--data', 'sums.jsonl', '--best-of', '0', '--judge', 'oracle'],
      /^--best-of 0: must be a whole number from 1 on$/,
    ],
    [
      'no server',
      ['--data', 'world', '--model', 'ftp://localhost'],
      /^--model: must be the address of a server/,
    ],
    [
      'flags of a server',
      ['--data', 'world', '--concurrency', '2'],
      /^--concurrency: is about a server, and --model model is none$/,
    ],
    ['flags of benchmarks', ['--data', 'world', '--scorer', 'official'], /^--scorer: is about benchmarks/],
    [
      'two ways to write a question',
      ['--data', 'world', '--template', '{problem}', '--format', 'think'],
      /^--format: --template says already/,
    ],
  ])('%s', async (_what, args, line) => {
    mkdirSync(join(folder, 'many'), { recursive: true });
    for (const name of ['id', 'ood']) writeFileSync(join(folder, `many/${name}.jsonl`), '');
    writeFileSync(join(folder, 'cut.jsonl'), '{"problem_id": 1,');
    mkdirSync(join(folder, 'used'), { recursive: true });
    writeFileSync(join(folder, 'used/mine'), '');
    const { code, stdout, stderr } = await evaluate('--out', 'new', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(line);
    expect(existsSync(join(folder, 'new'))).toBe(false);
    expect(readdirSync(join(folder, 'used'))).toEqual(['mine']);
  });

  it('a checkpoint that lacks a tensor', async () => {
    mkdirSync(join(folder, 'lame'), { recursive: true });
    for (const name of readdirSync(join(folder, 'model')))
      if (name !== 'model.safetensors')
        writeFileSync(join(folder, 'lame', name), readFileSync(join(folder, 'model', name)));
    const { code, stderr } = await evaluate('--data', 'world', '--model', 'lame', '--out', 'new');
    expect(code).toBe(2);
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^lame\/model\.safetensors: /);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });
});
