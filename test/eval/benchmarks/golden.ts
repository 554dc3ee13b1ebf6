/** Golden rows and files; test/fixtures/scorers/README.md says who made them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Benchmark } from '../../../src/eval/benchmarks/benchmark.ts';

export interface GoldenScore {
  id: string;
  benchmark: string;
  kind: string;
  prediction: string;
  truth: string | string[];
  choices: never;
  question_type?: string;
  answer_type?: string;
  precision?: number | null;
  rows?: Record<string, unknown>[];
  [expected: string]: unknown;
}

export const goldenFile = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/scorers/${name}`, import.meta.url));

/** The rows of one benchmark and kind. */
export function goldenScores(benchmark: string, kind: string): GoldenScore[] {
  const all: GoldenScore[] = readFileSync(goldenFile('public_scorers.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const found = all.filter((row) => row.benchmark === benchmark && row.kind === kind);
  if (found.length === 0) throw new Error(`no golden rows of ${benchmark}, ${kind}`);
  return found;
}

export const goldenJson = (name: string) => JSON.parse(readFileSync(goldenFile(name), 'utf8'));

/** Rows as they are read and scored together. */
export function scoreRows<R extends object>(
  benchmark: Benchmark<R>,
  rows: readonly unknown[],
  scorer: 'official' | 'vlmevalkit' = 'official',
) {
  return benchmark.score(
    rows.map((row, i) => benchmark.parse(row, `rows:${i + 1}`)),
    scorer,
  );
}

/** The same for one row: what is added to it. */
export const scoreRow = <R extends object>(
  benchmark: Benchmark<R>,
  row: unknown,
  scorer: 'official' | 'vlmevalkit' = 'official',
) => scoreRows(benchmark, [row], scorer).rows[0];
