/** A benchmark end to end: published files, a model behind a server, predictions, scores. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { benchmarkNames } from '../../src/eval/benchmarks/benchmark.ts';
import { benchmarkNamed } from '../../src/eval/benchmarks/index.ts';
import { openPublished } from '../../src/eval/published/questions.ts';
import { scored } from '../../src/eval/scoring.ts';
import { endpointJudge } from '../../src/trm/endpoint-judge.ts';
import { EndpointSettings } from '../../src/trm/settings.ts';
import { type JudgeServer, type Plan, startJudgeServer } from '../trm/judge-server.ts';
import { evaluateSample, linesOf, samples } from './model-server.ts';

let folder: string;
let server: JudgeServer;
let out: string;
let made = 0;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-benchmark-'));
  server = await startJudgeServer();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  out = join(folder, `out-${made++}`);
});

/** The first rule whose text stands in the question says what is answered. */
const answering = (...rules: [has: string, ...does: string[]][]): Plan => ({
  rules: rules.map(([has, ...does]) => ({ has, does })),
});
const scoresIn = (dir: string) => JSON.parse(readFileSync(join(dir, 'scores.json'), 'utf8'));
const textsAsked = async () => (await server.log()).map(({ text }) => text);

describe.each(benchmarkNames)('%s', (name) => {
  it('asks every published question, and predictions.jsonl read back gives the same scores', async () => {
    await server.plan(answering(['Is the square', 'Yes'], ['', 'I think so. <answer>B</answer>']));
    await server.forget();
    const { scores, benchmark, questions } = await evaluateSample(name, out, server.url);
    const rows = linesOf(out);
    expect(rows).toHaveLength(questions.list.length);
    expect((await server.log()).length).toBe(rows.length);
    const again = benchmark.score(
      rows.map((row) => benchmark.parse(row, 'row')),
      'official',
    );
    expect(scoresIn(out)).toEqual(JSON.parse(JSON.stringify(scores)));
    expect(scoresIn(out)).toMatchObject(JSON.parse(JSON.stringify(again.summary)));
    expect(rows.map(({ hit }) => hit)).toEqual(again.rows.map(({ hit }) => hit));
    expect(scores).toMatchObject({
      no_response: 0,
      truncated: 0,
      extractor: null,
      variant: benchmark.asking.variants[0],
    });
  });
});

it('pictures and text are shown in the order of the question', async () => {
  await server.plan(answering(['', 'A']));
  await server.forget();
  await evaluateSample('mmmu', out, server.url);
  const [first] = (await server.log()).filter(({ text }) => text.includes('warmer'));
  const content = first.body.messages[0].content as { type: string; image_url?: { url: string } }[];
  expect(content.map(({ type }) => type)).toEqual(['text', 'image_url', 'text', 'image_url', 'text']);
  const [red, blue] = content.flatMap(({ image_url }) => image_url?.url ?? []);
  expect(red).toMatch(/^data:image\/png;base64,/);
  expect(red).not.toBe(blue);
  expect(first.body).toMatchObject({ temperature: 0, max_tokens: 64 });
  expect(first.body.seed).toBeUndefined();
});

it('a system prompt and a template stand around the question', async () => {
  await server.plan(answering(['', 'Yes']));
  await server.forget();
  await evaluateSample('mme', out, server.url, { template: 'Look.\n{problem}\nThink first.' });
  const [{ body }] = await server.log();
  const texts = (body.messages[0].content as { text?: string }[]).map(({ text }) => text);
  expect(texts[0]).toBe('Look.\n');
  expect(texts.at(-1)).toMatch(/Please answer yes or no\.\nThink first\.$/);
});

