/** How far a judge can be trusted: its scores against an annotator's on the same responses. */

import type { Reliability } from '../data/run-folder.ts';
import { mean } from '../data/shares.ts';
import { outcomeReward } from '../rewards/outcome.ts';
import type { ScoredResponse } from './collect.ts';
import type { Judge, JudgeScore } from './judge.ts';

export async function reliability(judge: Judge, rows: readonly ScoredResponse[]): Promise<Reliability> {
  return reliabilityOf(await judge.score(rows.map(({ record, response }) => ({ record, response }))), rows);
}

/** The same of scores that a judge has given already, one a row. */
export function reliabilityOf(scores: readonly JudgeScore[], rows: readonly ScoredResponse[]): Reliability {
  const both = rows.flatMap((row, i) =>
    scores[i].score === null ? [] : [{ ...row, judged: scores[i].score as number }],
  );
  const judged = both.map((row) => row.judged);
  const annotated = both.map((row) => row.score);
  const right = both.map(
    ({ record, response }) =>
      outcomeReward({ problemType: record.problem_type, response, solution: record.solution }).exact,
  );
  return {
    n: both.length,
    spearman: spearman(judged, annotated),
    mae: both.length > 0 ? mean(both.map((row) => Math.abs(row.judged - row.score))) : null,
    auc_sound: auc(
      judged,
      annotated.map((score) => score >= 0.5),
    ),
    auc_right: auc(judged, right),
  };
}

/** Spearman's rank correlation; null where a side is constant. */
export function spearman(a: readonly number[], b: readonly number[]): number | null {
  return pearson(ranks(a), ranks(b));
}

/** Area under the ROC curve (Mann–Whitney U), ties counting half; null where all labels are the same. */
export function auc(scores: readonly number[], positive: readonly boolean[]): number | null {
  const positives = positive.filter(Boolean).length;
  const negatives = positive.length - positives;
  if (positives === 0 || negatives === 0) return null;
  const rankSum = ranks(scores).reduce((sum, rank, i) => sum + (positive[i] ? rank : 0), 0);
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Ranks from 1; ties share their mean rank. */
function ranks(values: readonly number[]): number[] {
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

function pearson(a: readonly number[], b: readonly number[]): number | null {
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((v, i) => {
    ab += (v - ma) * (b[i] - mb);
    aa += (v - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  });
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : null;
}
