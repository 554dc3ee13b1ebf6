/**
 * A benchmark as plain functions: how its published rows are asked, and how its official scorer reads the responses.
 * One file beside this one a benchmark, each citing the scorer that it follows and its commit. Nothing here reads files
 * or asks models.
 */

export const benchmarkNames = [
  'mathvista',
  'mathverse',
  'mmmu',
  'mme',
  'mmstar',
  'chartqa',
  'mmbench',
] as const;
export type BenchmarkName = (typeof benchmarkNames)[number];

/** `official`: the benchmark's own scripts. `vlmevalkit`: VLMEvalKit's, where the two differ. */
export const scorers = ['official', 'vlmevalkit'] as const;
export type Scorer = (typeof scorers)[number];

/** A row with the benchmark's official field names; of a prediction file it also holds `response`. */
export type Row = Record<string, unknown>;

export interface Benchmark<R extends object = Row> {
  name: BenchmarkName;
  /** As a table heads it, e.g. `MathVista (testmini)`. */
  title: string;
  /** Checks a row of a prediction file; further fields do no harm. Throws InputError `SOURCE: KEY: …`. */
  parse(value: unknown, source: string): R;
  /** Scores all rows together: some rules need a row's sisters. */
  score(rows: readonly R[], scorer: Scorer): Result;
  asking: Asking;
  /** Steps where the official pipeline asks a language model, in their order; empty where it asks none. */
  model: ModelStep<R>[];
}

/** Fields of a result that say what was read in a response: equal answers have equal texts there. */
export const READ = ['extracted', 'normalized', 'parsed_pred'] as const;

export interface Result {
  summary: Summary;
  /** What is added to each row, in order; of it, `READ` is what the scorer has read in the response. */
  rows: ({ hit: boolean } & Row)[];
}

/** Beside these, figures in the benchmark's own terms. Shares are 0…1; points (MME) are the benchmark's. */
export interface Summary {
  benchmark: BenchmarkName;
  scorer: Scorer;
  n: number;
  correct: number;
  accuracy: number;
  /** By each of the benchmark's own ways of sorting its questions: {category: {skill: {…}, task: {…}}} or {category: {…}}. */
  per_category: Record<string, unknown>;
  [figure: string]: unknown;
}

/** How the official harness asks a row of the published files. */
export interface Asking {
  /** What can be evaluated, the default first: `testmini`, or `en`, `cn`. */
  variants: string[];
  /**
   * Published files of a variant, below the data folder: names with `*`, the first that are found count. Parquet as in the
   * hub's repository, TSV as VLMEvalKit publishes it, JSON as in the benchmark's own repository.
   */
  files(variant: string): string[];
  /** The repository of the hub that publishes them, e.g. `AI4Math/MathVista`. */
  hub: string;
  /** Throws InputError `SOURCE: KEY: …` for a row that is not of the published layout. */
  question(published: Row, source: string, variant: string): Question;
}

export interface Question {
  /** One a row of the benchmark, stable. */
  id: string;
  /** What is shown, in order. */
  parts: Part[];
  /** The official fields that scoring needs, without a response: what predictions.jsonl keeps. */
  fields: Row;
}

/** A picture as the published files hold it: encoded bytes, base64, or a path below the data folder. */
export type Part = { text: string } | { picture: Uint8Array | { base64: string } | { path: string } };

/** One question to a language model about a response, e.g. MathVista's extraction or MathVerse's judgement. */
export interface ModelStep<R extends object = Row> {
  name: 'extract' | 'judge';
  /** The official prompt's wording in ours, replaceable by a file; `{question}`, `{response}` … are filled in. */
  template: string;
  /** Null: the rules decide this row, and no model is asked. */
  prompt(row: R, template: string): string | null;
  /** The row with what the model said; null where its reply decides nothing (it is then left to the rules). */
  read(row: R, reply: string): R | null;
}
