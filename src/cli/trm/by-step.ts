/** The flags of `sophia trm annotate --by-step`: labels of single steps, by a world's oracle or by a policy's completions. */
import { type Command, Option } from 'commander';
import { InputError } from '../../errors.ts';
import type { OpenAnnotator } from '../../trm/annotate.ts';
import type { Steps } from '../../trm/settings.ts';
import { ADAPTER, notNegative, wholeNumber } from '../flags.ts';
import { openPolicyFolder } from './policy-folder.ts';

export interface ByStepFlags {
  byStep?: 'oracle' | 'monte-carlo';
  policy?: string;
  adapter?: string;
  completions?: string;
  maxTokens?: string;
  temperature?: string;
  template?: string;
  seed?: string;
  /** Of judges too: how responses are cut, how scores become one, threads. */
  steps?: string;
  aggregate?: string;
  threads?: string;
}

export function withByStepFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--by-step <how>',
        "instead of --judge, every step's own label: the oracle's verdict, or how often a policy goes on from it to the right answer",
      ).choices(['oracle', 'monte-carlo']),
    )
    .option('--policy <dir>', 'monte-carlo: the model that goes on, a Qwen2.5-VL folder')
    .option(...ADAPTER)
    .option('--completions <n>', 'monte-carlo: continuations a step; 16 by default')
    .option('--max-tokens <n>', 'monte-carlo: longest continuation; 512 by default')
    .option('--temperature <t>', 'monte-carlo: 1 by default')
    .option('--template <text>', 'monte-carlo: how a question is written; {problem} by default')
    .option('--seed <n>', 'monte-carlo: of the draws; 0 by default');
}

/** An annotator, and what its scores depend on. */
export interface ChosenAnnotator {
  annotator: OpenAnnotator;
  settings: Record<string, unknown>;
}

const OF_COMPLETIONS: readonly [keyof ByStepFlags, string][] = [
  ['policy', '--policy'],
  ['adapter', '--adapter'],
  ['completions', '--completions'],
  ['maxTokens', '--max-tokens'],
  ['temperature', '--temperature'],
  ['template', '--template'],
  ['seed', '--seed'],
];

/** Throws InputError for flags that are of completions where none are made. */
export function refuseCompletionFlags(flags: ByStepFlags): void {
  const stray = OF_COMPLETIONS.find(([name]) => flags[name] !== undefined);
  if (stray !== undefined) throw new InputError(`${stray[1]}: is of --by-step monte-carlo; leave it out`);
}

/** The annotator that `--by-step` names. Throws InputError naming the flag. */
export async function openByStep(flags: ByStepFlags): Promise<ChosenAnnotator> {
  const { Steps: schema } = await import('../../trm/settings.ts');
  const { oracleSteps } = await import('../../trm/steps/annotators.ts');
  const steps = schema.parse({ split: flags.steps, aggregate: flags.aggregate });
  if (flags.byStep === 'monte-carlo') return openCompletions(flags, steps);
  refuseCompletionFlags(flags);
  return {
    annotator: { ...oracleSteps(steps), dispose: async () => {} },
    settings: { byStep: 'oracle', steps },
  };
}

async function openCompletions(flags: ByStepFlags, steps: Steps): Promise<ChosenAnnotator> {
  const { policy, adapter, threads, template = '{problem}' } = flags;
  if (policy === undefined)
    throw new InputError('--policy: missing; name the model that goes on from every step');
  const sampling = {
    template,
    completions: wholeNumber('--completions', flags.completions ?? '16', 1),
    maxTokens: wholeNumber('--max-tokens', flags.maxTokens ?? '512', 1),
    temperature: notNegative('--temperature', flags.temperature ?? '1'),
    seed: wholeNumber('--seed', flags.seed ?? '0', 0),
  };
  const { checkTemplate } = await import('../../data/chat/prompting.ts');
  const { completionSteps } = await import('../../trm/steps/annotators.ts');
  checkTemplate(template, '--template');
  const { name, chat, engine } = await openPolicyFolder({ policy, adapter, threads });
  const annotator = completionSteps(name, steps, { policy: engine, chat, ...sampling });
  return {
    annotator: { ...annotator, dispose: () => engine.dispose() },
    settings: { byStep: 'monte-carlo', policy, adapter: adapter ?? null, ...sampling, steps },
  };
}
