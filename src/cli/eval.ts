/** `sophia eval`: a checkpoint on a file of records, with one response a question or the best of several: predictions, scores and a table. */
import { join, relative } from 'node:path';
import { type Command, Option } from 'commander';
import { withoutSecrets } from '../data/server-name.ts';
import { InputError } from '../errors.ts';
import type { Judge } from '../trm/judge.ts';
import { ADAPTER, modelFolder, notNegative, threadsOf, wholeNumber } from './flags.ts';
import { type JudgeFlags, optionalJudgeOfFlags, withOptionalJudgeFlags } from './judge-flags.ts';
import { freeFolder, isUsed } from './out-folder.ts';
import { createProgress } from './progress.ts';
import { accessOf, type RecordFlags, withRecordFlags } from './record-flags.ts';

interface Flags extends Partial<JudgeFlags>, RecordFlags {
  model: string;
  adapter?: string;
  data?: string;
  benchmark?: string;
  split?: string;
  out?: string;
  template: string;
  temperature?: string;
  maxTokens: string;
  bestOf?: string;
  vote?: 'majority';
  limit?: string;
  seed: string;
  json?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('eval')
    .description("Score a checkpoint on records; a world's records are judged by its oracle as well")
    .requiredOption('--model <dir>', 'a Qwen2.5-VL folder: a checkpoint of a run, or one from a hub')
    .option(...ADAPTER)
    .option('--data <file>', 'records, or the folder that holds them (sophia world writes one)')
    .option('--benchmark <names>', 'not yet: evaluate record files with --data')
    .option('--split <name>', "only a world's records of this split; of a folder, the file NAME.jsonl")
    .option('--out <dir>', 'folder for predictions.jsonl and scores.json; by default eval/MODEL-SPLIT')
    .option('--template <text>', 'how a question is written, with {problem} and {options}', '{problem}')
    .option('--temperature <t>', '0 is greedy; by default 0, with --best-of 1')
    .option('--max-tokens <n>', 'longest response', '512')
    .option('--limit <n>', 'at most so many questions')
    .option('--seed <n>', 'of the draws, where the temperature is not 0', '0')
    .option('--threads <n>', 'by default one a core')
    .option('--json', 'print the scores as JSON')
    .option('--best-of <n>', 'so many responses a question, of which --judge or --vote chooses one')
    .addOption(
      new Option('--vote <how>', 'the most frequent answer is chosen, also where a judge scores').choices([
        'majority',
      ]),
    );
  withOptionalJudgeFlags(withRecordFlags(command)).action(evaluate);
}

/** Tokens computed at once. */
const TOKEN_BUDGET = 8192;

async function evaluate(flags: Flags): Promise<void> {
  if (flags.benchmark !== undefined)
    throw new InputError(
      `--benchmark ${flags.benchmark}: benchmarks cannot be run yet; evaluate a file of records with --data`,
    );
  if (flags.data === undefined) throw new InputError('--data: missing; name a file of records');
  const { checkTemplate } = await import('../data/prompting.ts');
  const { scoresTable } = await import('./scores-table.ts');
  const { evaluateBestOf, evaluateRecords, modelName, openQuestions } = await import(
    '../eval/record-file.ts'
  );

  const model = modelFolder(flags.model);
  const { adapter = null } = flags;
  checkTemplate(flags.template, '--template');
  const samples = flags.bestOf === undefined ? null : wholeNumber('--best-of', flags.bestOf, 1);
  const options = {
    model,
    adapter,
    template: flags.template,
    temperature: notNegative('--temperature', flags.temperature ?? (samples === null ? '0' : '1')),
    maxTokens: wholeNumber('--max-tokens', flags.maxTokens, 1),
    seed: wholeNumber('--seed', flags.seed, 0),
    threads: threadsOf(flags.threads),
    tokenBudget: TOKEN_BUDGET,
  };
  const limit = flags.limit === undefined ? null : wholeNumber('--limit', flags.limit, 1);
  if (flags.out !== undefined && isUsed(flags.out))
    throw new InputError(`--out ${flags.out}: is used already; name another folder or remove it`);

  const questions = await openQuestions(flags.data, flags.split ?? null, limit, accessOf(flags));
  const out = flags.out ?? freeFolder(join('eval', `${modelName(adapter ?? model)}-${questions.split}`));
  const judge = await chooser(flags, samples, options.temperature);
  const progress = createProgress();
  const stage = `evaluate ${questions.split}`;
  try {
    progress.start(stage, questions.records.length);
    const asking = { ...options, progress: (done: number) => progress.update(stage, done) };
    const scores =
      samples === null
        ? await evaluateRecords(questions, out, asking)
        : await evaluateBestOf(questions, out, {
            ...asking,
            samples,
            judge,
            judgeName: judge && judgeName(flags),
            choose: flags.vote ?? 'judge',
          });
    progress.finish(stage);
    process.stdout.write(
      flags.json
        ? `${JSON.stringify(scores)}\n`
        : `${scoresTable(scores)}\nPredictions and scores: ${relative('.', out)}\n`,
    );
  } finally {
    progress.stop();
    await judge?.dispose();
  }
}

/** All responses to a question are in memory together. */
const MOST_SAMPLES = 256;

/** Who scores the responses, or null. Throws InputError where nobody is to choose, or there is nothing to choose from. */
async function chooser(flags: Flags, samples: number | null, temperature: number): Promise<Judge | null> {
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

/** The judge as the scores name it. */
function judgeName({ judge, steps, aggregate = 'mean' }: Flags): string {
  const named = withoutSecrets(judge!);
  return steps === undefined ? named : `${named}, steps: ${steps}, ${aggregate}`;
}
