/** Writes the report of an evaluated benchmark: right and wrong answers at even distances, with their pictures. */
import { join } from 'node:path';
import { writeFileWhole } from '../data/atomic.ts';
import { InputError } from '../errors.ts';
import { wrapped } from '../eval/asking/template.ts';
import type { Benchmark } from '../eval/benchmarks/benchmark.ts';
import { type BenchmarkScores, comparable } from '../eval/evaluate-benchmark.ts';
import type { PublishedQuestions } from '../eval/published/questions.ts';
import { compared } from '../eval/published.ts';
import type { PredictionRow } from '../eval/scoring.ts';
import { type BenchmarkExample, buildBenchmarkReport } from './report/benchmark.ts';
import { thumbnail } from './report/thumbnail.ts';

export interface ReportedEvaluation {
  benchmark: Benchmark;
  questions: PublishedQuestions;
  template: string;
  rows: readonly PredictionRow[];
  scores: BenchmarkScores;
}

const MOST_WRONG = 24;
const MOST_RIGHT = 12;
const MOST_FAILURES = 50;
/** Of one question. */
const MOST_PICTURES = 4;

/** Writes `report.html` into the evaluation's folder, whole or not at all. */
export async function writeBenchmarkReport(dir: string, evaluation: ReportedEvaluation): Promise<void> {
  const { benchmark, questions, rows, scores } = evaluation;
  const numbers = rows.map((_, i) => i);
  const answered = numbers.filter((i) => 'response' in rows[i]);
  const wrong = answered.filter((i) => rows[i].hit !== true);
  const right = answered.filter((i) => rows[i].hit === true);
  const failures = numbers.flatMap((i) => {
    const row = rows[i];
    return 'response' in row ? [] : [{ id: questions.list[i].id, reason: String(row.failure) }];
  });
  const page = buildBenchmarkReport({
    title: benchmark.title,
    scores,
    wrong: { of: wrong.length, examples: await examples(spread(wrong, MOST_WRONG), evaluation) },
    right: { of: right.length, examples: await examples(spread(right, MOST_RIGHT), evaluation) },
    failures: failures.slice(0, MOST_FAILURES),
    compared: compared([{ model: scores.model, summaries: comparable(benchmark, scores) }]),
  });
  await writeFileWhole(join(dir, 'report.html'), page);
}

/** So many of the items at most, at even distances. */
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]);
}

async function examples(
  numbers: readonly number[],
  { questions, template, rows }: ReportedEvaluation,
): Promise<BenchmarkExample[]> {
  const made: BenchmarkExample[] = [];
  for (const i of numbers) {
    const row = rows[i] as PredictionRow & { response: string };
    const parts = wrapped(await partsOf(questions, i), template);
    const pictures = [];
    for (const part of parts)
      if ('picture' in part && pictures.length < MOST_PICTURES)
        pictures.push(await thumbnail(part.picture, part.source));
    const { answer, extraction } = row;
    made.push({
      id: questions.list[i].id,
      right: row.hit === true,
      question: parts.flatMap((part) => ('text' in part ? [part.text] : [])).join('\n'),
      pictures: pictures.filter((picture) => picture !== null),
      answer: answer === undefined || answer === null ? null : spelt(answer),
      response: row.response,
      extraction: extraction === undefined || extraction === null ? null : spelt(extraction),
      truncated: row.finish === 'length',
    });
  }
  return made;
}

/** A question that cannot be shown any more costs the report its pictures only. */
async function partsOf(questions: PublishedQuestions, i: number) {
  try {
    return await questions.parts(i);
  } catch (error) {
    if (error instanceof InputError) return [{ text: `(${error.message})` }];
    throw error;
  }
}

const spelt = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
