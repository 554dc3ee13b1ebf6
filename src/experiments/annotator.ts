/** Who scores the responses that a run's TRM learns from and is measured on. */
import type { Chat } from '../data/chat/chat.ts';
import type { OpenAnnotator } from '../trm/annotate.ts';
import { openJudge } from '../trm/open-judge.ts';
import { completionSteps, oracleSteps } from '../trm/steps/annotators.ts';
import { engineOf, judgeEngine, type SeedRun } from './context.ts';
import type { Recipe } from './recipe.ts';

/** `base`: the policy that goes on from steps, where these are labelled by completion. Throws InputError. */
export async function openAnnotator(run: SeedRun, base: string, chat: Chat): Promise<OpenAnnotator> {
  const { recipe, seed, context } = run;
  const { annotator, by_step, temperature } = recipe.trm;
  if (by_step === null)
    return openJudge(annotator, judgeEngine(recipe), { warn: (line) => context.say(line) });
  const { labels, completions, ...steps } = by_step;
  if (labels === 'oracle') return { ...oracleSteps(steps), dispose: async () => {} };
  const policy = await engineOf(run, base, 'nothing');
  const made = completionSteps('the policy at its start', steps, {
    policy,
    chat,
    template: recipe.data.template,
    completions,
    maxTokens: recipe.rl.max_tokens,
    temperature,
    seed,
  });
  return { ...made, dispose: () => policy.dispose() };
}

/** Whether a TRM can be taught with records of no world. */
export function teachesOwnRecords({ trm: { annotator, by_step } }: Recipe): boolean {
  return by_step === null ? annotator !== 'oracle' : by_step.labels === 'monte-carlo';
}
