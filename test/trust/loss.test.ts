import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Aggregation, aggregations, type PolicyBatch, policyWeights } from '../../src/trust/loss.ts';
import { type GoldenLoss, goldenLosses } from './golden.ts';

const names = Object.keys(aggregations) as Aggregation[];
const cases = goldenLosses.flatMap((row) => names.map((aggregation) => ({ id: row.id, row, aggregation })));

function batchOf(row: GoldenLoss, aggregation: Aggregation): PolicyBatch {
  const ragged = (rows: number[][]) => rows.map((values, i) => values.filter((_, t) => row.mask[i][t] === 1));
  return {
    logp: ragged(row.logp),
    oldLogp: ragged(row.old_logp),
    refLogp: ragged(row.ref_logp),
    advantages: row.advantages,
    clipLow: row.clip_eps,
    clipHigh: row.clip_eps,
    klBeta: row.kl_beta,
    aggregation,
    maxTokens: row.dr_grpo_max_length,
  };
}

describe('clipped loss with k3 KL on golden batches', () => {
  it.each(cases)('gives loss, its parts and −gradient for $id under $aggregation', ({ row, aggregation }) => {
    const batch = batchOf(row, aggregation);
    const golden = row.variants[aggregation];
    const got = policyWeights(batch);
    expect(got.loss).toBeCloseTo(golden.loss, 10);
    expect(got.policyLoss).toBeCloseTo(golden.pg_loss, 10);
    expect(got.kl).toBeCloseTo(golden.k3_kl, 10);
    expect(got.clipFraction).toBeCloseTo(row.metrics.clip_fraction, 10);
    got.weights.forEach((weights, i) => {
      const expected = golden.grad_analytic[i].filter((_, t) => row.mask[i][t] === 1);
      weights.forEach((weight, t) => {
        expect(weight).toBeCloseTo(-expected[t], 10);
      });
    });
  });
});

const logprob = fc.double({ min: -6, max: -0.01, noNaN: true });
const token = fc.record({
  logp: logprob,
  drift: fc.double({ min: -0.6, max: 0.6, noNaN: true }),
  ref: logprob,
});
const anyBatch = fc
  .record({
    responses: fc.array(
      fc.record({
        tokens: fc.array(token, { maxLength: 5 }),
        advantage: fc.double({ min: -2, max: 2, noNaN: true }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    clipLow: fc.double({ min: 0.05, max: 0.5, noNaN: true }),
    clipHigh: fc.double({ min: 0.05, max: 0.5, noNaN: true }),
    klBeta: fc.double({ min: 0, max: 0.2, noNaN: true }),
    aggregation: fc.constantFrom(...names),
  })
  .map(
    ({ responses, ...rest }): PolicyBatch => ({
      ...rest,
      maxTokens: 8,
      advantages: responses.map(({ advantage }) => advantage),
      logp: responses.map(({ tokens }) => tokens.map(({ logp }) => logp)),
      oldLogp: responses.map(({ tokens }) => tokens.map(({ logp, drift }) => logp - drift)),
      refLogp: responses.map(({ tokens }) => tokens.map(({ ref }) => ref)),
    }),
  );

describe('the closed-form gradient', () => {
  it('equals finite differences of the loss away from the clip’s corners', () => {
    const h = 1e-5;
    fc.assert(
      fc.property(anyBatch, (batch) => {
        const { weights } = policyWeights(batch);
        const lossAt = (i: number, t: number, by: number) =>
          policyWeights({
            ...batch,
            logp: batch.logp.map((row, j) =>
              row.map((value, s) => (i === j && t === s ? value + by : value)),
            ),
          }).loss;
        weights.forEach((row, i) => {
          row.forEach((weight, t) => {
            const ratio = Math.exp(batch.logp[i][t] - batch.oldLogp[i][t]);
            const corner = [1 - batch.clipLow, 1 + batch.clipHigh].some(
              (edge) => Math.abs(ratio - edge) < 1e-3,
            );
            if (corner) return;
            expect(-(lossAt(i, t, h) - lossAt(i, t, -h)) / (2 * h)).toBeCloseTo(weight, 5);
          });
        });
      }),
    );
  });

  it('is A × the aggregation’s share on policy without KL', () => {
    const logp = [[-1, -2], [-0.5]];
    const got = policyWeights({
      logp,
      oldLogp: logp,
      refLogp: null,
      advantages: [0.8, -0.6],
      clipLow: 0.2,
      clipHigh: 0.2,
      klBeta: 0,
      aggregation: 'token_mean',
    });
    expect(got.weights).toEqual([[0.8 / 3, 0.8 / 3].map(close), [close(-0.6 / 3)]]);
    expect(got.clipFraction).toBe(0);
  });

  it.each(names)(
    'of a batch without its responses of advantage 0 is the same, under %s, if told of the whole',
    (aggregation) => {
      const row = goldenLosses[0];
      const full = { ...batchOf(row, aggregation), refLogp: null, klBeta: 0 };
      const advantages = full.advantages.map((a, i) => (i === 1 ? 0 : a));
      const without = <T>(rows: readonly T[]) => rows.filter((_, i) => i !== 1);
      const whole = { sequences: full.logp.length, tokens: full.logp.flat().length };
      const part = policyWeights({
        ...full,
        logp: without(full.logp),
        oldLogp: without(full.oldLogp),
        advantages: without(advantages),
        whole,
      });
      const all = policyWeights({ ...full, advantages });
      expect(part.weights).toEqual(without(all.weights));
      expect(part.loss).toBeCloseTo(all.loss, 12);
      expect(all.weights[1].every((w) => w === 0)).toBe(true);
    },
  );

  it('is 0 for an empty batch and for empty responses', () => {
    const empty = {
      logp: [[]],
      oldLogp: [[]],
      refLogp: [[]],
      advantages: [1],
      clipLow: 0.2,
      clipHigh: 0.2,
      klBeta: 1,
    };
    for (const aggregation of names)
      expect(policyWeights({ ...empty, aggregation, maxTokens: 4 })).toMatchObject({
        loss: 0,
        weights: [[]],
      });
  });

  it('needs the token limit under dr_grpo', () => {
    const batch = {
      logp: [[-1]],
      oldLogp: [[-1]],
      refLogp: null,
      advantages: [1],
      clipLow: 0.2,
      clipHigh: 0.2,
      klBeta: 0,
    };
    expect(() => policyWeights({ ...batch, aggregation: 'dr_grpo' })).toThrow(RangeError);
  });

  it('is not finite where a log-probability is not, so that the caller can count the step', () => {
    const batch = {
      logp: [[Number.NaN]],
      oldLogp: [[-1]],
      refLogp: null,
      advantages: [1],
      clipLow: 0.2,
      clipHigh: 0.2,
      klBeta: 0,
    };
    expect(policyWeights({ ...batch, aggregation: 'token_mean' }).weights[0][0]).toBeNaN();
  });
});

function close(value: number): number {
  return expect.closeTo(value, 12);
}
