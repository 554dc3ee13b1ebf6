/** `sophia score`: predictions of a benchmark scored by its own rules, without a model. */
import { type Command, Option } from 'commander';
import { InputError } from '../errors.ts';
import type { Row, Scorer } from '../eval/benchmarks/benchmark.ts';
import { benchmarkNames, scorers } from '../eval/benchmarks/benchmark.ts';
import type { PredictionRow } from '../eval/scoring.ts';

interface Flags {
  benchmark: string;
  predictions: string;
  out?: string;
  scorer: Scorer;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('score')
    .description("Score predictions of a benchmark by its own scripts' rules, without a model")
    .requiredOption('--benchmark <name>', `whose rules hold: ${benchmarkNames.join(', ')}`)
    .requiredOption('--predictions <file>', 'rows with the benchmark’s field names, or - for standard input')
    .option('--out <file>', 'writes the rows with `hit` as JSON Lines')
    .addOption(
      new Option('--scorer <school>', 'the benchmark’s own rules, or VLMEvalKit’s')
        .choices(scorers)
        .default('official'),
    )
    .option('--json', 'print the scores as JSON')
    .action(score);
}

async function score(flags: Flags): Promise<void> {
  const { benchmarkNamed } = await import('../eval/benchmarks/index.ts');
  const { readPredictions } = await import('../eval/prediction-file.ts');
  const { isFailed, scored } = await import('../eval/scoring.ts');
  const benchmark = await benchmarkNamed(flags.benchmark, `--benchmark ${flags.benchmark}`);
  const values: unknown[] = [];
  const rows: Row[] = [];
  for await (const { value, source } of readPredictions(flags.predictions, benchmark.name)) {
    rows.push(benchmark.parse(isFailed(value) ? { ...value, response: null } : value, source));
    values.push(value);
  }
  if (rows.length === 0) throw new InputError(`${flags.predictions}: holds no rows`);
  const result = values.some(isFailed)
    ? scored(benchmark, values as PredictionRow[], flags.scorer)
    : benchmark.score(rows, flags.scorer);
  if (flags.out !== undefined) {
    const { writeJsonl } = await import('../data/jsonl.ts');
    await writeJsonl(
      flags.out,
      result.rows.map((found, i) => ({ ...(values[i] as object), ...found })),
    );
  }
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(result.summary)}\n`);
    return;
  }
  const { benchmarkTable } = await import('./benchmark-table.ts');
  process.stdout.write(benchmarkTable(benchmark.title, result.summary));
}
