/** How far a judge can be trusted: its scores against an annotator's on the same responses. */

import type { Reliability } from '../data/run-folder.ts';
import { mean } from '../data/shares.ts';
import { outcomeReward } from '../rewards/outcome.ts';
import type { Judge, JudgeScore } from './judge.ts';
import { auc, spearman } from './rank-statistics.ts';
import type { ScoredResponse } from './rows.ts';

/** A judge's agreement with the scores of the rows. */
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
