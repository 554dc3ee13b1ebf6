/**
 * Choosing one of N responses to a question, and what would have come of n < N of them: for every n the expectation
 * over all subsets of n responses, in closed form, so that small n use all samples too and no subset is drawn.
 */

/** What is known of a response when one of several is chosen. */
export interface Choice {
  /** What it says, so that equal answers are equal texts; null where the format is broken. */
  answer: string | null;
  /** The answer is the solution. */
  right: boolean;
  /** By the judge; null where it gave none, or was not asked. */
  score: number | null;
}

/** Shares of right answers with n responses a question. */
export interface CurvePoint {
  n: number;
  /** Right in any of them (pass@n): what the best possible choice would reach. */
  pass: number;
  /** The judge chooses; null without one. */
  judge: number | null;
  /** The most frequent answer. */
  majority: number;
}

/**
 * Places of the responses from best to worst: by score, then those that the judge could not score, then broken formats;
 * the earlier first where nothing else decides. So the first response is chosen where no score tells them apart.
 */
export function ranked(choices: readonly Choice[]): number[] {
  const value = ({ score, answer }: Choice) => score ?? (answer === null ? -2 : -1);
  return choices.map((_, i) => i).sort((a, b) => value(choices[b]) - value(choices[a]) || a - b);
}

/** Place of the first response with the most frequent answer; among equally frequent ones the first; broken ones do not vote. */
export function majority(choices: readonly Choice[]): number {
  const votes = new Map<string, number>();
  for (const { answer } of choices) if (answer !== null) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  const most = Math.max(0, ...votes.values());
  return Math.max(
    0,
    choices.findIndex(({ answer }) => answer !== null && votes.get(answer) === most),
  );
}

/** 1, 2, 4 … below N, and N. */
export function curveSizes(samples: number): number[] {
  const sizes: number[] = [];
  for (let n = 1; n < samples; n *= 2) sizes.push(n);
  return [...sizes, samples];
}

/** The curve of one question. At n = N these are the choices themselves. */
export function curve(choices: readonly Choice[], judged: boolean): CurvePoint[] {
  return curveSizes(choices.length).map((n) => ({
    n,
    pass: passAt(choices, n),
    judge: judged ? judgedAt(choices, n) : null,
    majority: n === choices.length ? Number(choices[majority(choices)].right) : votedAt(choices, n),
  }));
}

/** 1 − C(N−c, n)/C(N, n) for c right of N (Chen et al. 2021, arXiv 2107.03374, equation 1). */
export function passAt(choices: readonly Choice[], n: number): number {
  const right = choices.filter((choice) => choice.right).length;
  let none = 1;
  for (let i = choices.length - right + 1; i <= choices.length; i++) none *= Math.max(0, 1 - n / i);
  return 1 - none;
}

/** The r-th best of N is the best of C(N−1−r, n−1) of the C(N, n) subsets. */
export function judgedAt(choices: readonly Choice[], n: number): number {
  const total = choices.length;
  let weight = n / total;
  let expected = 0;
  ranked(choices).forEach((place, r) => {
    if (choices[place].right) expected += weight;
    weight *= Math.max(0, total - r - n) / Math.max(1, total - 1 - r);
  });
  return expected;
}

/**
 * Probability that the vote of n responses is right. An answer wins where it comes r times, no other answer more often, and of
 * t others that come as often it is the first, in 1 of t + 1 orders. Counted by multiplying, over the other answers, the
 * numbers of ways to take j of their responses, kept apart by responses taken and by t. Of an answer that is right in
 * some of its responses only, that share counts.
 */
export function votedAt(choices: readonly Choice[], n: number): number {
  const answers = new Map<string, { size: number; right: number }>();
  let silent = 0;
  for (const { answer, right } of choices) {
    if (answer === null) silent += 1;
    else {
      const { size, right: before } = answers.get(answer) ?? { size: 0, right: 0 };
      answers.set(answer, { size: size + 1, right: before + Number(right) });
    }
  }
  let ways = 0;
  for (const [answer, { size, right }] of answers) {
    if (right === 0) continue;
    const others = [...answers].flatMap(([other, { size }]) => (other === answer ? [] : [size]));
    ways += (right / size) * waysToWin(size, others, silent, n);
  }
  return ways / choose(choices.length, n);
}

/** In how many subsets of n responses an answer of so many wins, shares of ties added up. */
function waysToWin(size: number, others: readonly number[], silent: number, n: number): number {
  let ways = 0;
  for (let r = 1; r <= Math.min(size, n); r++) {
    const rest = n - r;
    // [responses taken][answers that come r times]
    let table = Array.from({ length: rest + 1 }, (_, taken) => [choose(silent, taken)]);
    for (const other of others) table = withAnswer(table, other, r);
    ways += choose(size, r) * table[rest].reduce((sum, count, tied) => sum + count / (tied + 1), 0);
  }
  return ways;
}

function withAnswer(table: readonly number[][], size: number, r: number): number[][] {
  const next = table.map(() => [] as number[]);
  for (let j = 0; j <= Math.min(size, r, table.length - 1); j++) {
    const ways = choose(size, j);
    for (let taken = 0; taken + j < table.length; taken++)
      table[taken].forEach((count, tied) => {
        const t = j === r ? tied + 1 : tied;
        next[taken + j][t] = (next[taken + j][t] ?? 0) + count * ways;
      });
  }
  return next.map((counts) => Array.from(counts, (count) => count ?? 0));
}

/** n over k, as a float: exact while below 2^53. */
function choose(n: number, k: number): number {
  if (k > n) return 0;
  let result = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) result = (result * (n - i + 1)) / i;
  return result;
}
