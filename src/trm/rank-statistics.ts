/** How far two lists of numbers agree: correlations of values and of ranks, and the order of positives and negatives. */
import { mean } from '../data/shares.ts';

/** Pearson's correlation; null where a side is constant. */
export function pearson(a: readonly number[], b: readonly number[]): number | null {
  // Means of equal values may differ from them in the last bit, which would look like variance.
  if (isConstant(a) || isConstant(b)) return null;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((v, i) => {
    ab += (v - ma) * (b[i] - mb);
    aa += (v - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  });
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : null;
}

/** Spearman's rank correlation; ties get the mean rank. Null where a side is constant. */
export function spearman(a: readonly number[], b: readonly number[]): number | null {
  return pearson(ranks(a), ranks(b));
}

/**
 * Kendall's τ-b = (concordant − discordant) / √((pairs − ties in a)(pairs − ties in b)); null where a side is constant.
 * In n log n: discordant pairs are the exchanges a merge sort makes (W. R. Knight, JASA 61, 1966).
 */
export function kendall(a: readonly number[], b: readonly number[]): number | null {
  const order = a.map((_, i) => i).sort((i, j) => a[i] - a[j] || b[i] - b[j]);
  const sorted = order.map((i) => b[i]);
  const pairs = (a.length * (a.length - 1)) / 2;
  const tiedA = tiedPairs(order, (i, j) => a[i] === a[j]);
  const tiedBoth = tiedPairs(order, (i, j) => a[i] === a[j] && b[i] === b[j]);
  const discordant = sortCounting(sorted);
  const tiedB = tiedPairs(sorted, (x, y) => x === y);
  const concordant = pairs - tiedA - tiedB + tiedBoth - discordant;
  const free = (pairs - tiedA) * (pairs - tiedB);
  return free > 0 ? (concordant - discordant) / Math.sqrt(free) : null;
}

/** Area under the ROC curve (Mann–Whitney U), ties counting half; null where all labels are the same. */
export function auc(scores: readonly number[], positive: readonly boolean[]): number | null {
  const { pairs, inOrder } = orderedPairs(scores, positive);
  return pairs === 0 ? null : inOrder / pairs;
}

/** Pairs of a positive and a negative, and how many have the positive above; ties count half. */
export function orderedPairs(
  scores: readonly number[],
  positive: readonly boolean[],
): { pairs: number; inOrder: number } {
  const positives = positive.filter(Boolean).length;
  const pairs = positives * (positive.length - positives);
  if (pairs === 0) return { pairs, inOrder: 0 };
  const rankSum = ranks(scores).reduce((sum, rank, i) => sum + (positive[i] ? rank : 0), 0);
  return { pairs, inOrder: rankSum - (positives * (positives + 1)) / 2 };
}

/** Ranks from 1; ties share their mean rank. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
  const result = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) result[order[i]] = (from + 1 + to) / 2;
    from = to;
  }
  return result;
}

const isConstant = (values: readonly number[]) => values.every((value) => value === values[0]);

/** Pairs of equal items of a list in which equal ones stand side by side. */
function tiedPairs(list: readonly number[], equal: (x: number, y: number) => boolean): number {
  let pairs = 0;
  let run = 0;
  for (let i = 1; i < list.length; i++) {
    run = equal(list[i - 1], list[i]) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/** Sorts in place, ascending; returns how many pairs were in the wrong order. */
function sortCounting(values: number[]): number {
  let source = values;
  let target = new Array<number>(values.length);
  let exchanges = 0;
  for (let width = 1; width < values.length; width *= 2) {
    for (let start = 0; start < values.length; start += 2 * width) {
      const middle = Math.min(start + width, values.length);
      const end = Math.min(start + 2 * width, values.length);
      let [left, right] = [start, middle];
      for (let to = start; to < end; to++) {
        if (left < middle && (right >= end || source[left] <= source[right])) target[to] = source[left++];
        else {
          exchanges += middle - left;
          target[to] = source[right++];
        }
      }
    }
    [source, target] = [target, source];
  }
  if (source !== values)
    source.forEach((value, i) => {
      values[i] = value;
    });
  return exchanges;
}
