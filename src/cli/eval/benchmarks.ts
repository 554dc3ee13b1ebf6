/** `sophia eval --benchmark NAMES`: predictions, scores and a report of each, and one table of all. */
import { join, relative } from 'node:path';
import { isAddress } from '../../data/servers/server-name.ts';
import { InputError, RunError } from '../../errors.ts';
import type { Benchmark, Summary } from '../../eval/benchmarks/benchmark.ts';
import type { BenchmarkScores, Evaluation } from '../../eval/evaluate-benchmark.ts';
import type { PublishedQuestions } from '../../eval/published/questions.ts';
import { modelFolder, threadsOf } from '../flags.ts';
import { createProgress } from '../progress.ts';
import { benchmarksTable } from './benchmarks-table.ts';
import { extractorOf } from './extractor.ts';
import { type EvalFlags, judgeName, judgeOf, refuse, samplingOf, settingsOf, shortName } from './flags.ts';
import { openAsker, refuseFolderFlags, refuseServerFlags } from './model.ts';

/** A benchmark that is to be evaluated. */
interface Planned {
  benchmark: Benchmark;
  variant: string;
  questions: PublishedQuestions;
  out: string;
  settings: Record<string, unknown>;
}

export async function evaluateBenchmarks(flags: EvalFlags, names: string): Promise<void> {
  refuse(flags, { split: '--split' }, 'is of records; a benchmark has variants, NAME:VARIANT');
  refuse(flags, { urls: '--urls' }, "is of records; a benchmark's pictures are in its files");
  if (isAddress(flags.model)) refuseFolderFlags(flags);
  else {
    modelFolder(flags.model);
    refuseServerFlags(flags);
  }
  threadsOf(flags.threads);
  const sampling = await samplingOf(flags, '2048');
  const wanted = await benchmarksOf(names);
  const extractor = await extractorOf(flags, wanted);
  const planned = await plan(flags, sampling, wanted);
  const judge = await judgeOf(flags, sampling);
  const done: { planned: Planned; evaluation: Evaluation }[] = [];
  try {
    const asker = await openAsker(flags, sampling);
    try {
      for (const one of planned) {
        const chooser =
          sampling.bestOf === null
            ? null
            : { judge, judgeName: judgeName(flags), choose: flags.vote ?? ('judge' as const) };
        const evaluation = await evaluateOne(one, {
          asker,
          template: sampling.template,
          samples: sampling.bestOf ?? 1,
          chooser,
          extractor,
          scorer: flags.scorer ?? 'official',
          failures: flags.failures ?? null,
        });
        done.push({ planned: one, evaluation });
      }
    } finally {
      await asker.dispose();
    }
  } finally {
    await judge?.dispose();
  }
  await print(flags, done);
}

/** Names as the flag gives them. Throws InputError. */
async function benchmarksOf(names: string): Promise<{ benchmark: Benchmark; variant: string }[]> {
  const { benchmarkNamed } = await import('../../eval/benchmarks/index.ts');
  const wanted: { benchmark: Benchmark; variant: string }[] = [];
  for (const text of names.split(',')) {
    const [name, variant, ...rest] = text.trim().split(':');
    const benchmark = await benchmarkNamed(name, `--benchmark ${text.trim()}`);
    const { variants } = benchmark.asking;
    if (rest.length > 0 || (variant !== undefined && !variants.includes(variant)))
      throw new InputError(`--benchmark ${text.trim()}: its variants are ${variants.join(', ')}`);
    wanted.push({ benchmark, variant: variant ?? variants[0] });
  }
  const label = ({ benchmark, variant }: (typeof wanted)[number]) => `${benchmark.name}:${variant}`;
  const twice = wanted.find((one, i) => wanted.findIndex((other) => label(other) === label(one)) !== i);
  if (twice !== undefined) throw new InputError(`--benchmark ${names}: ${label(twice)} stands there twice`);
  return wanted;
}

