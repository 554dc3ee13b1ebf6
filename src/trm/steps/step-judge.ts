/**
 * A process reward model out of any judge, after VisualPRM (arXiv 2503.10291): a step's score is what the judge gives to
 * the response up to and including that step, a response's score an aggregate of these. VisualPRM reads the probability
 * of `+` after every step in one pass; here the judge is asked once a step, so that a server, too, can be asked.
 */
import { mean } from '../../data/shares.ts';
import { failed, type Judge, type JudgedResponse, type JudgeScore } from '../judge.ts';
import type { ScoredStep } from '../rows.ts';
import type { Steps } from '../settings.ts';
import { splitSteps } from './split.ts';

/** A response's steps with their scores, or why there are none. Exactly one of the two is null. */
export interface StepLabels {
  steps: ScoredStep[] | null;
  failure: string | null;
}

/** The response up to and including each of its steps. */
export function prefixes(steps: readonly string[]): string[] {
  let prefix = '';
  return steps.map((step) => {
    prefix += step;
    return prefix;
  });
}

const AGGREGATES: Record<Steps['aggregate'], (scores: readonly number[]) => number> = {
  mean,
  min: (scores) => Math.min(...scores),
  product: (scores) => scores.reduce((product, score) => product * score, 1),
};

/** The score of a response, 0…1, by those of its steps; at least one. */
export function aggregate(scores: readonly number[], how: Steps['aggregate']): number {
  return AGGREGATES[how](scores);
}

/** A response's score by what is known of its steps, and these. */
export function scoreOfSteps({ steps, failure }: StepLabels, how: Steps['aggregate']): JudgeScore {
  if (steps === null) return failed(failure!);
  const scores = steps.map(({ score }) => score);
  return { score: aggregate(scores, how), failure: null, steps };
}

/**
 * What a judge says of every step of each response, in order. One step without a score leaves the response without:
 * half of the steps are another response. Throws what the judge throws.
 */
export async function scoreSteps(
  judge: Judge,
  split: Steps['split'],
  responses: readonly JudgedResponse[],
  deadline?: AbortSignal,
): Promise<StepLabels[]> {
  const texts = responses.map(({ response }) => splitSteps(response, split));
  const asked = responses.flatMap(({ record }, i) =>
    prefixes(texts[i]).map((response) => ({ record, response })),
  );
  const scores = [...(await judge.score(asked, deadline))];
  return texts.map((steps) => labels(steps, scores.splice(0, steps.length)));
}

function labels(texts: readonly string[], scores: readonly JudgeScore[]): StepLabels {
  const steps = texts.flatMap((text, i) => {
    const { score } = scores[i];
    return score === null ? [] : [{ text, score }];
  });
  if (steps.length === texts.length) return { steps, failure: null };
  const first = scores.findIndex(({ score }) => score === null);
  return { steps: null, failure: `step ${first + 1} of ${texts.length}: ${scores[first].failure}` };
}

/** A judge that scores responses by their steps. Disposing of it disposes of the judge it asks. */
export function stepJudge(inner: Judge, { split, aggregate: how }: Steps): Judge {
  return {
    name: inner.name,
    takes: inner.takes,
    async score(responses, deadline) {
      const known = await scoreSteps(inner, split, responses, deadline);
      return known.map((one) => scoreOfSteps(one, how));
    },
    dispose: () => inner.dispose(),
  };
}

/** The judge as it is asked: by steps where there are any. */
export function bySteps(judge: Judge, steps: Steps | null): Judge {
  return steps === null ? judge : stepJudge(judge, steps);
}
