/** When two questions are the same, and when two responses say the same. */
import { createHash } from 'node:crypto';
import { addressName } from '../data/pictures/address.ts';
import type { LoadedRecord } from '../data/records/reader.ts';
import { hash32 } from '../worlds/random.ts';

type Question = Pick<LoadedRecord, 'problem' | 'options' | 'picture' | 'world'>;

/**
 * What a question asks of what, whatever its number. A world's text-only questions may come twice under different
 * numbers, and its scenes with another note.
 */
export function questionContent({ problem, options, picture, world }: Question): string {
  const { cells, rule, relevant } = (world ?? {}) as Record<string, unknown>;
  return JSON.stringify(world === undefined ? [problem, options, picture] : [cells, rule, relevant]);
}

/**
 * Which questions are kept for measuring: a pure function of seed and question, so the same in every file. Of a picture
 * its file's name counts and not the folder, so that data that was moved is split as before.
 */
export function heldOutQuestions(seed: number, share: number): (record: Question) => boolean {
  return (record) => {
    const picture = record.picture === null ? null : addressName(record.picture);
    return hash32(`${seed} ${questionContent({ ...record, picture })}`, 1) / 2 ** 32 < share;
  };
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