describe('a question without a response', () => {
  const plan = answering(['yellow?', '400'], ['Is the square', 'Yes']);

  it('ends the evaluation without scores; predictions say why; the same again asks these alone', async () => {
    await server.plan(plan);
    const first = await evaluateSample('mme', out, server.url);
    expect(first.scores).toBeNull();
    expect(first.incomplete).toMatch(
      /^1 of 6 questions have no response \(the server answered 400: no such parameter\)/,
    );
    expect(existsSync(join(out, 'scores.json'))).toBe(false);
    const failed = linesOf(out).filter((row) => !('response' in row));
    expect(failed).toMatchObject([
      { failure: 'the server answered 400: no such parameter', category: 'color' },
    ]);
    await server.plan(answering(['Is the square', 'Yes']));
    await server.forget();
    const { scores } = await evaluateSample('mme', out, server.url);
    expect(await textsAsked()).toEqual([expect.stringContaining('yellow?')]);
    expect(scores).toMatchObject({ n: 6, correct: 3, no_response: 0 });
    const straight = join(folder, 'straight');
    await evaluateSample('mme', straight, server.url);
    for (const file of ['responses.jsonl', 'predictions.jsonl', 'scores.json'])
      expect(readFileSync(join(out, file), 'utf8')).toBe(readFileSync(join(straight, file), 'utf8'));
  });

  it('is wrong where the user says so, and counted', async () => {
    await server.plan(plan);
    const { scores } = await evaluateSample('mme', out, server.url, { failures: 'wrong' });
    expect(scores).toMatchObject({ n: 6, correct: 3, no_response: 1 });
    expect(linesOf(out)[3]).toMatchObject({ failure: expect.any(String), hit: false });
  });

  it.each(benchmarkNames)('is never right by a scorer that guesses: %s', async (name) => {
    const benchmark = await benchmarkNamed(name, 'test');
    const { list } = await openPublished(benchmark, benchmark.asking.variants[0], samples, null);
    const silent = list.map(({ fields }) => ({ ...fields, failure: 'gone' }));
    for (const scorer of ['official', 'vlmevalkit'] as const) {
      const { summary, rows } = scored(benchmark, silent, scorer);
      expect(summary.correct).toBe(0);
      expect(rows.some(({ hit }) => hit)).toBe(false);
    }
  });

  it('leaves nothing behind where there is not one response', async () => {
    await server.plan(answering(['', '400']));
    await expect(evaluateSample('mmstar', out, server.url)).rejects.toThrow(
      /^no answer to 4 questions in a row/,
    );
    expect(existsSync(out)).toBe(false);
  });
});

it('pictures that are broken, however many on end, do not end it', async () => {
  const data = join(folder, 'broken');
  mkdirSync(data, { recursive: true });
  const broken = Array.from({ length: 30 }, (_, i) => [i, 'Which?', 'x', 'y', 'A', 'math', 'A'.repeat(88)]);
  const rows = [...broken, [30, 'Which?', 'x', 'y', 'A', 'math', PIXEL]];
  const head = ['index', 'question', 'A', 'B', 'answer', 'category', 'image'];
  writeFileSync(join(data, 'MMStar.tsv'), [head, ...rows].map((cells) => `${cells.join('\t')}\n`).join(''));
  await server.plan(answering(['', 'A']));
  const { scores } = await evaluateSample('mmstar', out, server.url, { data, failures: 'wrong' });
  expect(scores).toMatchObject({ n: 31, correct: 1, no_response: 30 });
});

describe('a server that goes away', () => {
  it('ends the evaluation; the same again goes on from there and comes to the same file', async () => {
    const data = join(folder, 'many');
    mkdirSync(data, { recursive: true });
    const rows = Array.from({ length: 44 }, (_, i) => [i, `Question ${i} end`, 'x', 'y', 'A', 'math', PIXEL]);
    const head = ['index', 'question', 'A', 'B', 'answer', 'category', 'image'];
    writeFileSync(join(data, 'MMStar.tsv'), [head, ...rows].map((cells) => `${cells.join('\t')}\n`).join(''));
    const late = Array.from({ length: 34 }, (_, i): [string, string] => [`Question ${i + 10} end`, '400']);
    await server.plan(answering(...late, ['', 'A']));
    await expect(evaluateSample('mmstar', out, server.url, { data })).rejects.toThrow(
      /^no answer to 24 questions in a row \(the server answered 400/,
    );
    expect(existsSync(join(out, 'responses.jsonl'))).toBe(false);
    await server.plan(answering(['', 'A']));
    await server.forget();
    const { scores } = await evaluateSample('mmstar', out, server.url, { data });
    const numbers = (await textsAsked()).map((text) => Number(/Question (\d+)/.exec(text)![1]));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 34 }, (_, i) => i + 10));
    expect(scores).toMatchObject({ n: 44, correct: 44 });
    const straight = join(folder, 'many-straight');
    await evaluateSample('mmstar', straight, server.url, { data });
    expect(readFileSync(join(out, 'responses.jsonl'))).toEqual(
      readFileSync(join(straight, 'responses.jsonl')),
    );
  });
});

