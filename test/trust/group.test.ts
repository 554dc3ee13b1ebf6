import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ScalingName, scalings } from '../../src/trust/advantage.ts';
import { trustWeight } from '../../src/trust/gamma.ts';
import { tiedShares, trustGroup } from '../../src/trust/group.ts';
import { imputeThinking } from '../../src/trust/imputation.ts';
import type { VariantName } from '../../src/trust/variants.ts';
import { goldenGroups } from './golden.ts';

const unit = fc.double({ min: 0, max: 1, noNaN: true });
const response = fc.record({ outcome: unit, thinking: fc.option(unit) });
const setting = { step: fc.nat(3000), totalSteps: fc.integer({ min: 1, max: 2000 }) };
const group = fc
  .record({ responses: fc.array(response, { minLength: 1, maxLength: 12 }), alpha: unit, ...setting })
  .map(({ responses, ...rest }) => ({
    ...rest,
    outcome: responses.map(({ outcome }) => outcome),
    thinking: responses.map(({ thinking }) => thinking),
  }));
const near = (got: number[], expected: number[], digits = 6) => {
  expect(got).toHaveLength(expected.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], digits);
  });
};

describe('trust-grpo on golden groups', () => {
  it.each(goldenGroups.filter(({ thinking }) => !thinking.includes(null)))(
    'computes the paper’s γ, R and A for $id',
    (row) => {
      const got = trustGroup({ ...row, totalSteps: row.T });
      expect([got.muC, got.muW]).toEqual([
        row.paper.mu_c === null ? null : expect.closeTo(row.paper.mu_c, 12),
        row.paper.mu_w === null ? null : expect.closeTo(row.paper.mu_w, 12),
      ]);
      expect(got.gamma).toBeCloseTo(row.paper.gamma, 12);
      near(got.reward, row.paper.final_rewards, 12);
      near(got.advantage, row.paper.adv_ddof1_eps1e6 ?? [0]);
    },
  );

  it.each(goldenGroups.filter((row) => row.paper_missing_imputed))(
    'neither rewards nor punishes a missing thinking reward in $id',
    (row) => {
      const expected = row.paper_missing_imputed!;
      const got = trustGroup({ ...row, totalSteps: row.T });
      expect([got.muC === null, got.muW === null]).toEqual([expected.mu_c === null, expected.mu_w === null]);
      expect(got.gamma).toBeCloseTo(expected.gamma, 12);
      near(got.reward, expected.final_rewards, 12);
      near(got.advantage, expected.adv_ddof1_eps1e6!);
    },
  );

  it.each(goldenGroups)('reproduces the published code’s rewards and advantages for $id', (row) => {
    const got = trustGroup({ ...row, totalSteps: row.T, variant: 'reference' });
    const { final_rewards, advantages_verl, discount, early_exit } = row.reference_code;
    near(got.reward, final_rewards, 12);
    near(got.advantage, advantages_verl);
    if (!early_exit) expect(got.gamma * got.alpha * got.anneal).toBeCloseTo(discount, 12);
  });
});

describe('γ', () => {
  it('is 1 where right answers reason at least as well, exp(μc − μw) where they do not', () => {
    expect(trustWeight(0.8, 0.5)).toBe(1);
    expect(trustWeight(0.5, 0.5)).toBe(1);
    expect(trustWeight(0.2, 0.9)).toBeCloseTo(Math.exp(-0.7), 15);
  });

  it('is 1 where a side has no score', () => {
    expect([trustWeight(null, 0.9), trustWeight(0.1, null), trustWeight(null, null)]).toEqual([1, 1, 1]);
  });

  it('lies in (0, 1] and falls as μw − μc grows', () => {
    fc.assert(
      fc.property(unit, unit, unit, unit, (a, b, c, d) => {
        const [less, more] =
          a - b <= c - d ? [trustWeight(a, b), trustWeight(c, d)] : [trustWeight(c, d), trustWeight(a, b)];
        expect(less).toBeGreaterThan(0);
        expect(more).toBeLessThanOrEqual(1);
        expect(less).toBeLessThanOrEqual(more + 1e-15);
      }),
    );
  });
});

describe('imputation', () => {
  it('gives a missing score the mean of its side', () => {
    expect(imputeThinking([1, 1, 1, 0, 0], [0.2, 0.4, null, 0.9, null])).toEqual([
      0.2,
      0.4,
      expect.closeTo(0.3, 12),
      0.9,
      0.9,
    ]);
  });

  it('gives the mean of all scored where the side has none, and nothing where nobody was scored', () => {
    expect(imputeThinking([1, 0, 0], [null, 0.2, 0.4])[0]).toBeCloseTo(0.3, 12);
    expect(imputeThinking([1, 0], [null, null])).toEqual([null, null]);
  });

  it('leaves μ of each side as it was', () => {
    fc.assert(
      fc.property(group, (g) => {
        const before = trustGroup(g);
        const after = trustGroup({ ...g, thinking: imputeThinking(g.outcome, g.thinking) });
        if (before.muC !== null) expect(after.muC).toBeCloseTo(before.muC, 10);
        if (before.muW !== null) expect(after.muW).toBeCloseTo(before.muW, 10);
      }),
    );
  });
});

