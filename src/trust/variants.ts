/**
 * The ways to make a training reward of Ro and Rt, R = Ro + γ · α · exp(−step/T) · Rt, as a table of rules.
 * An ablation is one more row.
 */
import { epsilonStd } from './advantage.ts';
import { annealing } from './anneal.ts';
import { trustWeight } from './gamma.ts';
import type { Outcomes, Thinking } from './types.ts';

export interface Variant {
  /** The thinking rewards that count; those left null are imputed. */
  thinking: (outcome: Outcomes, thinking: Thinking) => Thinking;
  gamma: (muC: number | null, muW: number | null) => number;
  anneal: (step: number, totalSteps: number) => number;
  /** The α in use, given the caller's. */
  alpha: (alpha: number) => number;
  /** The advantage of a group of one. */
  lone: (reward: number) => number;
}

const trustGrpo: Variant = {
  thinking: (_outcome, thinking) => thinking,
  gamma: trustWeight,
  anneal: annealing,
  alpha: (alpha) => alpha,
  lone: () => 0,
};

export const variants = {
  /** The paper's Trust-GRPO. */
  'trust-grpo': trustGrpo,
  /** Outcome rewards only. */
  grpo: { ...trustGrpo, thinking: (_outcome, thinking) => thinking.map(() => null) },
  /** What the published code computes. */
  reference: {
    ...trustGrpo,
    thinking: publishedThinking,
    alpha: () => 0.3,
    lone: (reward) => reward / (1 + epsilonStd),
  },
} satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;

/**
 * Thinking rewards in the published code (kxfan2002/SophiaVL-R1, verl/workers/reward/custom.py): none at all
 * where every answer is (nearly) right or every one (nearly) wrong; otherwise 0 where the outcome is below
 * 0.2, without asking the judge, and 0 where the judge failed. On 0/1 outcomes μw is therefore 0 and γ is 1.
 */
function publishedThinking(outcome: Outcomes, thinking: Thinking): Thinking {
  if (outcome.every((value) => value >= 0.9) || outcome.every((value) => value <= 0.1))
    return thinking.map(() => null);
  return thinking.map((score, i) => (outcome[i] >= 0.2 ? (score ?? 0) : 0));
}
