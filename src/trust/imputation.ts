/**
 * What stands in for a thinking reward that is missing (the judge failed, timed out, answered nonsense):
 * the mean of the response's side, or of all scored where its side has none, so that it is neither
 * rewarded nor punished for it. Ours: the paper does not say, the published code counts a failure as 0.
 */
import { mean, meanThinking } from './gamma.ts';
import { type Outcomes, side, type Thinking } from './types.ts';

/** Thinking rewards without gaps; all null where nothing was scored. */
export function imputeThinking(outcome: Outcomes, thinking: Thinking): Thinking {
  const all = mean(thinking);
  const neutral = {
    right: meanThinking(outcome, thinking, 'right') ?? all,
    wrong: meanThinking(outcome, thinking, 'wrong') ?? all,
  };
  return thinking.map((score, i) => score ?? neutral[side(outcome[i])]);
}
