/**
 * Uniform sampling over ten score intervals (paper, section 3.2), [0, .1) … [.9, 1]: every interval gives as much as
 * every other where it has as much. What a poor interval lacks, the others give, as water finds one level.
 */

export const INTERVALS = 10;

/** The interval of a score from 0 to 1. */
export function intervalOf(score: number): number {
  return Math.min(INTERVALS - 1, Math.floor(INTERVALS * score));
}

export interface Quota {
  /** Every interval gives so many, if it has them. */
  floor: number;
  /** No interval gives more. */
  cap: number;
  /** In all. */
  total: number;
}

/**
 * How many each interval gives: min(available, L) with one level L between floor and cap, so high that the sum is the
 * total or as near below it as can be (floors come before the total). What a whole step of the level would overshoot is
 * dealt out from the lowest interval on, one each.
 */
export function waterFill(available: readonly number[], { floor, cap, total }: Quota): number[] {
  const at = (level: number) => available.map((n) => Math.min(n, level));
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  let [low, high] = [floor, cap];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sum(at(middle)) <= total) low = middle;
    else high = middle - 1;
  }
  const counts = at(low);
  let left = total - sum(counts);
  return counts.map((count, i) => {
    if (left <= 0 || low >= cap || available[i] <= count) return count;
    left--;
    return count + 1;
  });
}
