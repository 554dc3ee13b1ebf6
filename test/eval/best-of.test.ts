/** Best of N: which response is chosen, what fewer responses would have come to, and a model that is really asked. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Chat } from '../../src/data/chat/chat.ts';
import type { Records } from '../../src/data/records/reader.ts';
import { BestOf } from '../../src/data/run-folder.ts';
import type { Engine } from '../../src/engine/types.ts';
import { type BestOfOptions, bestOf, predictBest } from '../../src/eval/best-of.ts';
import { scoresOf } from '../../src/eval/measures.ts';
import { predict } from '../../src/eval/predict.ts';
import {
  type Choice,
  curve,
  curveSizes,
  judgedAt,
  majority,
  passAt,
  ranked,
  votedAt,
} from '../../src/eval/selection.ts';
import { failed, type Judge } from '../../src/trm/judge.ts';
import { openModel, teach, textRecord, untrained } from '../train/small-policy.ts';

const RIGHT = '5';
const choice = (answer: string | null, score: number | null = null): Choice => ({
  answer,
  right: answer === RIGHT,
  score: answer === null ? null : score,
});
/** Any group of responses: some right, some wrong in several ways, some broken; some without a score, many ties. */
const choices = (most: number) =>
  fc.array(
    fc
      .tuple(fc.constantFrom('5', '5', '3', '4', 'A', null), fc.constantFrom(0, 0.2, 0.2, 0.9, 1, null))
      .map(([answer, score]) => choice(answer, score)),
    { minLength: 1, maxLength: most },
  );

function subsets<T>(items: readonly T[], n: number): T[][] {
  if (n === 0) return [[]];
  return items.flatMap((item, i) => subsets(items.slice(i + 1), n - 1).map((rest) => [item, ...rest]));
}
function orders<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => orders(items.filter((_, k) => k !== i)).map((rest) => [item, ...rest]));
}
const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe('the judge’s choice', () => {
  it('is the best score; unscored ones come after all scored, broken ones last; the first where they tie', () => {
    expect(ranked([choice('3', 0.2), choice('5', 0.9), choice('4', 0.9)])[0]).toBe(1);
    expect(ranked([choice(null), choice('3'), choice('5', 0), choice('4', 0)])).toEqual([2, 3, 1, 0]);
    expect(ranked([choice(null), choice('3'), choice('4')])[0]).toBe(1);
    expect(ranked([choice(null), choice(null)])[0]).toBe(0);
  });
});

describe('the majority’s choice', () => {
  it('is the first response with the most frequent answer; the answer that came first where they tie', () => {
    expect(majority([choice('3'), choice('5'), choice('4'), choice('5')])).toBe(1);
    expect(majority([choice('3'), choice('5'), choice('5'), choice('3')])).toBe(0);
  });

  it('counts no broken format; where there is nothing else it is the first response', () => {
    expect(majority([choice(null), choice(null), choice('5')])).toBe(2);
    expect(majority([choice(null), choice(null)])).toBe(0);
  });
});

