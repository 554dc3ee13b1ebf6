/** The bench's figures against brute force and figures worked out by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agreement, calibration, calibrationError, type Scored } from '../../../src/trm/bench/agreement.ts';
import { coverageOf } from '../../../src/trm/bench/ask.ts';
import { attackedBy, type Change, changed } from '../../../src/trm/bench/changes.ts';
import { estimates } from '../../../src/trm/bench/estimate.ts';
import { rankings } from '../../../src/trm/bench/ranking.ts';
import type { Questions } from '../../../src/trm/bench/rows.ts';
import { textRow } from './bench-data.ts';

const resampling = { seed: 0, resamples: 200 };

/** A scored response: known quality, judged score, right or not. */
function scored(
  known: number,
  judged: number,
  right = true,
  type: 'numerical' | 'OCR' = 'numerical',
): Scored {
  const row = textRow('', { problem_type: type, data_source: type === 'OCR' ? 'signs' : '' }, known);
  return { ...row, right, judged };
}

describe('an estimate', () => {
  it('has the value on all questions and an interval around it that the seed decides', () => {
    const questions = Array.from({ length: 40 }, (_, i) => [i % 10]);
    const mean = (sample: Questions<number>) => sample.flat().reduce((a, b) => a + b, 0) / sample.length;
    const { figure } = estimates(questions, { figure: mean }, resampling);
    expect(figure.value).toBe(4.5);
    // the standard error of the mean of 40 is √(8.25 / 40) = 0.454
    expect(figure.low).toBeGreaterThan(4.5 - 3 * 0.454);
    expect(figure.low).toBeLessThan(4.5 - 0.454);
    expect(figure.high).toBeGreaterThan(4.5 + 0.454);
    expect(figure.high).toBeLessThan(4.5 + 3 * 0.454);
    expect(estimates(questions, { figure: mean }, resampling).figure).toEqual(figure);
    expect(estimates(questions, { figure: mean }, { ...resampling, seed: 1 }).figure).not.toEqual(figure);
  });

  it('resamples questions, not responses: copies of a question’s responses make it no narrower', () => {
    const values = Array.from({ length: 20 }, (_, i) => i);
    const mean = (sample: Questions<number>) => {
      const all = sample.flat();
      return all.reduce((a, b) => a + b, 0) / all.length;
    };
    const width = (copies: number) => {
      const { figure } = estimates(
        values.map((value) => Array<number>(copies).fill(value)),
        { figure: mean },
        resampling,
      );
      return figure.high! - figure.low!;
    };
    expect(width(50)).toBeCloseTo(width(1), 12);
  });

  it('has no interval of a single question, and no value where the statistic has none', () => {
    const none = estimates([[1]], { one: () => 1, nothing: () => null }, resampling);
    expect(none.one).toEqual({ value: 1, low: null, high: null });
    expect(none.nothing).toEqual({ value: null, low: null, high: null });
  });
});

describe('calibration', () => {
  it('puts judged scores into tenths, 0.3 into the fourth and 1 into the last', () => {
    const rows = [0, 0.05, 0.3, 0.7, 0.99, 1].map((judged) => ({ judged, known: 0.5 }));
    expect(calibration(rows).map(({ n }) => n)).toEqual([2, 0, 0, 1, 0, 0, 0, 1, 0, 2]);
  });

  it('errs by the mean over responses of how far a bin’s means are apart', () => {
    const rows = [
      { judged: 0.1, known: 0.2 },
      { judged: 0.1, known: 0.4 },
      { judged: 0.9, known: 0.9 },
      { judged: 0.9, known: 0.7 },
    ];
    // (2 · |0.1 − 0.3| + 2 · |0.9 − 0.8|) / 4
    expect(calibrationError(calibration(rows))).toBeCloseTo(0.15, 12);
    expect(calibrationError(calibration([]))).toBeNull();
  });
});

describe('agreement', () => {
  it('of a judge that is a tenth too kind: error and bias 0.1, correlations 1', () => {
    const questions = [0.1, 0.3, 0.5, 0.8].map((known) => [scored(known, known + 0.1)]);
    const of = agreement(questions, resampling);
    for (const figure of ['spearman', 'kendall', 'pearson'] as const)
      expect(of[figure].value).toBeCloseTo(1, 12);
    expect(of.mae.value).toBeCloseTo(0.1, 12);
    expect(of.bias.value).toBeCloseTo(0.1, 12);
    expect(of.n).toBe(4);
  });

  it('is null, not a number, where nothing was scored', () => {
    const of = agreement([], resampling);
    expect(of).toMatchObject({ n: 0, spearman: { value: null }, mae: { value: null } });
  });
});

