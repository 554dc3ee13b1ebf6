/** Correlations and AUC against published examples and brute force. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auc, kendall, pearson, spearman } from '../../src/trm/rank-statistics.ts';

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

/** What the sums over all pairs say. */
function tauByPairs(a: readonly number[], b: readonly number[]): number | null {
  let [score, freeA, freeB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < i; j++) {
      const [da, db] = [Math.sign(a[i] - a[j]), Math.sign(b[i] - b[j])];
      score += da * db;
      freeA += Math.abs(da);
      freeB += Math.abs(db);
    }
  return freeA * freeB === 0 ? null : score / Math.sqrt(freeA * freeB);
}

describe('Kendall’s τ-b', () => {
  it('is −0.47140452079103173 for the example of scipy.stats.kendalltau', () => {
    expect(kendall([12, 2, 1, 12, 2], [1, 4, 7, 1, 0])).toBeCloseTo(-0.47140452079103173, 14);
  });

  it('is what the sums over all pairs give, ties or not', () => {
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -9, max: 9 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(rows, (pairs) => {
        const [a, b] = [pairs.map((p) => p[0]), pairs.map((p) => p[1])];
        const expected = tauByPairs(a, b);
        if (expected === null) expect(kendall(a, b)).toBeNull();
        else expect(kendall(a, b)).toBeCloseTo(expected, 12);
      }),
    );
  });

  it('is null where a side is constant, and leaves its arguments as they were', () => {
    expect(kendall([1, 1, 1], [1, 2, 3])).toBeNull();
    expect(kendall([], [])).toBeNull();
    const b = [3, 1, 2];
    kendall([1, 2, 3], b);
    expect(b).toEqual([3, 1, 2]);
  });
});

describe('Pearson’s correlation', () => {
  it('is −0.828503883588428 for the example of scipy.stats.pearsonr', () => {
    expect(pearson([1, 2, 3, 4, 5, 6, 7], [10, 9, 2.5, 6, 4, 3, 2])).toBeCloseTo(-0.828503883588428, 14);
  });

  it('is null where a side is constant, also where its mean is rounded', () => {
    expect(pearson([0.1, 0.1, 0.1], [1, 2, 3])).toBeNull();
  });
});