describe('with fewer responses', () => {
  it('n is 1, 2, 4 … and N', () => {
    expect([1, 2, 3, 8, 9].map(curveSizes)).toEqual([[1], [1, 2], [1, 2, 3], [1, 2, 4, 8], [1, 2, 4, 8, 9]]);
  });

  it('pass@n and the judge’s choice are means over all subsets', () => {
    fc.assert(
      fc.property(choices(8), fc.nat(), (group, pick) => {
        const n = 1 + (pick % group.length);
        const parts = subsets(group, n);
        expect(passAt(group, n)).toBeCloseTo(
          average(parts.map((part) => Number(part.some(({ right }) => right)))),
          10,
        );
        expect(judgedAt(group, n)).toBeCloseTo(
          average(parts.map((part) => Number(part[ranked(part)[0]].right))),
          10,
        );
      }),
    );
  });

  it('the majority’s choice is the mean over all subsets in every order', () => {
    fc.assert(
      fc.property(choices(6), fc.nat(), (group, pick) => {
        const n = 1 + (pick % Math.min(4, group.length));
        const parts = subsets(group, n).flatMap(orders);
        expect(votedAt(group, n)).toBeCloseTo(
          average(parts.map((part) => Number(part[majority(part)].right))),
          10,
        );
      }),
    );
  });

  it('counts votes by what is said, also where several answers are right, or one in some of its responses only', () => {
    const spoken = fc.record({
      answer: fc.constantFrom('b', '(b)', 'c', 'd', null),
      right: fc.boolean(),
      score: fc.constant(null),
    });
    fc.assert(
      fc.property(fc.array(spoken, { minLength: 1, maxLength: 6 }), fc.nat(), (some, pick) => {
        const group = some.map((one) => ({ ...one, right: one.right && one.answer !== null }));
        const n = 1 + (pick % Math.min(4, group.length));
        const parts = subsets(group, n).flatMap(orders);
        expect(votedAt(group, n)).toBeCloseTo(
          average(parts.map((part) => Number(part[majority(part)].right))),
          10,
        );
      }),
    );
  });

  it('one response is right as often as they are on average, whoever chooses; N are the choices themselves', () => {
    fc.assert(
      fc.property(choices(40), (group) => {
        const points = curve(group, true);
        const mean = average(group.map(({ right }) => Number(right)));
        if (group.length > 1)
          for (const share of [points[0].pass, points[0].judge!, points[0].majority])
            expect(share).toBeCloseTo(mean, 10);
        const { judge, majority: voted, pass } = points[points.length - 1];
        expect(judge).toBeCloseTo(Number(group[ranked(group)[0]].right), 10);
        expect(voted).toBe(Number(group[majority(group)].right));
        expect(pass).toBe(Number(group.some(({ right }) => right)));
      }),
    );
  });

  it('pass@n never falls with n, and nobody’s choice is above it', () => {
    fc.assert(
      fc.property(choices(64), (group) => {
        let before = 0;
        for (const { pass, judge, majority } of curve(group, true)) {
          expect(pass).toBeGreaterThanOrEqual(before - 1e-12);
          expect(Math.max(judge!, majority)).toBeLessThanOrEqual(pass + 1e-9);
          before = pass;
        }
      }),
    );
  });

  it('a judge that knows the answers reaches pass@n, one that scores all alike no more than one response does', () => {
    fc.assert(
      fc.property(choices(20), (group) => {
        const knowing = group.map((one) => ({
          ...one,
          score: one.answer === null ? null : Number(one.right),
        }));
        for (const { pass, judge } of curve(knowing, true)) expect(judge).toBeCloseTo(pass, 10);
      }),
    );
    const alike = ['5', '3', '3', '5'].map((answer) => choice(answer, 0.5));
    expect([1, 2].map((n) => judgedAt(alike, n))).toEqual([0.5, 0.5]);
  });

  it('is finite with 256 responses of many answers', () => {
    const group = Array.from({ length: 256 }, (_, i) => choice(i % 5 === 0 ? '5' : String(10 + (i % 60))));
    const points = curve(group, false);
    expect(points.map(({ majority }) => Number.isFinite(majority))).toEqual(points.map(() => true));
    expect(points[7].majority).toBeGreaterThan(points[1].majority);
    expect(points[7].judge).toBeNull();
  });
});