describe('ranking', () => {
  const row = fc.record({
    known: fc.constantFrom(0.2, 0.4, 0.5, 1),
    judged: fc.constantFrom(0, 0.25, 0.5, 1),
    right: fc.boolean(),
  });
  const asked = fc.array(fc.array(row, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });

  /** Over all pairs of rows that satisfy `pair`, the share with the first above; ties half. */
  function byPairs(
    questions: Scored[][],
    pair: (better: Scored, worse: Scored) => boolean,
    sameQuestion: boolean,
  ): { value: number | null; pairs: number } {
    const rows = questions.flatMap((some, question) => some.map((each) => ({ each, question })));
    const points = rows.flatMap((a) =>
      rows.flatMap((b) =>
        pair(a.each, b.each) && (!sameQuestion || a.question === b.question)
          ? [a.each.judged > b.each.judged ? 1 : a.each.judged === b.each.judged ? 0.5 : 0]
          : [],
      ),
    );
    return {
      value: points.length === 0 ? null : points.reduce((a: number, b) => a + b, 0) / points.length,
      pairs: points.length,
    };
  }

  it('counts exactly the pairs that it says it compares', () => {
    const sound = (one: Scored) => one.known >= 0.5;
    const pairs = {
      sound_above_flawed: (a: Scored, b: Scored) => a.right === b.right && sound(a) && !sound(b),
      right_above_wrong: (a: Scored, b: Scored) => a.right && !b.right,
      right_above_wrong_at_equal_soundness: (a: Scored, b: Scored) =>
        a.right && !b.right && sound(a) === sound(b),
    };
    fc.assert(
      fc.property(asked, (drawn) => {
        const questions = drawn.map((some) =>
          some.map(({ known, judged, right }) => scored(known, judged, right)),
        );
        const { all } = rankings(questions, { seed: 0, resamples: 0 });
        for (const name of Object.keys(pairs) as (keyof typeof pairs)[])
          for (const [key, same] of [
            ['overall', false],
            ['same_question', true],
          ] as const) {
            const expected = byPairs(questions, pairs[name], same);
            expect(all[name][key].pairs).toBe(expected.pairs);
            if (expected.value === null) expect(all[name][key].value).toBeNull();
            else expect(all[name][key].value).toBeCloseTo(expected.value, 12);
          }
      }),
    );
  });

  it('is also told by problem type and by domain, with how many responses there are', () => {
    const questions = [
      [scored(1, 0.9), scored(0.2, 0.1)],
      [scored(1, 0.2, true, 'OCR'), scored(0.2, 0.3, true, 'OCR'), scored(0.2, 0.3, true, 'OCR')],
    ];
    const { by_type, by_domain } = rankings(questions, resampling);
    expect(by_type.numerical).toMatchObject({
      n: 2,
      sound_above_flawed: { overall: { value: 1, pairs: 1 } },
    });
    expect(by_type.OCR).toMatchObject({ n: 3, sound_above_flawed: { overall: { value: 0, pairs: 2 } } });
    expect(Object.keys(by_domain)).toEqual(['none named', 'signs']);
  });
});

describe('changes', () => {
  const row = textRow('');
  const change = (before: number | null, after: number | null, oracle: number | null = null): Change => ({
    row,
    before,
    after,
    oracle: oracle === null ? null : { before: 1, after: 1 + oracle },
    format_kept: true,
  });

  it('are of pairs that were both scored; others cost coverage and count for nothing', () => {
    const of = changed([[change(0.8, 0.4)], [change(0.8, null)], [change(null, 0.1)]], resampling);
    expect(of).toMatchObject({ n: 3, coverage: 1 / 3, oracle: null });
    expect(of.change.value).toBeCloseTo(-0.4, 12);
    expect(of.fell.value).toBe(1);
  });

  it('below a thousandth are none, and count half as fallen', () => {
    const of = changed([[change(0.8, 0.7999)], [change(0.8, 0.7)]], resampling);
    expect(of.fell.value).toBe(0.75);
  });

  it('stand beside those of the oracle', () => {
    const of = changed([[change(0.8, 0.8, -0.5)], [change(0.8, 0.8, 0)]], resampling);
    expect(of.oracle).toEqual({ n: 2, change: -0.25, fell: 0.75 });
  });

  it('by an attack: the largest, and the share that went from below 0.5 to 0.5 or more', () => {
    const of = attackedBy(
      [[change(0.2, 0.5)], [change(0.6, 0.9)], [change(0.1, 0.4)], [change(0.4, 0.45)]],
      resampling,
    );
    expect(of.largest).toBeCloseTo(0.3, 12);
    expect(of.pushed_over).toBe(0.25);
    expect(attackedBy([], resampling)).toMatchObject({ n: 0, largest: null, pushed_over: null });
  });
});

describe('coverage', () => {
  it('counts failures by reason, whatever the judge said and measured', () => {
    const failed = (failure: string) => ({ score: null, failure });
    expect(
      coverageOf([
        { score: 0.5, failure: null },
        failed('not a score from 0 to 1: "good"'),
        failed('not a score from 0 to 1: "I say \\"9\\""'),
        failed('only 12.3 % to the scores'),
      ]),
    ).toEqual({
      asked: 4,
      scored: 1,
      coverage: 0.25,
      failures: { 'not a score from 0 to 1: "…"': 2, 'only … % to the scores': 1 },
    });
  });
});
