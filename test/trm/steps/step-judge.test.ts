/** A judge asked about every step of a response, and what becomes of its scores. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadChat } from '../../../src/data/chat/chat.ts';
import { failed, type Judge, type JudgedResponse } from '../../../src/trm/judge.ts';
import { judgeConfigJson, judgeConfigOf } from '../../../src/trm/judge-config.ts';
import { openJudge } from '../../../src/trm/open-judge.ts';
import type { ScoredResponse } from '../../../src/trm/rows.ts';
import { EndpointSettings, FolderSettings, type Steps } from '../../../src/trm/settings.ts';
import { prefixRows } from '../../../src/trm/steps/lessons.ts';
import { aggregate, prefixes, scoreSteps, stepJudge } from '../../../src/trm/steps/step-judge.ts';
import { textRecord, untrained } from '../../train/small-policy.ts';
import { startJudgeServer } from '../judge-server.ts';

const row = (response: string) => ({ record: textRecord(0, 'how many ?'), response });
const three = row('<think>b1 red circle so 1</think><answer>1</answer>');
const two = row('<think>so 1</think><answer>1</answer>');
const statements = (aggregate: Steps['aggregate']): Steps => ({ split: 'statements', aggregate });

/** Scores the shorter text the higher, and remembers what it was shown; fails where told to. */
function byLength(fails: (text: string) => boolean = () => false) {
  const seen: JudgedResponse[][] = [];
  const judge: Judge = {
    name: 'by hand',
    takes: 'together',
    dispose: async () => {},
    async score(responses) {
      seen.push(responses);
      return responses.map(({ response }) =>
        fails(response) ? failed('gone') : { score: 10 / (10 + response.length), failure: null },
      );
    },
  };
  return { judge, seen };
}
const lengthScore = (text: string) => 10 / (10 + text.length);

describe('a step judge', () => {
  it('asks at once about every prefix of every response, and aggregates', async () => {
    const { judge, seen } = byLength();
    const [first, second] = await stepJudge(judge, statements('min')).score([three, two]);
    expect(seen.map((asked) => asked.map(({ response }) => response))).toEqual([
      [
        '<think>b1 red circle',
        '<think>b1 red circle so 1',
        '<think>b1 red circle so 1</think><answer>1</answer>',
        '<think>so 1',
        '<think>so 1</think><answer>1</answer>',
      ],
    ]);
    expect(seen[0].map(({ record }) => record)).toEqual(Array(5).fill(three.record));
    expect(first).toMatchObject({ score: lengthScore(three.response), failure: null });
    expect(second).toMatchObject({ score: lengthScore(two.response), failure: null });
  });

  it('gives the single steps’ scores too', async () => {
    const [{ steps, failure }] = await scoreSteps(byLength().judge, 'statements', [three]);
    expect(failure).toBeNull();
    expect(steps!.map(({ text }) => text)).toEqual([
      '<think>b1 red circle',
      ' so 1',
      '</think><answer>1</answer>',
    ]);
    const texts = prefixes(steps!.map(({ text }) => text));
    expect(steps!.map(({ score }) => score)).toEqual(texts.map(lengthScore));
  });

  it('one step that fails fails its response, with the reason, and no other response', async () => {
    const { judge } = byLength((text) => text.endsWith('circle so 1'));
    expect(await stepJudge(judge, statements('mean')).score([three, two])).toEqual([
      { score: null, failure: 'step 2 of 3: gone' },
      { score: expect.any(Number), failure: null, steps: expect.any(Array) },
    ]);
  });

  it('is handed responses as its judge is, and hands on the deadline and the end', async () => {
    const told: unknown[] = [];
    const judge: Judge = {
      name: 'by hand',
      takes: 'singly',
      dispose: async () => {
        told.push('disposed');
      },
      score: async (responses, deadline) => {
        told.push(deadline);
        return responses.map(() => failed(String(deadline?.reason)));
      },
    };
    const deadline = AbortSignal.abort('too late');
    const steps = stepJudge(judge, statements('mean'));
    expect(steps.takes).toBe('singly');
    expect(await steps.score([two], deadline)).toEqual([{ score: null, failure: 'step 1 of 2: too late' }]);
    await steps.dispose();
    expect(told).toEqual([deadline, 'disposed']);
  });

  it('asked about nothing says nothing', async () => {
    expect(await stepJudge(byLength().judge, statements('mean')).score([])).toEqual([]);
  });
});