describe('rewards and advantages', () => {
  const variantNames: VariantName[] = ['trust-grpo', 'grpo', 'reference'];
  const scalingNames = Object.keys(scalings) as ScalingName[];

  it('sum to 0 over a group in every variant and scaling', () => {
    fc.assert(
      fc.property(
        group,
        fc.constantFrom(...variantNames),
        fc.constantFrom(...scalingNames),
        (g, variant, scaling) => {
          fc.pre(g.outcome.length > 1);
          const sum = trustGroup({ ...g, variant, scaling }).advantage.reduce((a, b) => a + b, 0);
          expect(Math.abs(sum)).toBeLessThan(1e-8);
        },
      ),
    );
  });

  it('follow their responses when the group is permuted', () => {
    fc.assert(
      fc.property(group, fc.constantFrom(...variantNames), (g, variant) => {
        const flipped = { ...g, outcome: [...g.outcome].reverse(), thinking: [...g.thinking].reverse() };
        const [a, b] = [trustGroup({ ...g, variant }), trustGroup({ ...flipped, variant })];
        near(b.reward.reverse(), a.reward, 10);
        near(b.advantage.reverse(), a.advantage, 6);
      }),
    );
  });

  it('keep their advantages when all outcome rewards are scaled (up to ε), and scale under no_std', () => {
    const scaled = (scaling: ScalingName, by: number) =>
      trustGroup({
        outcome: [0, 0.1, 0.2, 0.4].map((value) => value * by),
        thinking: [null, null, null, null],
        step: 0,
        totalSteps: 1,
        scaling,
      }).advantage;
    near(scaled('paper', 2), scaled('paper', 1), 4);
    near(
      scaled('no_std', 2),
      scaled('no_std', 1).map((value) => 2 * value),
      12,
    );
  });

  it('are 0 for a group of one', () => {
    expect(trustGroup({ outcome: [1], thinking: [0.7], step: 0, totalSteps: 10 }).advantage).toEqual([0]);
  });

  it('take α as it is given, 0 too, and 0.3 where none is given', () => {
    const base = { outcome: [1, 0], thinking: [0.5, 0.5], step: 0, totalSteps: 10 };
    expect(trustGroup({ ...base, alpha: 0 }).reward).toEqual([1, 0]);
    near(trustGroup(base).reward, [1.15, 0.15], 12);
  });

  it('ignore the thinking rewards under grpo', () => {
    const got = trustGroup({
      outcome: [1, 0],
      thinking: [0.1, 0.9],
      step: 0,
      totalSteps: 10,
      variant: 'grpo',
    });
    expect(got).toMatchObject({ muC: null, muW: null, gamma: 1, reward: [1, 0] });
  });

  it('anneal by exp(−step/T), past T too', () => {
    const at = (step: number) => trustGroup({ outcome: [1], thinking: [1], step, totalSteps: 10 }).anneal;
    near([at(0), at(10), at(30)], [1, Math.exp(-1), Math.exp(-3)], 15);
  });
});

describe('tied groups', () => {
  const tied = { outcome: [1, 1, 1], thinking: [0.2, 0.4, 0.6], step: 1500, totalSteps: 10 };

  it('are named by the side all answers are on', () => {
    const sideOf = (outcome: number[]) =>
      trustGroup({ outcome, thinking: outcome.map(() => null), step: 0, totalSteps: 1 }).tied;
    expect([sideOf([1, 0.5]), sideOf([0, 0.49]), sideOf([1, 0])]).toEqual(['right', 'wrong', null]);
  });

  it('are counted by side', () => {
    expect(tiedShares([{ tied: 'right' }, { tied: 'wrong' }, { tied: null }, { tied: 'right' }])).toEqual({
      tied: 0.75,
      right: 0.5,
      wrong: 0.25,
    });
  });

  it('get thinking differences at unit size in the paper’s form, whatever α is', () => {
    const early = { ...tied, step: 0 };
    near(trustGroup({ ...early, alpha: 0.3 }).advantage, [-1, 0, 1], 3);
    near(trustGroup({ ...early, alpha: 0.01 }).advantage, [-1, 0, 1], 3);
  });

  it('get no thinking reward under skip_tied, which leaves other groups alone', () => {
    expect(trustGroup({ ...tied, scaling: 'skip_tied' }).advantage).toEqual([0, 0, 0]);
    const open = { ...tied, outcome: [1, 0, 1] };
    expect(trustGroup({ ...open, scaling: 'skip_tied' })).toEqual(trustGroup(open));
  });

  it('get thinking differences as small as they are under no_std and std_floor', () => {
    const early = { ...tied, step: 0, alpha: 0.01 };
    near(trustGroup({ ...early, scaling: 'no_std', scale: 0.4 }).advantage, [-0.005, 0, 0.005], 10);
    near(trustGroup({ ...early, scaling: 'std_floor', floor: 0.1 }).advantage, [-0.02, 0, 0.02], 6);
  });
});
