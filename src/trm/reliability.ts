/** How far a judge can be trusted: its scores against an annotator's on the same responses. */

import { mean } from '../data/shares.ts';
import { outcomeReward } from '../rewards/outcome.ts';
import type { ScoredResponse } from './collect.ts';
import type { Judge } from './judge.ts';
import { auc, spearman } from './rank-statistics.ts';

export interface Reliability {
  /** Responses both have scored. */
  n: number;
  /** Rank correlation (ties get the mean rank); null where one side is constant. */
  spearman: number | null;
  /** Mean absolute difference; null where nothing was scored. */
  mae: number | null;
  /** Probability that a sound response (annotated ≥ 0.5) is scored above a flawed one; null where there is only one kind. */
  auc_sound: number | null;
  /** The same for right answers above wrong ones. */
  auc_right: number | null;
}

export async function reliability(judge: Judge, rows: readonly ScoredResponse[]): Promise<Reliability> {
  const scores = await judge.score(rows.map(({ record, response }) => ({ record, response })));
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
