/**
 * A model on a benchmark's published questions: asked, its responses read by rules (and by a language model where the
 * official pipeline has one and it is wanted), scored. A question without a response is never scored by itself.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileWhole } from '../data/atomic.ts';
import { writeJsonl } from '../data/jsonl.ts';
import type { BestOf } from '../data/run-folder.ts';
import type { Asker } from './asking/asker.ts';
import { type Answered, answersIn } from './asking/responses.ts';
import { wrapped } from './asking/template.ts';
import { type Asked, type Chooser, chosenAnswers, rowOf } from './benchmark-choice.ts';
import type { Benchmark, Row, Scorer, Summary } from './benchmarks/benchmark.ts';
import { inFolder, responsesFile, type Settings } from './evaluation-folder.ts';
import { type Extractor, extracted, type StepCounts } from './model-steps.ts';
import type { PublishedQuestions } from './published/questions.ts';
import { type PredictionRow, scored } from './scoring.ts';

export interface BenchmarkOptions {
  benchmark: Benchmark;
  variant: string;
  questions: PublishedQuestions;
  asker: Asker;
  /** How a question is put, with {problem}. */
  template: string;
  /** Responses a question. */
  samples: number;
  /** Who chooses among several; null: there is one. */
  chooser: Chooser | null;
  /** Null: rules alone. */
  extractor: Extractor | null;
  scorer: Scorer;
  /** What a question without a response counts as; null: then there are no scores. */
  failures: 'wrong' | null;
  /** All that responses depend on. */
  settings: Settings;
  progress?: (stage: 'ask' | 'judge' | 'extract', done: number) => void;
}

/** scores.json */
export interface BenchmarkScores extends Summary {
  variant: string;
  /** Folder, or server and its model's name. */
  model: string;
  /** Questions without a response, counted as wrong. */
  no_response: number;
  /** Share of responses cut off by the token limit. */
  truncated: number;
  /** What a language model decided; null: none was asked. */
  extractor: StepCounts | null;
  best_of?: BestOf;
  settings: Settings;
}

export interface Evaluation {
  /** Null where questions have no response, or no reply of the extractor, and nobody said what that counts as. */
  scores: BenchmarkScores | null;
  /** What predictions.jsonl holds, one a question. */
  rows: PredictionRow[];
  /** Why there are no scores, for a person; null: there are. */
  incomplete: string | null;
}

/** Scores that may stand beside published ones: of the variant that is published, all questions asked. */
export function comparable(benchmark: Benchmark, scores: BenchmarkScores): Summary[] {
  const { variant, settings } = scores;
  return variant === benchmark.asking.variants[0] && (settings.limit ?? null) === null ? [scores] : [];
}

/** Throws InputError, RunError; responses that are there by then are kept. */
export async function evaluateBenchmark(dir: string, options: BenchmarkOptions): Promise<Evaluation> {
  return inFolder(dir, options.settings, () => evaluate(dir, options));
}

async function evaluate(dir: string, options: BenchmarkOptions): Promise<Evaluation> {
  const { benchmark, questions, chooser, scorer, failures, progress } = options;
  const answered = await answers(dir, options);
  const asked = questions.list.map(
    ({ fields, source }, i): Asked => ({
      fields: plain(fields),
      source,
      answers: answered[i].responses,
      parts: () => questions.parts(i),
    }),
  );
  const failed = asked.filter((one) => one.answers.some((answer) => 'failure' in answer));
  if (failed.length > 0 && failures === null) {
    const rows = asked.map((one) =>
      rowOf(one.fields, one.answers.find((a) => 'failure' in a) ?? one.answers[0]),
    );
    return incomplete(dir, rows, unanswered(failed, asked.length));
  }
  const chosen =
    chooser === null
      ? null
      : await chosenAnswers(benchmark, asked, chooser, scorer, (done) => progress?.('judge', done));
  const rows = asked.map(({ fields, answers }, i): PredictionRow => {
    const choice = chosen?.choices[i];
    return choice === undefined
      ? rowOf(fields, answers[0])
      : { ...rowOf(fields, answers[choice.chosen]), ...choice };
  });
  return scoredEvaluation(dir, rows, chosen?.best_of ?? null, options);
}

async function answers(dir: string, options: BenchmarkOptions): Promise<Answered[]> {
  const { questions, asker, template, samples, settings, progress } = options;
  return answersIn(responsesFile(dir), {
    questions: questions.list.map(({ id, source }, i) => ({
      id,
      key: i,
      source,
      content: async () => wrapped(await questions.parts(i), template),
    })),
    asker,
    samples,
    settings,
    progress: (done) => progress?.('ask', done),
  });
}

async function scoredEvaluation(
  dir: string,
  rows: PredictionRow[],
  best_of: BestOf | null,
  options: BenchmarkOptions,
): Promise<Evaluation> {
  const { benchmark, variant, asker, extractor, scorer, failures, settings, progress } = options;
  const read =
    extractor === null
      ? { rows, counts: null, failure: null }
      : await extracted(benchmark, rows, extractor, join(dir, 'extracted'), (done) =>
          progress?.('extract', done),
        );
  if (read.failure !== null && failures === null)
    return incomplete(
      dir,
      rows,
      `${read.counts.failed} responses have no reply of the extractor (${read.failure}); the same command asks for them again, --failures wrong leaves them to the rules`,
    );
  const result = scored(benchmark, read.rows, scorer);
  const predictions = read.rows.map((row, i) => ({ ...row, hit: result.rows[i].hit }));
  const responses = rows.filter((row) => 'response' in row);
  const scores: BenchmarkScores = {
    ...result.summary,
    variant,
    model: asker.name,
    no_response: rows.length - responses.length,
    truncated: responses.filter((row) => row.finish === 'length').length / Math.max(1, responses.length),
    extractor: read.counts,
    ...(best_of === null ? {} : { best_of }),
    settings,
  };
  await writeJsonl(join(dir, 'predictions.jsonl'), predictions);
  await writeFileWhole(join(dir, 'scores.json'), `${JSON.stringify(scores, null, 2)}\n`);
  return { scores, rows: predictions, incomplete: null };
}

/** What an evaluation before this one made of its responses goes: nothing may stand that the predictions do not say. */
async function incomplete(dir: string, rows: PredictionRow[], why: string): Promise<Evaluation> {
  for (const name of ['scores.json', 'report.html']) await rm(join(dir, name), { force: true });
  await writeJsonl(join(dir, 'predictions.jsonl'), rows);
  return { scores: null, rows, incomplete: why };
}

function unanswered(failed: readonly Asked[], n: number): string {
  const first = failed[0].answers.find((answer) => 'failure' in answer);
  return `${failed.length} of ${n} questions have no response (${first?.failure}); predictions are kept, the same command asks these again, and --failures wrong counts them as wrong`;
}

/** As a file would give them back. */
function plain(fields: Row): Row {
  return JSON.parse(JSON.stringify(fields)) as Row;
}
