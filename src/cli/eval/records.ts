/** `sophia eval --data RECORDS`: predictions, scores and a table. */
import { join, relative } from 'node:path';
import type { Scores } from '../../data/run-folder.ts';
import { isAddress } from '../../data/servers/server-name.ts';
import { InputError, RunError } from '../../errors.ts';
import type { Choosing } from '../../eval/best-of.ts';
import type { Questions } from '../../eval/record-file.ts';
import type { Judge } from '../../trm/judge.ts';
import { modelFolder, threadsOf } from '../flags.ts';
import { freeFolder, isUsed } from '../out-folder.ts';
import { createProgress } from '../progress.ts';
import { accessOf } from '../record-flags.ts';
import {
  type EvalFlags,
  judgeName,
  judgeOf,
  refuse,
  type Sampling,
  samplingOf,
  settingsOf,
  shortName,
} from './flags.ts';
import { openAsker, refuseFolderFlags, refuseServerFlags } from './model.ts';

/** Tokens computed at once. */
const TOKEN_BUDGET = 8192;

const OF_BENCHMARKS = {
  scorer: '--scorer',
  extractor: '--extractor',
  extractorModel: '--extractor-model',
  extractorTemplate: '--extractor-template',
  extractorMaxTokens: '--extractor-max-tokens',
  extractorConcurrency: '--extractor-concurrency',
  extractorTimeout: '--extractor-timeout',
  extractorKey: '--extractor-key',
} as const;

export async function evaluateRecordFile(flags: EvalFlags, data: string): Promise<void> {
  refuse(flags, OF_BENCHMARKS, 'is about benchmarks; records are judged by the outcome rules');
  const { openQuestions } = await import('../../eval/record-file.ts');
  const atServer = isAddress(flags.model);
  if (atServer) refuseFolderFlags(flags);
  else {
    modelFolder(flags.model);
    refuseServerFlags(flags);
    refuse(flags, { failures: '--failures', system: '--system' }, 'is about a server, and --model is none');
  }
  const sampling = await samplingOf(flags, '512');
  threadsOf(flags.threads);
  if (!atServer && flags.out !== undefined && isUsed(flags.out))
    throw new InputError(`--out ${flags.out}: is used already; name another folder or remove it`);
  const questions = await openQuestions(data, flags.split ?? null, sampling.limit, accessOf(flags));
  const judge = await judgeOf(flags, sampling);
  try {
    const run = { flags, sampling, questions, judge };
    const { scores, out } = await (atServer ? onServer(run, data) : onFolder(run));
    const { scoresTable } = await import('../scores-table.ts');
    process.stdout.write(
      flags.json
        ? `${JSON.stringify(scores)}\n`
        : `${scoresTable(scores)}\nPredictions and scores: ${relative('.', out)}\n`,
    );
  } finally {
    await judge?.dispose();
  }
}

interface Run {
  flags: EvalFlags;
  sampling: Sampling;
  questions: Questions;
  judge: Judge | null;
}

function choosing({ flags, sampling, judge }: Run): Choosing | null {
  if (sampling.bestOf === null) return null;
  return { samples: sampling.bestOf, judge, judgeName: judgeName(flags), choose: flags.vote ?? 'judge' };
}

async function onFolder(run: Run): Promise<{ scores: Scores; out: string }> {
  const { evaluateBestOf, evaluateRecords } = await import('../../eval/record-file.ts');
  const { flags, sampling, questions } = run;
  const { template, temperature, maxTokens, seed } = sampling;
  const out = flags.out ?? freeFolder(join('eval', `${await shortName(flags)}-${questions.split}`));
  const computing = { threads: threadsOf(flags.threads), tokenBudget: TOKEN_BUDGET };
  const asking = { template, temperature, maxTokens, seed, ...computing };
  const { model, adapter = null } = flags;
  const scores = await withProgress(questions, (progress) => {
    const options = { model, adapter, ...asking, progress };
    const several = choosing(run);
    return several === null
      ? evaluateRecords(questions, out, options)
      : evaluateBestOf(questions, out, { ...options, ...several });
  });
  return { scores, out };
}

async function onServer(run: Run, data: string): Promise<{ scores: Scores; out: string }> {
  const { evaluateAtServer } = await import('../../eval/record-server.ts');
  const { checkFolder, ownFolder } = await import('../../eval/evaluation-folder.ts');
  const { identityOf } = await import('../../data/records/sources.ts');
  const { flags, sampling, questions } = run;
  const file = await identityOf(questions.records.source);
  const settings = { data: file, n: questions.records.length, ...settingsOf(flags, sampling) };
  const named = join('eval', `${await shortName(flags)}-${questions.split}`);
  const out = flags.out ?? (await ownFolder(named, settings));
  await checkFolder(out, settings);
  const asker = await openAsker(flags, sampling);
  try {
    const { template, temperature } = sampling;
    const asking = {
      asker,
      template,
      temperature,
      choosing: choosing(run),
      failures: flags.failures ?? null,
      settings,
    };
    const { scores, incomplete } = await withProgress(questions, (progress) =>
      evaluateAtServer(questions, out, { ...asking, progress }),
    );
    if (scores === null) throw new RunError(`${data}: ${incomplete}`);
    return { scores, out };
  } finally {
    await asker.dispose();
  }
}

async function withProgress<T>(
  { records, split }: Questions,
  work: (progress: (done: number) => void) => Promise<T>,
): Promise<T> {
  const progress = createProgress();
  const stage = `evaluate ${split}`;
  try {
    progress.start(stage, records.length);
    const result = await work((done) => progress.update(stage, done));
    progress.finish(stage);
    return result;
  } finally {
    progress.stop();
  }
}