/** A PNG of one pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

describe('an extractor', () => {
  const extractor = (url: string) => ({
    url,
    model: 'reader',
    concurrency: 2,
    timeoutMs: 5000,
    keyVariable: 'NO_KEY',
    templates: { extract: 'READ {response}' },
    maxTokens: 16,
  });
  const vague = answering(['READ', 'A'], ['', 'it is like blood']);

  it('reads what rules cannot, and its share stands beside the score', async () => {
    await server.plan(vague);
    const { scores } = await evaluateSample('mmstar', out, server.url, { extractor: extractor(server.url) });
    expect(scores).toMatchObject({ n: 4, correct: 1 });
    expect(scores!.extractor).toEqual({
      model: `${server.url} reader`,
      asked: 4,
      decided: 4,
      share: 1,
      undecided: 0,
      failed: 0,
    });
    expect(linesOf(out)[0]).toMatchObject({ response: 'it is like blood', extraction: 'A', hit: true });
  });

  it('is asked once: replies are kept, and responses without it too', async () => {
    await server.plan(vague);
    const without = await evaluateSample('mmstar', out, server.url);
    expect(without.scores).toMatchObject({ correct: 0, extractor: null });
    await server.forget();
    await evaluateSample('mmstar', out, server.url, { extractor: extractor(server.url) });
    expect((await textsAsked()).every((text) => text.startsWith('READ'))).toBe(true);
    await server.forget();
    await evaluateSample('mmstar', out, server.url, { extractor: extractor(server.url) });
    expect(await server.log()).toEqual([]);
  });

  it('that fails is no rule: no scores, unless failures are said to be wrong', async () => {
    await server.plan(answering(['READ', '400'], ['', 'it is like blood']));
    const failing = { extractor: extractor(server.url) };
    const first = await evaluateSample('mmstar', out, server.url, failing);
    expect(first).toMatchObject({
      scores: null,
      incomplete: expect.stringMatching(/^4 responses have no reply of the extractor/),
    });
    const { scores } = await evaluateSample('mmstar', out, server.url, { ...failing, failures: 'wrong' });
    expect(scores).toMatchObject({ correct: 0, extractor: { asked: 4, failed: 4, decided: 0 } });
  });
});

describe('one of several responses', () => {
  const drawn = answering(
    ['Thinking', '0.9'],
    [
      'What colour is the square?',
      'It is A. <answer>A</answer>',
      'no idea',
      'B <answer>B</answer>',
      '<answer>A</answer>',
    ],
  );

  it('the majority of what they say, with what choosing is worth', async () => {
    await server.plan({ rules: [{ has: '', does: ['<answer>A</answer>'] }] });
    const chooser = { judge: null, judgeName: null, choose: 'majority' as const };
    const { scores } = await evaluateSample('mmstar', out, server.url, { samples: 3, chooser });
    expect(scores).toMatchObject({
      n: 4,
      correct: 1,
      best_of: { samples: 3, chosen_by: 'majority', judge: null },
    });
    expect(scores!.best_of!.curve.map(({ n, majority }) => [n, majority])).toEqual([
      [1, 0.25],
      [2, 0.25],
      [3, 0.25],
    ]);
    const [row] = linesOf(out) as { chosen: number; candidates: { response: string }[] }[];
    expect(row.candidates).toHaveLength(3);
    const seeds = (await server.log()).map(({ body }) => body.seed);
    expect(new Set(seeds.slice(-12)).size).toBe(12);
  });

  it('the one that a judge likes best; it is shown question and picture', async () => {
    await server.plan(drawn);
    const judge = await endpointJudge(
      EndpointSettings.parse({
        url: server.url,
        model: 'judge',
        template: 'Thinking of {response} on {problem}',
      }),
    );
    const chooser = { judge, judgeName: 'judge', choose: 'judge' as const };
    await server.forget();
    const { scores } = await evaluateSample('mmstar', out, server.url, { samples: 2, chooser });
    expect(scores!.best_of).toMatchObject({ judge: 'judge', coverage: 1, chosen_by: 'judge' });
    const calls = (await server.log()).filter(({ text }) => text.startsWith('Thinking'));
    expect(calls).toHaveLength(8);
    expect(calls[0].body.messages[0].content).toMatchObject([{ type: 'image_url' }, { type: 'text' }]);
  });
});
