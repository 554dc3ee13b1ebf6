/** Values of `sophia eval`'s flags that evaluations of records and of benchmarks have in common. */
import { isAddress, withoutSecrets } from '../../data/servers/server-name.ts';
import { InputError } from '../../errors.ts';
import { fingerprint } from '../../eval/fingerprint.ts';
import type { Judge } from '../../trm/judge.ts';
import { notNegative, wholeNumber } from '../flags.ts';
import { type JudgeFlags, optionalJudgeOfFlags } from '../judge-flags.ts';
import type { RecordFlags } from '../record-flags.ts';

export interface EvalFlags extends Partial<JudgeFlags>, RecordFlags {
  model: string;
  adapter?: string;
  modelName?: string;
  concurrency?: string;
  timeout?: string;
  key?: string;
  cache?: string;
  benchmark?: string;
  data?: string;
  split?: string;
  out?: string;
  template?: string;
  format?: 'plain' | 'think';
  system?: string;
  temperature?: string;
  maxTokens?: string;
  limit?: string;
  seed: string;
  json?: boolean;
  failures?: 'wrong';
  bestOf?: string;
  vote?: 'majority';
  scorer?: 'official' | 'vlmevalkit';
  extractor?: string;
  extractorModel?: string;
  extractorTemplate?: string[];
  extractorMaxTokens?: string;
  extractorConcurrency?: string;
  extractorTimeout?: string;
  extractorKey?: string;
}

/** Throws InputError for a flag that is there and means nothing here. */
export function refuse(flags: EvalFlags, stray: Partial<Record<keyof EvalFlags, string>>, why: string): void {
  const found = Object.entries(stray).find(([key]) => flags[key as keyof EvalFlags] !== undefined);
  if (found !== undefined) throw new InputError(`${found[1]}: ${why}`);
}

export interface Sampling {
  template: string;
  system: string | null;
  /** Null: one response a question, which nobody has to choose. */
  bestOf: number | null;
  temperature: number;
  maxTokens: number;
  seed: number;
  limit: number | null;
}

/** Throws InputError naming the flag. */
export async function samplingOf(flags: EvalFlags, maxTokens: string): Promise<Sampling> {
  const { formats } = await import('../../eval/asking/template.ts');
  const { checkTemplate } = await import('../../data/chat/prompting.ts');
  if (flags.template !== undefined && flags.format !== undefined)
    throw new InputError('--format: --template says already how a question is written; give one of the two');
  const template = flags.template ?? formats[flags.format ?? 'plain'];
  checkTemplate(template, '--template');
  const bestOf = flags.bestOf === undefined ? null : wholeNumber('--best-of', flags.bestOf, 1);
  return {
    template,
    system: flags.system ?? null,
    bestOf,
    temperature: notNegative('--temperature', flags.temperature ?? (bestOf === null ? '0' : '1')),
    maxTokens: wholeNumber('--max-tokens', flags.maxTokens ?? maxTokens, 1),
    seed: wholeNumber('--seed', flags.seed, 0),
    limit: flags.limit === undefined ? null : wholeNumber('--limit', flags.limit, 1),
  };
}

/** All responses to a question are in memory together. */
const MOST_SAMPLES = 256;

/** Who scores the responses, or null. Throws InputError where nobody is to choose, or there is nothing to choose from. */
export async function judgeOf(
  flags: EvalFlags,
  { bestOf: samples, temperature }: Pick<Sampling, 'bestOf' | 'temperature'>,
): Promise<Judge | null> {
  const { bestOf, judge, vote } = flags;
  if (samples === null) {
    const stray =
      judge !== undefined ? `--judge ${withoutSecrets(judge)}` : vote !== undefined ? `--vote ${vote}` : null;
    if (stray !== null)
      throw new InputError(`${stray}: chooses among several responses; say how many with --best-of`);
  } else {
    if (samples > MOST_SAMPLES) throw new InputError(`--best-of ${bestOf}: must be ${MOST_SAMPLES} at most`);
    if (judge === undefined && vote === undefined)
      throw new InputError(`--best-of ${bestOf}: who chooses? Add --judge JUDGE, or --vote majority`);
    if (temperature === 0)
      throw new InputError(
        `--temperature ${flags.temperature}: greedy responses are all the same; leave it out, or leave out --best-of`,
      );
  }
  return optionalJudgeOfFlags(flags);
}

/** The judge as the scores name it; null: there is none. */
export function judgeName({ judge, steps, aggregate = 'mean' }: EvalFlags): string | null {
  if (judge === undefined) return null;
  const named = withoutSecrets(judge);
  return steps === undefined ? named : `${named}, steps: ${steps}, ${aggregate}`;
}

/** All that responses depend on, of whatever they answer. */
export function settingsOf(flags: EvalFlags, sampling: Sampling): Record<string, unknown> {
  const { template, system, bestOf, temperature, maxTokens, seed, limit } = sampling;
  return {
    model: withoutSecrets(flags.model),
    model_name: isAddress(flags.model) ? (flags.modelName ?? 'default') : null,
    adapter: flags.adapter ?? null,
    files: isAddress(flags.model) ? null : fingerprint([flags.model, flags.adapter]),
    template,
    system,
    samples: bestOf ?? 1,
    temperature,
    max_tokens: maxTokens,
    seed,
    limit,
  };
}

/** What an evaluation's folder is called after. */
export async function shortName({ model, modelName, adapter }: EvalFlags): Promise<string> {
  if (isAddress(model))
    return (modelName ?? new URL(model).host).replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '') || 'model';
  const { modelName: folderName } = await import('../../eval/record-file.ts');
  return folderName(adapter ?? model);
}
