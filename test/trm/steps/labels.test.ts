/** How right the steps of a response are: by the oracle, and by going on from them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Chat } from '../../../src/data/chat/chat.ts';
import type { LoadedRecord } from '../../../src/data/records/reader.ts';
import type { Engine } from '../../../src/engine/types.ts';
import {
  type CompletionLabelOptions,
  stepLabelsByCompletion,
} from '../../../src/trm/steps/completion-labels.ts';
import { BROKEN_FORMAT, stepLabelsByOracle } from '../../../src/trm/steps/oracle-labels.ts';
import { keyed } from '../../../src/worlds/random.ts';
import {
  oracle,
  questionRecord,
  responseText,
  type SeeingWorld,
  STEP_SCORES,
  TRACE_STYLES,
  traceOf,
} from '../../../src/worlds/seeing/index.ts';
import { openModel, teach, textRecord, untrained } from '../../train/small-policy.ts';

const world: SeeingWorld = {
  name: 'seeing',
  template: 'count',
  split: 'rl',
  n: 3,
  cells: ['1', 'empty', '4', 'red circle', 'empty', 'red square', 'H', 'K', 'empty'],
  rule: { kind: 'count', of: 'red' },
  relevant: ['b1', 'b2', 'b3'],
  listed: [],
  answer: '2',
  note: '3',
  note_right: false,
};
const ofWorld: LoadedRecord = { ...textRecord(0, 'how many red in b1 b2 b3 ? note says 3', '2'), world };

describe('labels by the oracle', () => {
  const label = (think: string, answer = '2', split: 'statements' | 'text' = 'statements') => {
    const response = `<think>${think}</think><answer>${answer}</answer>`;
    const [{ steps }] = stepLabelsByOracle([{ record: ofWorld, response }], split);
    expect(steps!.map(({ text }) => text).join('')).toBe(response);
    return steps!.map(({ score }) => score);
  };
  const full = 'b1 red circle b2 empty b3 red square';

  it.each([
    ['a sound trace', `${full} so 2`, '2', [1, 1, 1, 1, 1]],
    ['a misread cell is one mistake', 'b1 red circle b2 K b3 red square so 2', '2', [1, 0, 1, 1, 1]],
    ['true, but of no use', `a1 1 ${full} so 2`, '2', [0.5, 1, 1, 1, 1, 1]],
    ['said again', `b1 red circle ${full} so 2`, '2', [1, 0.5, 1, 1, 1, 1]],
    ['a conclusion from nothing', 'so 2', '2', [0, 1]],
    ['the note is no evidence', 'note says 3 so 3', '3', [0, 0, 1]],
    ['an assertion', 'clearly so 2', '2', [0, 0, 1]],
    ['an answer of its own', `${full} so 2`, '3', [1, 1, 1, 1, 0]],
    ['no thought at all', '', '2', [0]],
  ])('statements: %s', (_what, think, answer, scores) => {
    expect(label(think, answer)).toEqual(scores);
  });

  it('are the verdicts one by one, in every style of every template', () => {
    for (let index = 0; index < 60; index++) {
      const { world } = questionRecord({ seed: 1, split: 'rl', index });
      const response = responseText(traceOf(world!, TRACE_STYLES[index % 3], keyed('labels', index)));
      const record = { ...ofWorld, world };
      const [{ steps }] = stepLabelsByOracle([{ record, response }], 'statements');
      expect(steps!.map(({ score }) => score)).toEqual(
        oracle(world!, response).statements.map(({ verdict }) => STEP_SCORES[verdict]),
      );
    }
  });

  it('a step of several statements has their mean; a part of a statement has the whole statement’s', () => {
    expect(label('b1 red circle b2 K\nclearly so 2\nb3 red\nsquare', '2', 'text')).toEqual([0.5, 0, 1, 1, 1]);
  });

  it('a cell that this grid lacks is part of another step than the oracle’s statement, and judged with it', () => {
    expect(label(`A d4 red ${full} so 2`)).toEqual([0, 1, 1, 1, 1, 1]);
  });

  it('a broken format has none; a record of no world is refused', () => {
    const broken = { record: ofWorld, response: '<think>so 2</think>' };
    expect(stepLabelsByOracle([broken], 'text')).toEqual([{ steps: null, failure: BROKEN_FORMAT }]);
    expect(() =>
      stepLabelsByOracle([{ record: textRecord(4, 'how many ?'), response: 'so 2' }], 'text'),
    ).toThrow(/^records\.jsonl:5: world: missing/);
  });
});

describe('labels by completion', () => {
  const ANSWERS = [
    '<think> red so 1 </think> <answer> 1 </answer> <|im_end|>',
    '<think> blue so 2 </think> <answer> 2 </answer> <|im_end|>',
  ];
  const record = textRecord(7, 'how many circle ?', '1');
  const right = { record, response: '<think> red so 1 </think> <answer> 1 </answer>' };
  const wrong = { record, response: '<think> blue so 2 </think> <answer> 2 </answer>' };
  let dir: string;
  let policy: Engine;
  let chat: Chat;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sophia-labels-'));
    ({ engine: policy, chat } = await openModel(await untrained(dir)));
    await teach(
      policy,
      chat,
      ANSWERS.map((answer) => ({ record, tokens: chat.tokenizer.encode(answer) })),
    );
  }, 60_000);
  afterAll(async () => {
    await policy.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  const options = (more: Partial<CompletionLabelOptions> = {}): CompletionLabelOptions => ({
    policy,
    chat,
    template: '{problem}',
    split: 'statements',
    completions: 8,
    maxTokens: 12,
    temperature: 0.05,
    seed: 0,
    ...more,
  });
  const scores = async (rows: (typeof right)[], more: Partial<CompletionLabelOptions> = {}) =>
    (await stepLabelsByCompletion(rows, options(more))).map(
      ({ steps }) => steps?.map(({ score }) => score) ?? null,
    );

  it('a step that this policy goes on from to the right answer is right, one that leads astray is wrong', async () => {
    expect(await scores([right, wrong])).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });

  it('the last step is as right as the answer, whatever was said before', async () => {
    const lucky = { record, response: '<think> blue </think> <answer> 1 </answer>' };
    expect(await scores([lucky])).toEqual([[0, 1]]);
  });

  it('keep the response letter for letter', async () => {
    const [{ steps }] = await stepLabelsByCompletion([right], options());
    expect(steps!.map(({ text }) => text)).toEqual([
      '<think> red',
      ' so 1',
      ' </think> <answer> 1 </answer>',
    ]);
  });

  it('a continuation that does not end is wrong', async () => {
    // after `red` seven tokens are missing, after `so 1` five
    expect(await scores([right], { maxTokens: 6 })).toEqual([[0, 1, 1]]);
  });

  it('a broken format has none', async () => {
    const broken = { record, response: '<think> red so 1 </think>' };
    const hidden = { record, response: '<think> <|image_pad|> </think> <answer> 1 </answer>' };
    const labels = await stepLabelsByCompletion([broken, hidden], options());
    expect(labels).toEqual(Array(2).fill({ steps: null, failure: BROKEN_FORMAT }));
  });

  it('are multiples of 1/K, drawn by seed, and the same alone, in another order and among many', async () => {
    const hot = { temperature: 3, maxTokens: 9, completions: 40 };
    const others = Array.from({ length: 12 }, (_, i) => ({
      record: textRecord(20 + i, 'how many circle ?', '1'),
      response: right.response,
    }));
    const alone = await scores([right], hot);
    for (const score of alone[0]!) expect(Math.abs(40 * score - Math.round(40 * score))).toBeLessThan(1e-9);
    const [some, ...rest] = await scores([...others, right], hot);
    expect(rest.at(-1)).toEqual(alone[0]);
    expect(new Set([some, ...rest].map(String)).size).toBeGreaterThan(1);
    expect((await scores([right, ...others], hot))[0]).toEqual(alone[0]);
    const seeds = await Promise.all([1, 2, 3].map((seed) => scores([right], { ...hot, seed })));
    expect(new Set(seeds.map(String)).size).toBeGreaterThan(1);
  });

  it('responses that begin alike share the labels of their beginning', async () => {
    const hot = { temperature: 3, maxTokens: 9, completions: 40 };
    const other = { record, response: '<think> red so 2 </think> <answer> 2 </answer>' };
    const [first, second] = await scores([right, other], hot);
    expect(second![0]).toBe(first![0]);
    expect((await scores([other], hot))[0]).toEqual(second);
  });

  it('say how far they are, and stop when asked to', async () => {
    const done: number[] = [];
    await scores([right, wrong], { progress: (n) => done.push(n) });
    expect(done).toEqual([1, 2]);
    await expect(scores([right], { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  });
});
