/** The learning rate of a step: linear warm-up times a constant or a cosine. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learningRate, type OptimizerSettings, stepOptions } from '../../src/train/optimizer.ts';

const settings = (over: Partial<OptimizerSettings> = {}): OptimizerSettings => ({
  learning_rate: 0.002,
  warmup: 0,
  schedule: 'constant',
  final: 0.05,
  betas: [0.9, 0.98],
  eps: 1e-8,
  weight_decay: 0.01,
  max_grad_norm: 1,
  ...over,
});

describe('learning rate', () => {
  it('rises linearly over the warm-up: a quarter at step 1 of 4, all of it from step 4', () => {
    const rates = [1, 2, 3, 4, 5, 100].map((step) => learningRate(settings({ warmup: 4 }), step, 100));
    expect(rates).toEqual([0.0005, 0.001, 0.0015, 0.002, 0.002, 0.002]);
  });

  it('is all of it from the first step without a warm-up', () => {
    expect(learningRate(settings(), 1, 10)).toBe(0.002);
  });

  it('falls along half a cosine: ½(1 + cos(π·step/total)), half-way through at half', () => {
    const cosine = settings({ schedule: 'cosine', final: 0 });
    expect(learningRate(cosine, 50, 100)).toBeCloseTo(0.001, 12);
    expect(learningRate(cosine, 25, 100)).toBeCloseTo(0.002 * (0.5 + Math.SQRT1_2 / 2), 12);
    expect(learningRate(cosine, 100, 100)).toBeCloseTo(0, 12);
  });

  it('is left at `final` of it by the cosine, also beyond the last step', () => {
    const cosine = settings({ schedule: 'cosine' });
    for (const step of [95, 100, 140]) expect(learningRate(cosine, step, 100)).toBeCloseTo(0.0001, 12);
  });

  it('never exceeds the recipe’s, is never negative, and does not rise after the warm-up', () => {
    const cases = fc.record({
      warmup: fc.nat(50),
      schedule: fc.constantFrom('constant' as const, 'cosine' as const),
      final: fc.double({ min: 0, max: 1, noNaN: true }),
      total: fc.integer({ min: 1, max: 300 }),
    });
    fc.assert(
      fc.property(cases, ({ total, ...over }) => {
        const all = Array.from({ length: total }, (_, i) => learningRate(settings(over), i + 1, total));
        for (const rate of all) expect(rate >= 0 && rate <= 0.002).toBe(true);
        const after = all.slice(Math.max(0, over.warmup - 1));
        after.slice(1).forEach((rate, i) => {
          expect(rate).toBeLessThanOrEqual(after[i]);
        });
      }),
    );
  });

  it('comes with the other settings as the engine names them', () => {
    expect(stepOptions(settings({ max_grad_norm: 3 }), 7, 10)).toEqual({
      learningRate: 0.002,
      betas: [0.9, 0.98],
      eps: 1e-8,
      weightDecay: 0.01,
      maxGradNorm: 3,
    });
  });
});