describe('a model asked N times', () => {
  const taught: [question: string, answers: string[]][] = [
    ['how many circle ?', ['1', '1', '2']],
    ['how many square ?', ['2', '3', '3']],
    ['read a1 ?', ['4', '2', '3']],
  ];
  const records = taught.map(([problem, [answer]], i) => textRecord(i, problem, answer));
  const file: Records = { length: records.length, source: 'q.jsonl', get: async (i) => records[i] };
  let dir: string;
  let engine: Engine;
  let chat: Chat;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sophia-best-of-'));
    ({ engine, chat } = await openModel(await untrained(dir)));
    const text = (answer: string) => `<think> so ${answer} </think> <answer> ${answer} </answer> <|im_end|>`;
    await teach(
      engine,
      chat,
      taught.flatMap(([, answers], i) =>
        answers.map((answer) => ({ record: records[i], tokens: chat.tokenizer.encode(text(answer)) })),
      ),
    );
  }, 60_000);
  afterAll(async () => {
    await engine.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  const knowing: Judge = {
    name: 'by hand',
    takes: 'together',
    dispose: async () => {},
    score: async (responses) =>
      responses.map(({ record, response }) => {
        const { solution } = record as (typeof records)[number];
        return {
          score: response.endsWith(solution.replace(/<(\/?)answer>/g, ' <$1answer> ').trim()) ? 1 : 0.5,
          failure: null,
        };
      }),
  };
  const options = (more: Partial<BestOfOptions> = {}): BestOfOptions => ({
    engine,
    chat,
    template: '{problem}',
    maxTokens: 12,
    temperature: 1.2,
    seed: 0,
    samples: 8,
    judge: knowing,
    judgeName: 'by hand',
    choose: 'judge',
    ...more,
  });

  it('with N = 1 predicts what sampling predicts', async () => {
    const { samples: _, judge: _j, judgeName: _n, choose: _c, ...plain } = options();
    const best = await predictBest(file, options({ samples: 1 }));
    expect(best.map(({ chosen, candidates, ...prediction }) => prediction)).toEqual(
      await predict(file, plain),
    );
    expect(best.map(({ chosen }) => chosen)).toEqual([0, 0, 0]);
  });

  it('measures the chosen responses, keeps all, and says what the choice was worth', async () => {
    const predictions = await predictBest(file, options());
    for (const { chosen, candidates, response, right } of predictions) {
      expect(candidates).toHaveLength(8);
      expect(candidates[chosen].response).toBe(response);
      expect(right).toBe(candidates.some((candidate) => candidate.right));
    }
    const found = BestOf.parse(bestOf(predictions, options()));
    expect(found).toMatchObject({ samples: 8, chosen_by: 'judge', judge: 'by hand', coverage: 1 });
    expect(found.curve.map(({ n }) => n)).toEqual([1, 2, 4, 8]);
    expect(found.curve[3].judge).toBe(scoresOf(predictions, 'm', 's', 1).accuracy);
    expect(found.curve[3].judge).toBe(found.curve[3].pass);
    const all = predictions.flatMap(({ candidates }) => candidates.map(({ right }) => Number(right)));
    expect(found.curve[0].judge).toBeCloseTo(average(all), 10);
    expect(found.curve[0].judge!).toBeLessThan(found.curve[3].judge!);
  });

  it('more responses are those of before and others: the first n stay the same', async () => {
    const texts = async (samples: number) =>
      (await predictBest(file, options({ samples }))).map(({ candidates }) =>
        candidates.map(({ response }) => response),
      );
    const eight = await texts(8);
    expect(await texts(3)).toEqual(eight.map((list) => list.slice(0, 3)));
  });

  it('a question’s responses do not depend on how many are asked at once', async () => {
    const many: Records = { ...file, length: 9, get: async (i) => records[i % 3] };
    const together = await predictBest(many, options({ samples: 40 }));
    const last: Records = { ...file, length: 9, get: async (i) => records[i === 8 ? 2 : 0] };
    const other = await predictBest(last, options({ samples: 40 }));
    expect(other[8]).toEqual(together[8]);
  });

  it('a broken format is not shown to the judge; what the judge cannot score costs coverage', async () => {
    const shown: string[] = [];
    const moody: Judge = {
      ...knowing,
      score: async (responses) =>
        responses.map(({ response }, i) => {
          shown.push(response);
          return i % 2 ? failed('gone') : { score: 0.5, failure: null };
        }),
    };
    const asking = options({ judge: moody, temperature: 2.5, samples: 16 });
    const predictions = await predictBest(file, asking);
    const candidates = predictions.flatMap((p) => p.candidates);
    const whole = candidates.filter(({ format_ok }) => format_ok);
    expect(whole.length).toBeLessThan(candidates.length);
    expect(shown).toEqual(whole.map(({ response }) => response));
    const failures = whole.filter(({ failure }) => failure === 'gone').length;
    expect(bestOf(predictions, asking).coverage).toBeCloseTo(1 - failures / whole.length, 12);
  });

  it('the majority chooses without a judge', async () => {
    const asking = options({ judge: null, judgeName: null, choose: 'majority' });
    const predictions = await predictBest(file, asking);
    const found = BestOf.parse(bestOf(predictions, asking));
    expect(found).toMatchObject({ chosen_by: 'majority', judge: null, coverage: null });
    expect(found.curve.map(({ judge }) => judge)).toEqual([null, null, null, null]);
    expect(found.curve[3].majority).toBe(scoresOf(predictions, 'm', 's', 1).accuracy);
  });
});
