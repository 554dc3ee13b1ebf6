/**
 * Group-relative advantages, A = (R − mean R) / (std R + ε), std with ddof 1 (GRPO, arXiv 2402.03300), and
 * the other ways to scale them.
 *
 * Why there are others: in a tied group (all right or all wrong) R differs through Rt alone, γ is 1, and the
 * division by std blows any difference up to unit size, so that α and the annealing cancel. The paper does
 * not mention it; its form is the default.
 */

export const epsilonStd = 1e-6;

export interface ScalingOptions {
  /** Divisor of `no_std`. */
  scale: number;
  /** Smallest std of `std_floor`. */
  floor: number;
}

export interface Scaling {
  /** Whether a tied group's thinking rewards count. */
  tiedThinking: boolean;
  divisor: (std: number, options: ScalingOptions) => number;
}

export const scalings = {
  paper: { tiedThinking: true, divisor: (std) => std + epsilonStd },
  skip_tied: { tiedThinking: false, divisor: (std) => std + epsilonStd },
  no_std: { tiedThinking: true, divisor: (_std, { scale }) => scale },
  std_floor: { tiedThinking: true, divisor: (std, { floor }) => Math.max(std, floor) + epsilonStd },
} satisfies Record<string, Scaling>;

export type ScalingName = keyof typeof scalings;

/** A of each response of a group; sums to 0. A group of one has nothing to compare with: 0. */
export function groupAdvantages(
  reward: readonly number[],
  scaling: Scaling,
  options: ScalingOptions,
): number[] {
  if (reward.length === 1) return [0];
  const mean = reward.reduce((sum, value) => sum + value, 0) / reward.length;
  const squares = reward.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const divisor = scaling.divisor(Math.sqrt(squares / (reward.length - 1)), options);
  return reward.map((value) => (value - mean) / divisor);
}
