/** Responses whose quality is known, as the bench takes them: rows of docs/trm.md, or any record with response and score. */
import { OWN_FOLDER, type PictureAccess } from '../../data/pictures/access.ts';
import { type LoadedRecord, openRecords } from '../../data/records/reader.ts';
import { InputError } from '../../errors.ts';
import { parseResponse } from '../../rewards/format.ts';
import { outcomeReward } from '../../rewards/outcome.ts';
import { keyed } from '../../worlds/random.ts';
import { questionContent } from '../question.ts';

/** At this known quality and above, a response's reasoning is sound. */
export const SOUND = 0.5;

export interface BenchRow {
  record: LoadedRecord;
  response: string;
  /** How sound its reasoning is, 0…1. */
  known: number;
  /** Exact match of the answer. */
  right: boolean;
}

/** Rows a question: what is resampled for intervals, and within what responses are compared. */
export type Questions<R = BenchRow> = R[][];

export interface BenchRows {
  questions: Questions;
  /** Rows of the file. */
  read: number;
  left_out: {
    /** Rows without a score. */
    unknown: number;
    /** A broken format is scored 0 by rule: no judge is asked. */
    broken_format: number;
    /** Beyond `limit`. */
    limit: number;
  };
}

/**
 * Reads the rows of a file. With `limit`, whole questions are drawn by the seed until so many responses are there.
 * Throws InputError naming file, line and key.
 */
export async function openBenchRows(
  file: string,
  limit: number | null,
  seed: number,
  access: PictureAccess = OWN_FOLDER,
): Promise<BenchRows> {
  const records = await openRecords(file, { access });
  const left_out = { unknown: 0, broken_format: 0, limit: 0 };
  const byQuestion = new Map<string, BenchRow[]>();
  for (let i = 0; i < records.length; i++) {
    const { response, score, ...record } = await records.get(i);
    if (response === undefined)
      throw new InputError(
        `${record.source}: response: is missing; the bench needs records with a response and its known score`,
      );
    if (score === undefined) left_out.unknown += 1;
    else if (parseResponse(response) === null) left_out.broken_format += 1;
    else {
      const right = outcomeReward({
        problemType: record.problem_type,
        response,
        solution: record.solution,
      }).exact;
      const key = questionContent(record);
      const rows = byQuestion.get(key) ?? [];
      byQuestion.set(key, rows);
      rows.push({ record, response, known: score, right });
    }
  }
  const all = [...byQuestion.values()];
  if (all.length === 0)
    throw new InputError(
      `${file}: holds no response to measure on: ${left_out.unknown} without a score, ${left_out.broken_format} of broken format`,
    );
  const questions = drawn(all, limit, seed);
  left_out.limit = all.flat().length - questions.flat().length;
  return { questions, read: records.length, left_out };
}

/** In the file's order, the last one drawn cut to fit. */
function drawn(all: Questions, limit: number | null, seed: number): Questions {
  if (limit === null || all.flat().length <= limit) return all;
  const taken = new Map<number, number>();
  let free = limit;
  for (const i of keyed('bench', 'limit', seed).permutation(all.length)) {
    const n = Math.min(free, all[i].length);
    if (n > 0) taken.set(i, n);
    free -= n;
  }
  return all.flatMap((rows, i) => (taken.has(i) ? [rows.slice(0, taken.get(i))] : []));
}
