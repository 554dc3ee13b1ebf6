/**
 * A file of scored responses as lessons and as a held-out set, split by question so that nothing a TRM is measured on
 * was learnt from. Of the file only offsets and scores stay in memory.
 */
import { readJsonl } from '../data/jsonl.ts';
import { OWN_FOLDER, type PictureAccess } from '../data/pictures/access.ts';
import { openRecords, type Records } from '../data/records/reader.ts';
import { parseWith } from '../data/validate.ts';
import { InputError } from '../errors.ts';
import type { LessonRows } from './lessons.ts';
import { canBeJudged } from './prompt.ts';
import { heldOutQuestions } from './question.ts';
import type { ScoredResponse } from './rows.ts';
import { lessonSchema } from './rows.ts';
import { prefixRows } from './steps/lessons.ts';

export interface LessonFile {
  /** What is learnt: responses, or every beginning of one. */
  lessons: LessonRows;
  /** Responses to questions that no lesson is of. */
  heldOut: { length: number; get(i: number): Promise<ScoredResponse> };
  /** Responses behind the lessons. */
  learnt: number;
  /** Rows without a score, or that no judge can be shown. */
  left: number;
}

export interface LessonFileOptions {
  /** Share of the questions that is held out, 0…1. */
  heldOut: number;
  seed: number;
  /** Learn every step of a response, as `annotate --by-step` scored it. */
  bySteps: boolean;
  /** What rows may name as pictures. */
  access?: PictureAccess;
}

/** Throws InputError naming file, line and key: a wrong row, nothing to learn from. */
export async function openLessonFile(
  file: string,
  { heldOut: share, seed, bySteps, access = OWN_FOLDER }: LessonFileOptions,
): Promise<LessonFile> {
  const records = await openRecords(file, { access });
  const isHeldOut = heldOutQuestions(seed, share);
  const rows: number[] = [];
  const held: number[] = [];
  const scores: number[] = [];
  /** Of each lesson: its row, and which of the row's steps it ends with. */
  const places: { row: number; step: number }[] = [];
  let i = -1;
  for await (const { value, source } of readJsonl(file)) {
    i += 1;
    const { response, score, steps } = parseWith(lessonSchema, value, source);
    if (score === null || !canBeJudged(response)) continue;
    if (share > 0 && isHeldOut(await records.get(i))) {
      held.push(i);
      continue;
    }
    if (bySteps && steps === undefined)
      throw new InputError(`${source}: steps: missing; score the steps first, with trm annotate --by-step`);
    rows.push(i);
    const parts = bySteps ? steps!.map((step) => step.score) : [score];
    parts.forEach((part, step) => {
      places.push({ row: i, step });
      scores.push(part);
    });
  }
  if (rows.length === 0) throw new InputError(`${file}: holds no scored responses to learn from`);
  return {
    lessons: {
      scores,
      get: async (lesson) => {
        const { row, step } = places[lesson];
        const whole = await scoredAt(records, row);
        return bySteps ? prefixRows(whole)[step] : whole;
      },
    },
    heldOut: { length: held.length, get: (at) => scoredAt(records, held[at]) },
    learnt: rows.length,
    left: i + 1 - rows.length - held.length,
  };
}

async function scoredAt(records: Records, i: number) {
  const record = await records.get(i);
  return { record, response: record.response!, score: record.score!, steps: record.steps! };
}
