/** `sophia eval`: a checkpoint on a file of records: predictions, scores and a table. */
import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../errors.ts';
import { ADAPTER, modelFolder, notNegative, threadsOf, wholeNumber } from './flags.ts';
import { freeFolder, isUsed } from './out-folder.ts';
import { createProgress } from './progress.ts';

interface Flags {
  model: string;
  adapter?: string;
  data?: string;
  benchmark?: string;
  split?: string;
  out?: string;
  template: string;
  temperature: string;
  maxTokens: string;
  limit?: string;
  seed: string;
  threads?: string;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('eval')
    .description("Score a checkpoint on records; a world's records are judged by its oracle as well")
    .requiredOption('--model <dir>', 'a Qwen2.5-VL folder: a checkpoint of a run, or one from a hub')
    .option(...ADAPTER)
    .option('--data <file>', 'records, or the folder that holds them (sophia world writes one)')
    .option('--benchmark <names>', 'not yet: evaluate record files with --data')
    .option('--split <name>', "only a world's records of this split; of a folder, the file NAME.jsonl")
    .option('--out <dir>', 'folder for predictions.jsonl and scores.json; by default eval/MODEL-SPLIT')
    .option('--template <text>', 'how a question is written, with {problem} and {options}', '{problem}')
    .option('--temperature <t>', '0 is greedy', '0')
    .option('--max-tokens <n>', 'longest response', '512')
    .option('--limit <n>', 'at most so many questions')
    .option('--seed <n>', 'of the draws, where the temperature is not 0', '0')
    .option('--threads <n>', 'by default one a core')
    .option('--json', 'print the scores as JSON')
    .action(evaluate);
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
  const { evaluateRecords, modelName, openQuestions } = await import('../eval/record-file.ts');

  const model = modelFolder(flags.model);
  const { adapter = null } = flags;
  checkTemplate(flags.template, '--template');
  const options = {
    model,
    adapter,
    template: flags.template,
    temperature: notNegative('--temperature', flags.temperature),
    maxTokens: wholeNumber('--max-tokens', flags.maxTokens, 1),
    seed: wholeNumber('--seed', flags.seed, 0),
    threads: threadsOf(flags.threads),
    tokenBudget: TOKEN_BUDGET,
  };
  const limit = flags.limit === undefined ? null : wholeNumber('--limit', flags.limit, 1);
  if (flags.out !== undefined && isUsed(flags.out))
    throw new InputError(`--out ${flags.out}: is used already; name another folder or remove it`);

  const questions = await openQuestions(flags.data, flags.split ?? null, limit);
  const out = flags.out ?? freeFolder(join('eval', `${modelName(adapter ?? model)}-${questions.split}`));
  const progress = createProgress();
  const stage = `evaluate ${questions.split}`;
  try {
    progress.start(stage, questions.records.length);
    const scores = await evaluateRecords(questions, out, {
      ...options,
      progress: (done) => progress.update(stage, done),
    });
    progress.finish(stage);
    process.stdout.write(
      flags.json
        ? `${JSON.stringify(scores)}\n`
        : `${scoresTable(scores)}\nPredictions and scores: ${relative('.', out)}\n`,
    );
  } finally {
    progress.stop();
  }
}
