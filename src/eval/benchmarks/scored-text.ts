/**
 * What of a row is scored: an `extraction` as it stands; else the text inside the response's last `<answer>…</answer>`; else
 * the whole response (the format gate belongs to training).
 */
import { z } from 'zod';
import { answerText } from './answer-text.ts';
import type { Row } from './benchmark.ts';
import { officialNames } from './fields.ts';

/** Both as a prediction file holds them: a number is its digits; null is a request that failed. */
export const scoredCells = {
  response: z
    .union([z.string(), z.number(), z.null()])
    .transform((response) => (response === null ? null : String(response))),
  extraction: z.string().nullish(),
};

/** With `response` where a row has VLMEvalKit's name of it. */
export const withResponse = (value: unknown) => officialNames(value, { response: ['prediction'] });

/** Nothing was said, and no language model read anything in it: never right, and nothing to ask about. */
export const isUnsaid = (row: Row) => row.response === null && typeof row.extraction !== 'string';

export function scoredText(row: Row): string {
  return typeof row.extraction === 'string' ? row.extraction : answerText(String(row.response ?? '')).text;
}

export type DecidedBy = 'rules' | 'extractor' | 'none';

/** Where nothing decides, the row is wrong. */
export function decidedBy(row: Row, decided: boolean): DecidedBy {
  if (!decided) return 'none';
  return typeof row.extraction === 'string' ? 'extractor' : 'rules';
}

export const deciders = ['rules', 'extractor', 'none'] as const;
