/** Who annotates responses step by step: a row's `steps` with their scores, and the score that these come to. */
import type { Annotator } from '../annotate.ts';
import type { Steps } from '../settings.ts';
import { type CompletionLabelOptions, stepLabelsByCompletion } from './completion-labels.ts';
import { stepLabelsByOracle } from './oracle-labels.ts';
import { scoreOfSteps } from './step-judge.ts';

/** A world's oracle, a verdict a statement. */
export function oracleSteps({ split, aggregate }: Steps): Annotator {
  return {
    name: 'oracle by step',
    takes: 'singly',
    score: async (responses) =>
      stepLabelsByOracle(responses, split).map((labels) => scoreOfSteps(labels, aggregate)),
  };
}

/** The policy named `policy`, which goes on from every step. */
export function completionSteps(
  policy: string,
  { split, aggregate }: Steps,
  options: Omit<CompletionLabelOptions, 'split'>,
): Annotator {
  return {
    name: `completions of ${policy}`,
    // draws are keyed, but log-probabilities are rounded by what is in a batch
    takes: 'together',
    score: async (responses) =>
      (await stepLabelsByCompletion(responses, { ...options, split })).map((labels) =>
        scoreOfSteps(labels, aggregate),
      ),
  };
}
