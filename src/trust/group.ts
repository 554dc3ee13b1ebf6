/** Trust-GRPO on one group: outcome and thinking rewards in, trust-weighted rewards and advantages out. arXiv 2505.17018. */
import { groupAdvantages, type ScalingName, type ScalingOptions, scalings } from './advantage.ts';
import { meanThinking } from './gamma.ts';
import { imputeThinking } from './imputation.ts';
import { type Outcomes, type Side, type Thinking, tiedSide } from './types.ts';
import { type VariantName, variants } from './variants.ts';

export interface GroupInput extends Partial<ScalingOptions> {
  outcome: Outcomes;
  /** As long as `outcome`. */
  thinking: Thinking;
  /** 0-based; may exceed `totalSteps`. */
  step: number;
  /** T, above 0. */
  totalSteps: number;
  /** Weight of the thinking reward; the paper's 0.3 by default. */
  alpha?: number;
  variant?: VariantName;
  scaling?: ScalingName;
}

export interface GroupResult {
  /** Mean thinking reward of right answers; null where none was scored. */
  muC: number | null;
  /** Mean thinking reward of wrong answers; null where none was scored. */
  muW: number | null;
  gamma: number;
  anneal: number;
  /** The α in use (`reference` has its own). */
  alpha: number;
  tied: Side | null;
  /** R of each response. */
  reward: number[];
  /** A of each response. */
  advantage: number[];
}

/** Rewards and advantages of one group of at least one response; imputes missing thinking rewards. Throws nothing. */
export function trustGroup(group: GroupInput): GroupResult {
  const { outcome, step, totalSteps, scale = 0.4, floor = 0.1 } = group;
  const variant = variants[group.variant ?? 'trust-grpo'];
  const scaling = scalings[group.scaling ?? 'paper'];
  const tied = tiedSide(outcome);

  const counts = tied === null || scaling.tiedThinking;
  const scored = counts ? variant.thinking(outcome, group.thinking) : outcome.map(() => null);
  const muC = meanThinking(outcome, scored, 'right');
  const muW = meanThinking(outcome, scored, 'wrong');
  const gamma = variant.gamma(muC, muW);
  const anneal = variant.anneal(step, totalSteps);
  const alpha = variant.alpha(group.alpha ?? 0.3);

  const thinking = imputeThinking(outcome, scored);
  const reward = outcome.map((ro, i) => ro + gamma * alpha * anneal * (thinking[i] ?? 0));
  const advantage =
    reward.length === 1 ? [variant.lone(reward[0])] : groupAdvantages(reward, scaling, { scale, floor });
  return { muC, muW, gamma, anneal, alpha, tied, reward, advantage };
}

/** Shares of groups that are tied: all answers right, all wrong, either. 0 for no groups. */
export function tiedShares(groups: readonly { tied: Side | null }[]): {
  tied: number;
  right: number;
  wrong: number;
} {
  const share = (is: Side) => groups.filter(({ tied }) => tied === is).length / Math.max(groups.length, 1);
  const right = share('right');
  const wrong = share('wrong');
  return { tied: right + wrong, right, wrong };
}