/** Opens all questions, and looks at all folders, before anything is asked. Throws InputError. */
async function plan(
  flags: EvalFlags,
  sampling: Awaited<ReturnType<typeof samplingOf>>,
  wanted: readonly { benchmark: Benchmark; variant: string }[],
): Promise<Planned[]> {
  const { openPublished } = await import('../../eval/published/questions.ts');
  const { checkFolder, ownFolder } = await import('../../eval/evaluation-folder.ts');
  const model = await shortName(flags);
  const planned: Planned[] = [];
  for (const { benchmark, variant } of wanted) {
    const questions = await openPublished(
      benchmark,
      variant,
      flags.data ?? null,
      sampling.limit,
      flags.root === undefined ? [] : [flags.root],
    );
    const settings = {
      benchmark: benchmark.name,
      variant,
      n: questions.list.length,
      questions: questions.digest,
      ...settingsOf(flags, sampling),
    };
    const main = variant === benchmark.asking.variants[0];
    const name = main ? benchmark.name : `${benchmark.name}-${variant}`;
    const out =
      flags.out === undefined
        ? await ownFolder(join('eval', `${model}-${name}`), settings)
        : wanted.length === 1
          ? flags.out
          : join(flags.out, name);
    await checkFolder(out, settings);
    planned.push({ benchmark, variant, questions, out, settings });
  }
  return planned;
}

type Asking = Omit<
  import('../../eval/evaluate-benchmark.ts').BenchmarkOptions,
  'benchmark' | 'variant' | 'questions' | 'settings' | 'progress'
>;

async function evaluateOne(planned: Planned, asking: Asking): Promise<Evaluation> {
  const { evaluateBenchmark } = await import('../../eval/evaluate-benchmark.ts');
  const { writeBenchmarkReport } = await import('../../experiments/benchmark-report.ts');
  const { out, benchmark, questions } = planned;
  const progress = createProgress();
  const started = new Set<string>();
  try {
    const evaluation = await evaluateBenchmark(out, {
      ...planned,
      ...asking,
      progress: (what, done) => {
        const stage = `${what} ${benchmark.name}`;
        if (!started.has(stage)) progress.start(stage, questions.list.length, done);
        started.add(stage);
        progress.update(stage, done);
        if (done === questions.list.length) progress.finish(stage);
      },
    });
    const { scores, rows } = evaluation;
    if (scores !== null)
      await writeBenchmarkReport(out, {
        benchmark,
        questions,
        template: asking.template,
        rows,
        scores,
      });
    return evaluation;
  } finally {
    progress.stop();
  }
}

async function print(
  { json }: EvalFlags,
  done: readonly { planned: Planned; evaluation: Evaluation }[],
): Promise<void> {
  const scored = done.flatMap(({ planned, evaluation: { scores } }) =>
    scores === null ? [] : [{ ...planned, scores }],
  );
  if (json) {
    const all = scored.map(({ scores }) => scores);
    if (all.length > 0) process.stdout.write(`${JSON.stringify(done.length === 1 ? all[0] : all)}\n`);
  } else if (scored.length > 0) {
    process.stdout.write(`${await tables(scored)}\n`);
    for (const { benchmark, out } of scored)
      process.stdout.write(`${benchmark.title}: ${relative('.', join(out, 'report.html'))}\n`);
  }
  const incomplete = done.flatMap(({ planned: { benchmark }, evaluation }) =>
    evaluation.incomplete === null ? [] : `${benchmark.name}: ${evaluation.incomplete}`,
  );
  if (incomplete.length > 0) throw new RunError(incomplete.join('; '));
}

/** One benchmark in full, several beside each other; and what is published, where figures can be compared. */
async function tables(scored: readonly { benchmark: Benchmark; scores: BenchmarkScores }[]): Promise<string> {
  const { compared } = await import('../../eval/published.ts');
  const { comparisonText } = await import('../../eval/published-views.ts');
  const { comparable } = await import('../../eval/evaluate-benchmark.ts');
  const { benchmarkTable } = await import('../benchmark-table.ts');
  const { bestOfTable } = await import('../scores-table.ts');
  const summaries = scored.flatMap(({ benchmark, scores }) => comparable(benchmark, scores));
  const own = { model: scored[0].scores.model, summaries };
  const [{ benchmark, scores }] = scored;
  const parts = [
    ...(scored.length === 1 ? [benchmarkTable(benchmark.title, figuresOf(scores))] : []),
    benchmarksTable(scored.map(({ benchmark, scores }) => ({ title: benchmark.title, scores }))),
    ...scored.flatMap(({ benchmark, scores: { best_of } }) =>
      best_of === undefined ? [] : `${benchmark.title}\n${bestOfTable(best_of)}\n`,
    ),
    comparisonText(compared([own])),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/** The benchmark's own. */
function figuresOf(scores: BenchmarkScores): Summary {
  const { variant, model, no_response, truncated, extractor, best_of, settings, ...summary } = scores;
  return summary;
}
