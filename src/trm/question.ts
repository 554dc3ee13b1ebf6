/** When two questions are the same, and when two responses say the same. */
import { createHash } from 'node:crypto';
import type { LoadedRecord } from '../data/reader.ts';
import { hash32 } from '../worlds/random.ts';

/**
 * What a question asks of what, whatever its number. A world's text-only questions may come twice under different
 * numbers, and its scenes with another note.
 */
export function questionContent(
  record: Pick<LoadedRecord, 'problem' | 'options' | 'picture' | 'world'>,
): string {
  const { problem, options, picture } = record;
  const { cells, rule, relevant } = (record.world ?? {}) as Record<string, unknown>;
  return JSON.stringify(record.world === undefined ? [problem, options, picture] : [cells, rule, relevant]);
}

/** Which questions are kept for measuring: a pure function of seed and question, so the same in every file. */
export function heldOutQuestions(
  seed: number,
  share: number,
): (record: Parameters<typeof questionContent>[0]) => boolean {
  return (record) => hash32(`${seed} ${questionContent(record)}`, 1) / 2 ** 32 < share;
}

/** The first 72 bits of a SHA-256, as 12 characters: of a million texts two agree with a chance of 1 in 10^10. */
export function digest(...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64').slice(0, 12);
}

/** Tells whether a response to a question is met for the first time. Of each only a digest is kept. */
export function firstTimes(): (record: LoadedRecord, response: string) => boolean {
  const met = new Set<string>();
  return (record, response) => {
    const key = digest(questionContent(record), response);
    if (met.has(key)) return false;
    met.add(key);
    return true;
  };
}
