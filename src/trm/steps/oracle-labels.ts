/** How right every step of a response is, by what a world's oracle says of its statements. */
import { InputError } from '../../errors.ts';
import { parseResponse } from '../../rewards/format.ts';
import { STEP_SCORES, stepScoresByOracle } from '../../worlds/seeing/index.ts';
import type { JudgedResponse } from '../judge.ts';
import { oracleVerdict } from '../oracle-judge.ts';
import type { Steps } from '../settings.ts';
import { splitSteps, stepThinking } from './split.ts';
import type { StepLabels } from './step-judge.ts';

/** Why a response that no judge is ever shown has no labels. */
export const BROKEN_FORMAT = 'broken format: it has no steps to be judged';

/**
 * A step's score is its statement's by STEP_SCORES, the mean of them where a step holds several; the last step's is the
 * answer's: whether it is what the reasoning concluded, not whether it is right.
 * Throws InputError for a record of no world.
 */
export function stepLabelsByOracle(rows: readonly JudgedResponse[], split: Steps['split']): StepLabels[] {
  return rows.map(({ record, response }) => {
    const verdict = oracleVerdict(record, response);
    if (verdict === null)
      throw new InputError(
        `${record.source}: world: missing; the oracle knows only steps of records that \`sophia world\` wrote`,
      );
    if (parseResponse(response) === null) return { steps: null, failure: BROKEN_FORMAT };
    const steps = splitSteps(response, split);
    const thinking = verdict.statements.slice(0, -1);
    const answer = STEP_SCORES[verdict.statements[thinking.length].verdict];
    const scores = stepScoresByOracle(stepThinking(steps), thinking);
    return { steps: steps.map((text, i) => ({ text, score: scores[i] ?? answer })), failure: null };
  });
}