describe('the score of the steps', () => {
  const scores = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 });

  it('is their mean, their least, or their product', () => {
    expect(aggregate([0.5, 1, 0.3], 'mean')).toBeCloseTo(0.6, 12);
    expect(aggregate([0.5, 1, 0.3], 'min')).toBe(0.3);
    expect(aggregate([0.5, 1, 0.3], 'product')).toBeCloseTo(0.15, 12);
  });

  it('is within 0 … 1, product ≤ min ≤ mean, and does not fall when a step gets better', () => {
    fc.assert(
      fc.property(scores, fc.nat(), (list, at) => {
        const [product, min, mean] = (['product', 'min', 'mean'] as const).map((how) => aggregate(list, how));
        expect(product >= 0 && product <= min && min <= mean + 1e-12 && mean <= 1).toBe(true);
        const better = list.map((score, i) => (i === at % list.length ? (1 + score) / 2 : score));
        for (const how of ['product', 'min', 'mean'] as const)
          expect(aggregate(better, how)).toBeGreaterThanOrEqual(aggregate(list, how));
      }),
    );
  });
});

describe('lessons of steps', () => {
  const steps = [
    { text: '<think>b1 red circle', score: 1 },
    { text: ' so 1', score: 0.5 },
    { text: '</think><answer>1</answer>', score: 0 },
  ];

  it('are the prefixes, each with its step’s score', () => {
    expect(prefixRows({ ...three, steps })).toEqual<ScoredResponse[]>([
      { record: three.record, response: '<think>b1 red circle', score: 1 },
      { record: three.record, response: '<think>b1 red circle so 1', score: 0.5 },
      { record: three.record, response: three.response, score: 0 },
    ]);
  });

  it('refuse steps that are of another response', () => {
    expect(() => prefixRows({ ...two, steps })).toThrow(
      'records.jsonl:1: steps: their texts do not make up the response; annotate this row anew',
    );
  });
});

it('a folder’s judge asks by steps where its judge.json or the settings say so', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sophia-steps-'));
  try {
    const model = await untrained(dir);
    const config = judgeConfigOf(await loadChat(model), '{problem}');
    const computing = { provider: 'cpu', threads: 1, tokenBudget: 2048 } as const;
    const failure = async (settings: object) => {
      const judge = await openJudge(FolderSettings.parse({ model, ...settings }), computing);
      const [{ failure }] = await judge.score([three]);
      await judge.dispose();
      return failure;
    };
    expect(await failure({})).toMatch(/^the model gave only/);
    expect(await failure({ steps: { split: 'text' } })).toMatch(/^step 1 of 2: the model gave only/);
    await writeFile(join(model, 'judge.json'), judgeConfigJson({ ...config, steps: statements('mean') }));
    expect(await failure({})).toMatch(/^step 1 of 3: the model gave only/);
    expect(await failure({ steps: { split: 'text' } })).toMatch(/^step 1 of 2: the model gave only/);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it('a server is asked about every prefix; one that it gives no score fails its response alone', async () => {
  const server = await startJudgeServer({
    rules: [
      { has: 'b1 red circle so 1</think>', does: ['0.2'] },
      { has: 'b1 red circle so 1', does: ['0.6'] },
      { has: 'b1 red circle', does: ['1.0'] },
      { has: 'so 1</think>', does: ['words'] },
      { has: 'so 1', does: ['0.5'] },
    ],
  });
  try {
    const steps = { split: 'statements', aggregate: 'mean' };
    const settings = EndpointSettings.parse({ url: server.url, template: '{problem} {response}', steps });
    const judge = await openJudge(settings, { provider: 'cpu', threads: 1, tokenBudget: 1 });
    const [sound, failing] = await judge.score([three, two]);
    expect(sound.steps!.map(({ score }) => score)).toEqual([1, 0.6, 0.2]);
    expect(sound.score).toBeCloseTo(0.6, 12);
    expect(failing).toEqual({ score: null, failure: expect.stringMatching(/^step 2 of 2: /) });
    await judge.dispose();
  } finally {
    await server.stop();
  }
});
