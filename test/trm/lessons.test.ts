/** What a TRM is taught with, and how its score is read. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Chat, loadChat } from '../../src/data/chat/chat.ts';
import type { LoadedRecord } from '../../src/data/records/reader.ts';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import { InputError } from '../../src/errors.ts';
import {
  checkpointJudge,
  expectedScore,
  scoreLogprobs,
  scoreTokens,
} from '../../src/trm/checkpoint-judge.ts';
import { judgeConfigOf } from '../../src/trm/judge-config.ts';
import { lessonRows, trmLessons } from '../../src/trm/lessons.ts';
import {
  checkJudgeTemplate,
  judgePrompt,
  nearestScore,
  SCORES,
  WORLD_JUDGE_TEMPLATE,
} from '../../src/trm/prompt.ts';
import type { ScoredResponse } from '../../src/trm/rows.ts';
import { qwen } from '../data/folder.ts';
import { openModel, textRecord, untrained } from '../train/small-policy.ts';

let dir: string;
let model: string;
let chat: Chat;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-lessons-'));
  model = await untrained(dir);
  chat = await loadChat(model);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const templates = { template: WORLD_JUDGE_TEMPLATE, question_template: '{problem}' };
const options = () => ({
  chat,
  templates,
  batch: 50,
  order: 'balanced' as const,
  seed: 3,
});
const scored = (count: number, score: number): ScoredResponse[] =>
  Array.from({ length: count }, (_, i) => ({
    record: textRecord(i, 'how many ?'),
    response: '<think> so 1 </think> <answer> 1 </answer>',
    score,
  }));

describe('lessons', () => {
  it('are the question, the response as a finished turn, the judge’s token, and one score token with all the loss', async () => {
    const [lesson] = await trmLessons(lessonRows(scored(1, 0.64)), { ...options(), batch: 1 })(0);
    const [{ tokens }] = lesson.prompt.chunks as [{ tokens: number[] }];
    expect(chat.tokenizer.decode(tokens)).toBe(
      'how many ? <|im_start|> <think> so 1 </think> <answer> 1 </answer> <|im_end|> <judge> <|im_start|>',
    );
    expect(chat.tokenizer.decode(lesson.tokens)).toBe('0.6');
    expect(lesson.weights).toEqual([1]);
  });

  it('draw a score’s rows with weight √count: 900, 100 and 9 rows come as 30 : 10 : 3', async () => {
    const rows = [...scored(900, 0), ...scored(100, 0.5), ...scored(9, 1)];
    const batch = trmLessons(lessonRows(rows), { ...options(), batch: 500 });
    const seen: Record<string, number> = {};
    for (let k = 0; k < 20; k++)
      for (const { tokens } of await batch(k)) {
        const score = chat.tokenizer.decode(tokens);
        seen[score] = (seen[score] ?? 0) + 1;
      }
    expect(Object.keys(seen).sort()).toEqual(['0.0', '0.5', '1.0']);
    const expected = { '0.0': 30 / 43, '0.5': 10 / 43, '1.0': 3 / 43 };
    for (const [score, p] of Object.entries(expected)) {
      const sd = Math.sqrt(10_000 * p * (1 - p));
      expect(Math.abs(seen[score] - 10_000 * p), score).toBeLessThan(4 * sd);
    }
  });

  it('are a function of seed and batch number: again the same, else others', async () => {
    const rows = Array.from({ length: 11 }, (_, i) => scored(3, i / 10)).flat();
    const drawn = async (seed: number, k: number) =>
      (await trmLessons(lessonRows(rows), { ...options(), seed })(k)).map(({ tokens }) => tokens[0]);
    expect(await drawn(3, 5)).toEqual(await drawn(3, 5));
    expect(await drawn(3, 6)).not.toEqual(await drawn(3, 5));
    expect(await drawn(4, 5)).not.toEqual(await drawn(3, 5));
  });
});

describe('scores', () => {
  it('are eleven tenths, and the nearest is taken', () => {
    expect(SCORES).toEqual(['0.0', '0.1', '0.2', '0.3', '0.4', '0.5', '0.6', '0.7', '0.8', '0.9', '1.0']);
    expect([0, 0.04, 0.06, 0.349, 0.5, 0.96, 1].map(nearestScore)).toEqual([
      '0.0',
      '0.0',
      '0.1',
      '0.3',
      '0.5',
      '1.0',
      '1.0',
    ]);
  });

  it('are one token each in the world’s vocabulary, several in others; a model that cannot tell them apart is no judge', async () => {
    const tokens = scoreTokens(chat);
    expect(tokens.map((list) => list.length)).toEqual(SCORES.map(() => 1));
    expect(tokens.map((list) => chat.tokenizer.decode(list))).toEqual(SCORES);
    const other = await loadChat(join(qwen, 'model'));
    expect(scoreTokens(other).map((list) => other.tokenizer.decode(list))).toEqual(SCORES);
    expect(scoreTokens(other)[7].length).toBeGreaterThan(1);
    const blind = { ...chat, tokenizer: { ...chat.tokenizer, encode: () => [1] } };
    expect(() => scoreTokens(blind)).toThrow(InputError);
    expect(() => scoreTokens(blind)).toThrow(
      /^judge: this model's vocabulary cannot tell the scores 0\.0 to 1\.0 apart/,
    );
  });

  it('of several tokens count with the probability of all their tokens', async () => {
    const dir = join(qwen, 'model');
    const other = await loadChat(dir);
    const engine = await createLocalEngine({
      source: { dir },
      trainable: false,
      provider: 'cpu',
      threads: 1,
      tokenBudget: 4096,
    });
    try {
      const template = 'Question: {problem} Response: {response} Score:';
      const record: LoadedRecord = {
        problem_id: 1,
        problem: 'how many?',
        data_type: 'text',
        problem_type: 'numerical',
        options: [],
        process: '',
        solution: '2',
        path: null,
        data_source: '',
        picture: null,
        source: 'rows.jsonl:1',
      };
      const made = await judgePrompt(
        other,
        { template, question_template: '{problem}' },
        record,
        '<think>two</think><answer>2</answer>',
      );
      if ('failure' in made) throw new Error(made.failure);
      const tokens = scoreTokens(other);
      const [read] = await scoreLogprobs(engine, [made.prompt], tokens);
      const whole = await engine.logprobs(tokens.map((completion) => ({ prompt: made.prompt, completion })));
      whole.forEach(({ logprobs }, score) => {
        expect(read[score]).toBeCloseTo(
          logprobs.reduce((a, b) => a + b, 0),
          4,
        );
      });
      // random weights: no judge
      const config = { ...judgeConfigOf(other, '{problem}'), template, reads: 'expected' as const };
      const judge = checkpointJudge({ engine, chat: other, config });
      const [judged] = await judge.score([{ record, response: '<think>two</think><answer>2</answer>' }]);
      expect(judged.score).toBeNull();
      expect(judged.failure).toMatch(/it was not taught to judge$/);
    } finally {
      await engine.dispose();
    }
  });
});

describe('the expected score', () => {
  const certain = (at: number) => SCORES.map((_, i) => (i === at ? 0 : Number.NEGATIVE_INFINITY));

  it('is Σ p(s)·s / Σ p(s) over the score tokens, whatever smaller mass lies elsewhere', () => {
    expect(expectedScore(certain(7))).toEqual({ score: 0.7, failure: null });
    expect(expectedScore(SCORES.map(() => Math.log(1 / 12))).score).toBeCloseTo(0.5, 12);
    const most = SCORES.map((_, i) => (i === 2 ? Math.log(0.6) : i === 10 ? Math.log(0.2) : -1e9));
    expect(expectedScore(most).score).toBeCloseTo((3 * 0.2 + 1 * 1) / 4, 12);
  });

  it('lies between 0 and 1 and does not change with a common factor', () => {
    const logprobs = fc.array(fc.double({ min: -700, max: 0, noNaN: true }), {
      minLength: 11,
      maxLength: 11,
    });
    fc.assert(
      fc.property(logprobs, (lp) => {
        // as a model that gives 9 tenths of its probability to scores
        const mass = Math.log(0.9) - Math.log(lp.reduce((sum, x) => sum + Math.exp(x - Math.max(...lp)), 0));
        const given = (factor: number) => lp.map((x) => x - Math.max(...lp) + mass + Math.log(factor));
        const { score } = expectedScore(given(1));
        expect(score! >= 0 && score! <= 1).toBe(true);
        expect(expectedScore(given(0.7)).score!).toBeCloseTo(score!, 9);
      }),
    );
  });

  it('of a model that hardly gives a score is a failure: it was not taught to judge', () => {
    const faint = SCORES.map(() => Math.log(0.04));
    expect(expectedScore(faint)).toEqual({
      score: null,
      failure: 'the model gave only 44.0 % to the scores; it was not taught to judge',
    });
    expect(expectedScore(SCORES.map(() => Math.log(0.05))).score).toBeCloseTo(0.5, 12);
  });

  it('of a model that gives no finite probabilities is a failure, never a number', () => {
    for (const bad of [Number.NaN, Number.NEGATIVE_INFINITY])
      expect(expectedScore(SCORES.map(() => bad))).toEqual({
        score: null,
        failure: 'the model gave no finite probabilities',
      });
    expect(expectedScore([...certain(3).slice(1), Number.NaN]).score).toBeNull();
  });
});

describe('a checkpoint as a judge', () => {
  it('scores between 0 and 1, in order, also several at once as each alone; fails where it can be shown no prompt', async () => {
    const { engine } = await openModel(model);
    try {
      // some lessons, so that it answers with scores at all
      const lessons = trmLessons(lessonRows([...scored(1, 0.2), ...scored(1, 0.9)]), {
        ...options(),
        batch: 8,
      });
      const adam = {
        learningRate: 3e-3,
        betas: [0.9, 0.98] as [number, number],
        eps: 1e-8,
        weightDecay: 0,
        maxGradNorm: 1,
      };
      for (let k = 0; k < 40; k++) {
        const batch = await lessons(k);
        const sequences = batch.map(({ prompt, tokens }) => ({ prompt, completion: tokens }));
        await engine.backward(
          sequences,
          batch.map(({ weights }) => weights.map((w) => w / batch.length)),
        );
        await engine.step(adam);
      }
      const judge = checkpointJudge({ engine, chat, config: judgeConfigOf(chat, '{problem}') });
      const rows = ['so 1', 'a1 red circle so 1', '<|image_pad|>'].map((think, i) => ({
        record: textRecord(i, 'how many ?'),
        response: `<think> ${think} </think> <answer> 1 </answer>`,
      }));
      const together = await judge.score(rows);
      expect(together[2]).toEqual({ score: null, failure: 'the response holds a picture placeholder' });
      for (const [i, row] of rows.slice(0, 2).entries()) {
        const [alone] = await judge.score([row]);
        expect(alone.score!).toBeCloseTo(together[i].score!, 5);
        expect(alone.score! > 0 && alone.score! < 1).toBe(true);
      }
      expect(together[0].score).not.toBe(together[1].score);
    } finally {
      await engine.dispose();
    }
  });

  it('never sees the solution', () => {
    expect(WORLD_JUDGE_TEMPLATE).not.toContain('solution');
    expect(() => checkJudgeTemplate('{problem} only', 'judge.template')).toThrow(
      'judge.template: must hold {problem} and {response}',
    );
  });
});
