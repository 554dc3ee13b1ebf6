/**
 * The policy loss as a function of token log-probabilities, and its gradient in closed form:
 *
 *     L = agg[ −min(ρA, clip(ρ, 1−ε_low, 1+ε_high)A) ] + β · agg[ exp(d) − d − 1 ]
 *     ρ = exp(log p − log p_old),  d = log p_ref − log p        (k3 estimator of KL(π‖π_ref))
 *
 * The gradient is a weighted sum of ∇ log p, so an engine needs only the weights. Both log-ratios are clamped
 * to ±10 before exp, as the published code does; beyond that the gradient is 0.
 * Sources: PPO (arXiv 1707.06347), GRPO (arXiv 2402.03300), Schulman, "Approximating KL divergence" (2020).
 */

interface BatchSize {
  sequences: number;
  tokens: number;
  maxTokens: number;
}

/** How token losses are averaged: the weight of one token of a response that is `length` tokens long. */
export const aggregations = {
  /** All tokens alike (veRL). */
  token_mean: (_length, { tokens }) => 1 / tokens,
  /** All responses alike, tokens within one alike (the GRPO paper, TRL's `grpo`). */
  seq_mean_token_mean: (length, { sequences }) => 1 / (sequences * length),
  /** Summed over a response's tokens, mean over responses. */
  seq_mean_token_sum: (_length, { sequences }) => 1 / sequences,
  /** Summed, divided by the constant token limit (Dr. GRPO, arXiv 2503.20783). */
  dr_grpo: (_length, { sequences, maxTokens }) => 1 / (sequences * maxTokens),
} satisfies Record<string, (length: number, batch: BatchSize) => number>;

export type Aggregation = keyof typeof aggregations;

/** Log-probabilities of each response's tokens; rows are as long as the responses. */
type TokenLogprobs = readonly (readonly number[])[];

export interface PolicyBatch {
  /** Under the policy. */
  logp: TokenLogprobs;
  /** Under the policy that sampled. */
  oldLogp: TokenLogprobs;
  /** Under the frozen reference; null where there is none (β = 0). */
  refLogp: TokenLogprobs | null;
  /** One a response. */
  advantages: readonly number[];
  /** ε_low: ρ is clipped below 1 − ε_low. */
  clipLow: number;
  /** ε_high: ρ is clipped above 1 + ε_high. */
  clipHigh: number;
  /** β. */
  klBeta: number;
  aggregation: Aggregation;
  /** The limit on completion tokens; `dr_grpo` needs it. */
  maxTokens?: number;
  /** What means are taken over, where responses without advantage are left out of `logp`: the whole batch. */
  whole?: { sequences: number; tokens: number };
}

export interface PolicyLoss {
  /** −∂L/∂ log p, shaped as `logp`: what to ascend. */
  weights: number[][];
  /** policyLoss + β · kl. */
  loss: number;
  policyLoss: number;
  /** Aggregated as the loss is; 0 without a reference. */
  kl: number;
  /** Share of tokens whose gradient the clip removes. */
  clipFraction: number;
}

const clampAt = 10;
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/**
 * Loss of a batch and its gradient by token log-probability. Empty responses weigh in the number of
 * responses and nowhere else. A value that is not finite comes out as it is: the caller counts it.
 * Throws RangeError where `dr_grpo` has no positive `maxTokens`.
 */
export function policyWeights(batch: PolicyBatch): PolicyLoss {
  const { logp, oldLogp, refLogp, advantages, clipLow, clipHigh, klBeta } = batch;
  const maxTokens = batch.maxTokens ?? 0;
  if (batch.aggregation === 'dr_grpo' && !(maxTokens > 0))
    throw new RangeError('dr_grpo divides by the token limit: give maxTokens above 0');
  const tokens = logp.reduce((sum, row) => sum + row.length, 0);
  const size: BatchSize = { sequences: logp.length, tokens, ...batch.whole, maxTokens };

  let policyLoss = 0;
  let kl = 0;
  let clipped = 0;
  const weights = logp.map((row, i) => {
    const advantage = advantages[i];
    const share = aggregations[batch.aggregation](row.length, size);
    return row.map((now, t) => {
      const surrogate = clippedSurrogate(now - oldLogp[i][t], advantage, clipLow, clipHigh);
      const penalty = refLogp === null ? noPenalty : k3(refLogp[i][t] - now);
      policyLoss -= share * surrogate.value;
      kl += share * penalty.value;
      clipped += surrogate.clipped ? 1 : 0;
      return share * (surrogate.slope - klBeta * penalty.slope);
    });
  });
  return {
    weights,
    loss: policyLoss + klBeta * kl,
    policyLoss,
    kl,
    clipFraction: clipped / Math.max(size.tokens, 1),
  };
}

/** min(ρA, clip(ρ)A) and its derivative by log p. */
function clippedSurrogate(logRatio: number, advantage: number, clipLow: number, clipHigh: number) {
  const ratio = Math.exp(clamp(logRatio, -clampAt, clampAt));
  const free = ratio * advantage;
  const bounded = clamp(ratio, 1 - clipLow, 1 + clipHigh) * advantage;
  const clipped = bounded < free;
  const flat = clipped || Math.abs(logRatio) > clampAt;
  return { value: clipped ? bounded : free, slope: flat ? 0 : free, clipped };
}

const noPenalty = { value: 0, slope: 0 };

/** exp(d) − d − 1 with d = log p_ref − log p, and its derivative by log p. */
function k3(difference: number) {
  const d = clamp(difference, -clampAt, clampAt);
  const ratio = Math.exp(d);
  return { value: ratio - d - 1, slope: Math.abs(difference) > clampAt ? 0 : 1 - ratio };
}
