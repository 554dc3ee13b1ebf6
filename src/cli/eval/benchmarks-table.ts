/** Scores of a model on several benchmarks, for the terminal. */
import Table from 'cli-table3';
import type { BenchmarkScores } from '../../eval/evaluate-benchmark.ts';
import { fixed } from '../../experiments/stats.ts';
import { RULES } from '../../experiments/table.ts';

export interface ScoredBenchmark {
  title: string;
  scores: BenchmarkScores;
}

const percent = (share: number) => `${fixed(100 * share, 1)} %`;

/** One line a benchmark; ends with a newline. */
export function benchmarksTable(scored: readonly ScoredBenchmark[]): string {
  const decided = scored.some(({ scores }) => scores.extractor !== null);
  const missing = scored.some(({ scores }) => scores.no_response > 0);
  const head = [
    'benchmark',
    'n',
    'accuracy',
    ...(decided ? ['read by\na model'] : []),
    ...(missing ? ['no\nresponse'] : []),
    'cut off',
  ];
  const table = new Table({
    chars: RULES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head,
    colWidths: [28, ...head.slice(1).map(() => 12)],
    colAligns: ['left', ...head.slice(1).map(() => 'right' as const)],
  });
  for (const { title, scores } of scored)
    table.push([
      title,
      String(scores.n),
      percent(scores.accuracy),
      ...(decided ? [scores.extractor === null ? '–' : percent(scores.extractor.share)] : []),
      ...(missing ? [String(scores.no_response)] : []),
      percent(scores.truncated),
    ]);
  return `${table.toString()}\n`;
}
