/**
 * The rows of the TRM's data, one response each, as they grow from stage to stage (docs/trm.md has the table): a record
 * with a response, what is known of the response, then its score.
 */
import { dirname } from 'node:path';
import { z } from 'zod';
import { OWN_FOLDER, type PictureAccess } from '../data/pictures/access.ts';
import { relativeAddress } from '../data/pictures/address.ts';
import { type LoadedRecord, loadRecord } from '../data/records/reader.ts';
import type { DataRecord, ScoredStep } from '../data/records/record.ts';
import { parseWith } from '../data/validate.ts';

export type { ScoredStep };

/** What `collect` knows of a response. */
export interface Collected {
  response: string;
  /** `length`: cut off by the token limit. */
  finish: 'stop' | 'length';
  format_ok: boolean;
  /** Ro */
  outcome: number;
  /** Exact match of the answer. */
  right: boolean;
  /** Who wrote it. */
  policy: string;
}

/** What `annotate` adds. */
export interface Annotated extends Collected {
  score: number | null;
  failure: string | null;
  annotator: string;
  /** Where single steps were scored. */
  steps?: ScoredStep[];
}

export const collectedSchema = z.object({
  response: z.string(),
  finish: z.enum(['stop', 'length']),
  format_ok: z.boolean(),
  outcome: z.number(),
  right: z.boolean(),
  policy: z.string(),
});

const score = z.number().min(0).max(1);
export const annotatedSchema = collectedSchema.extend({
  score: score.nullable(),
  failure: z.string().nullable(),
  annotator: z.string(),
  steps: z.array(z.object({ text: z.string(), score })).optional(),
});

/** What is needed to learn from a row. */
export const lessonSchema = z.object({
  response: z.string(),
  score: score.nullable(),
  steps: annotatedSchema.shape.steps,
});

/** A row in use: its record with the picture's whole path and where it stands, and what is known of the response. */
export interface Row<T> {
  record: LoadedRecord;
  facts: T;
}

/** What a TRM learns from and is measured on: a question, a response to it, and its score. */
export interface ScoredResponse {
  record: LoadedRecord;
  response: string;
  score: number;
}

/** Reads a row of `file`. Throws InputError `SOURCE: key: …`. */
export function parseRow<T extends Collected>(
  schema: z.ZodType<T>,
  value: unknown,
  source: string,
  file: string,
  access: PictureAccess = OWN_FOLDER,
): Row<T> {
  return { record: loadRecord(value, source, file, access), facts: parseWith(schema, value, source) };
}

/** A row as it is written to `file`: the picture's path relative to that file. */
export function rowOf<T extends { response: string }>(
  { record, facts }: Row<T>,
  file: string,
): DataRecord & T {
  const {
    picture,
    roots: _roots,
    source: _,
    response: _response,
    score: _score,
    steps: _steps,
    ...rest
  } = record;
  return { ...rest, path: picture === null ? '' : relativeAddress(dirname(file), picture), ...facts };
}
