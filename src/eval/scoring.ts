/** A benchmark's scores of what a model answered. */
import { answerText } from './benchmarks/answer-text.ts';
import type { Benchmark, Result, Row, Scorer } from './benchmarks/benchmark.ts';

/** A line of predictions.jsonl: the official fields with a response, or with the reason why there is none. */
export type PredictionRow = Row & ({ response: string } | { failure: string });

/** A question without a response, as `sophia eval` writes it with `--failures wrong`. */
export function isFailed(value: unknown): value is Row & { failure: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { failure, ...row } = value as Row;
  return typeof failure === 'string' && !('response' in row || 'prediction' in row || 'extraction' in row);
}

/**
 * What stands in for a response that is not there. A scorer may read an answer into nothing (MathVista's takes the option
 * most like it) or into anything else, but no answer is right whatever stands here.
 */
const NO_RESPONSE = ['', 'Z', 'A', 'B', '0', 'yes', 'no'];

/** Scores rows; those without a response come out wrong. Throws InputError for a row that is not the benchmark's. */
export function scored(
  benchmark: Benchmark,
  rows: readonly PredictionRow[],
  scorer: Scorer,
  source = benchmark.name,
): Result {
  const attempt = rows.map(() => 0);
  for (;;) {
    const result = benchmark.score(
      rows.map((row, i) =>
        benchmark.parse(
          isFailed(row) ? { ...row, response: NO_RESPONSE[attempt[i]] } : row,
          `${source}:${i + 1}`,
        ),
      ),
      scorer,
    );
    const lucky = rows.flatMap((row, i) => (isFailed(row) && result.rows[i].hit ? [i] : []));
    if (lucky.length === 0) return result;
    for (const i of lucky) {
      attempt[i] += 1;
      if (attempt[i] === NO_RESPONSE.length) throw new Error(`${source}:${i + 1}: every answer is right`);
    }
  }
}

/** The text that is scored, as votes are counted by it; null for nothing. */
export function spokenAnswer(response: string): string | null {
  const answer = answerText(response).text.replace(/\s+/g, ' ').trim().toLowerCase();
  return answer === '' ? null : answer;
}
