/** Rank correlation, AUC and the reliability of a judge, against figures worked out by hand or published. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoadedRecord } from '../../src/data/reader.ts';
import type { Judge } from '../../src/trm/judge.ts';
import { auc, reliability, spearman } from '../../src/trm/reliability.ts';

describe('Spearman’s rank correlation', () => {
  it('is −29/165 for IQ against hours of television (the worked example of its Wikipedia article)', () => {
    const iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110];
    const hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17];
    expect(spearman(iq, hours)).toBeCloseTo(-29 / 165, 12);
  });

  it('gives ties their mean rank: ranks 1, 2½, 2½, 4 against 1, 2, 3, 4 are √0.9', () => {
    // Pearson of the ranks: Σ = 4.5, squares 4.5 and 5
    expect(spearman([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 12);
    // both sides tied: scipy.stats.spearmanr([0, 0, 1, 1], [0, 1, 1, 1]) = 0.5773502691896258
    expect(spearman([0, 0, 1, 1], [0, 1, 1, 1])).toBeCloseTo(1 / Math.sqrt(3), 12);
  });

  it('is null, not a number, where a side is constant or there is nothing', () => {
    expect(spearman([0.5, 0.5, 0.5], [0, 1, 2])).toBeNull();
    expect(spearman([0, 1, 2], [1, 1, 1])).toBeNull();
    expect(spearman([], [])).toBeNull();
    expect(spearman([1], [1])).toBeNull();
  });

  it('lies between −1 and 1 and sees only the order', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
      minLength: 2,
      maxLength: 30,
    });
    fc.assert(
      fc.property(pairs, (rows) => {
        const [a, b] = [rows.map((r) => r[0]), rows.map((r) => r[1])];
        const rho = spearman(a, b);
        if (rho === null) return;
        expect(Math.abs(rho)).toBeLessThanOrEqual(1 + 1e-12);
        expect(
          spearman(
            a.map((x) => x ** 3 + 5),
            b,
          ),
        ).toBeCloseTo(rho, 10);
        expect(
          spearman(
            a.map((x) => -x),
            b,
          ),
        ).toBeCloseTo(-rho, 10);
      }),
    );
  });
});

describe('AUC', () => {
  it('is 0.75 for the example of scikit-learn’s roc_auc_score', () => {
    expect(auc([0.1, 0.4, 0.35, 0.8], [false, false, true, true])).toBe(0.75);
  });

  it('is the share of (positive, negative) pairs in the right order, ties counting half', () => {
    const cases = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.boolean()), { maxLength: 25 });
    fc.assert(
      fc.property(cases, (rows) => {
        const pairs = rows.flatMap(([p, yes]) =>
          yes ? rows.filter(([, other]) => !other).map(([n]) => (p > n ? 1 : p === n ? 0.5 : 0)) : [],
        );
        const got = auc(
          rows.map((r) => r[0]),
          rows.map((r) => r[1]),
        );
        if (pairs.length === 0) expect(got).toBeNull();
        else expect(got).toBeCloseTo(pairs.reduce((a: number, b) => a + b, 0) / pairs.length, 12);
      }),
    );
  });
});

const record: LoadedRecord = {
  problem_id: 1,
  problem: 'what is two and three ?',
  data_type: 'text',
  problem_type: 'numerical',
  options: [],
  process: '',
  solution: '<answer>5</answer>',
  path: null,
  data_source: '',
  picture: null,
  source: 'records.jsonl:1',
};

describe('reliability of a judge', () => {
  // annotated score, the judge's (null: it failed), answer
  const rows: [number, number | null, string][] = [
    [1.0, 0.9, '5'],
    [0.5, 0.7, '4'],
    [0.4, 0.7, '5'],
    [0.0, 0.1, '4'],
    [1.0, null, '5'],
  ];
  const scored = rows.map(([score, , answer]) => ({
    record,
    response: `<think>so</think><answer>${answer}</answer>`,
    score,
  }));
  const judge: Judge = {
    name: 'by hand',
    takes: 'singly',
    dispose: async () => {},
    score: async () => rows.map(([, score]) => ({ score, failure: score === null ? 'no reply' : null })),
  };

  it('counts only what the judge has scored, and measures order, distance, soundness and rightness', async () => {
    expect(await reliability(judge, scored)).toEqual({
      n: 4,
      // ranks of the judge 4, 2½, 2½, 1 against 4, 3, 2, 1
      spearman: expect.closeTo(4.5 / Math.sqrt(4.5 * 5), 12),
      mae: expect.closeTo((0.1 + 0.2 + 0.3 + 0.1) / 4, 12),
      // sound .9 .7 against flawed .7 .1: (1 + 1 + ½ + 1) / 4
      auc_sound: 0.875,
      // right .9 .7 against wrong .7 .1
      auc_right: 0.875,
    });
  });

  it('has no correlation to give where the judge scored nothing', async () => {
    const silent: Judge = { ...judge, score: async () => rows.map(() => ({ score: null, failure: 'gone' })) };
    expect(await reliability(silent, scored)).toEqual({
      n: 0,
      spearman: null,
      mae: null,
      auc_sound: null,
      auc_right: null,
    });
  });
});
