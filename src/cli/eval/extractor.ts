/** The language model that reads what a benchmark's rules cannot, as `--extractor` and its like name it. */
import { InputError } from '../../errors.ts';
import type { Benchmark, ModelStep } from '../../eval/benchmarks/benchmark.ts';
import type { Extractor } from '../../eval/model-steps.ts';
import { wholeNumber } from '../flags.ts';
import { templateFile } from '../template-file.ts';
import { type EvalFlags, refuse } from './flags.ts';
import { serverOf } from './model.ts';

/** Null where none is wanted. Throws InputError naming the flag. */
export async function extractorOf(
  flags: EvalFlags,
  wanted: readonly { benchmark: Benchmark }[],
): Promise<Extractor | null> {
  if (flags.extractor === undefined) {
    refuse(
      flags,
      {
        extractorModel: '--extractor-model',
        extractorTemplate: '--extractor-template',
        extractorMaxTokens: '--extractor-max-tokens',
        extractorConcurrency: '--extractor-concurrency',
        extractorTimeout: '--extractor-timeout',
        extractorKey: '--extractor-key',
      },
      'is about an extractor; name one with --extractor',
    );
    return null;
  }
  const steps = [...new Set(wanted.flatMap(({ benchmark }) => benchmark.model.map(({ name }) => name)))];
  if (steps.length === 0)
    throw new InputError(
      `--extractor: ${wanted.map(({ benchmark }) => benchmark.title).join(', ')} is scored by rules alone; leave it out`,
    );
  return {
    ...serverOf({
      flag: '--extractor',
      url: flags.extractor,
      model: flags.extractorModel,
      concurrency: ['--extractor-concurrency', flags.extractorConcurrency],
      timeout: ['--extractor-timeout', flags.extractorTimeout ?? '60'],
      key: flags.extractorKey,
    }),
    templates: templatesOf(flags.extractorTemplate ?? [], steps),
    maxTokens: wholeNumber('--extractor-max-tokens', flags.extractorMaxTokens ?? '512', 1),
  };
}

function templatesOf(given: readonly string[], steps: readonly ModelStep['name'][]): Extractor['templates'] {
  const templates: Extractor['templates'] = {};
  for (const text of given) {
    const [, step, file] = /^(extract|judge)=(.*)$/s.exec(text) ?? [null, steps[0], text];
    const name = step as ModelStep['name'];
    if (!steps.includes(name))
      throw new InputError(
        `--extractor-template ${text}: no step is called ${name}; there is ${steps.join(', ')}`,
      );
    if (templates[name] !== undefined)
      throw new InputError(`--extractor-template ${text}: the step ${name} has a template already`);
    const template = templateFile('--extractor-template', file);
    if (!template.includes('{response}') && !template.includes('{extraction}'))
      throw new InputError(`--extractor-template ${file}: must hold {response} (or {extraction})`);
    templates[name] = template;
  }
  return templates;
}
