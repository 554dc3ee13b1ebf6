/** Annotated steps as what a step model learns: each prefix of a response is a response, scored as its last step is. */
import { InputError } from '../../errors.ts';
import type { ScoredResponse, ScoredStep } from '../rows.ts';
import { prefixes } from './step-judge.ts';

/** One row a step, in order. Throws InputError where the steps do not make the response up. */
export function prefixRows({
  record,
  response,
  steps,
}: Pick<ScoredResponse, 'record' | 'response'> & { steps: readonly ScoredStep[] }): ScoredResponse[] {
  const texts = prefixes(steps.map(({ text }) => text));
  if (texts.at(-1) !== response)
    throw new InputError(
      `${record.source}: steps: their texts do not make up the response; annotate this row anew`,
    );
  return texts.map((text, i) => ({ record, response: text, score: steps[i].score }));
}
