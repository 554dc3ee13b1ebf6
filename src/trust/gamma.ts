/**
 * γ, the trustworthiness weight: how far a group's thinking rewards are believed.
 *
 *     γ = 1               if μc ≥ μw, or either side has no score
 *       = exp(μc − μw)    otherwise
 *
 * Source: arXiv 2505.17018, equations 1 to 3.
 */
import { type Outcomes, type Side, side, type Thinking } from './types.ts';

/** μc or μw: mean thinking reward of the scored responses of one side; null where there is none. */
export function meanThinking(outcome: Outcomes, thinking: Thinking, of: Side): number | null {
  return mean(thinking.filter((_, i) => side(outcome[i]) === of));
}

/** Mean over the scores that are there; null where there is none. */
export function mean(scores: Thinking): number | null {
  const known = scores.filter((score) => score !== null);
  return known.length === 0 ? null : known.reduce((sum, score) => sum + score, 0) / known.length;
}

/** γ in (0, 1]; falls as wrong answers' reasoning scores above that of right ones. */
export function trustWeight(muC: number | null, muW: number | null): number {
  if (muC === null || muW === null || muC >= muW) return 1;
  return Math.exp(muC - muW);
}
