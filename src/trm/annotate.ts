/**
 * The TRM's training data, second stage: a judge scores responses (paper, section 3.2: a model of 72 B parameters). What
 * cannot be scored says why and costs its row alone.
 */
import { pMapIterable } from 'p-map';
import { pictureAddress, shownAddress } from '../data/pictures/address.ts';
import type { LoadedRecord } from '../data/records/reader.ts';
import { InputError } from '../errors.ts';
import { failed, type Judge, type JudgeScore } from './judge.ts';
import { canBeJudged } from './prompt.ts';
import type { Annotated, Collected, Row } from './rows.ts';

/** Failures begin with a reason, up to a colon. Of rows that the judge cannot judge, whatever it is asked: */
export const REFUSED = 'refused';
/** Of responses that no judge is shown: cut off by the token limit, not of the format, asking for a picture. */
export const NOT_SHOWN = ['truncated', 'broken format', 'picture placeholder'];

/** What gives scores: a judge, or who needs to know the solution to say what each step is worth. */
export interface Annotator extends Pick<Judge, 'name' | 'takes'> {
  score(responses: { record: LoadedRecord; response: string }[]): Promise<JudgeScore[]>;
}

/** One that holds something: a model, an engine. */
export type OpenAnnotator = Annotator & Pick<Judge, 'dispose'>;

export interface AnnotateOptions {
  /** How rows name the judge; by default the judge's own name. */
  annotator?: string;
  /** Rows that have a score keep it. */
  keepScored?: boolean;
}

/** Responses that a judge who takes singly is given at once; how many it works on is its own business. */
const WINDOW = 256;
/** Responses that a judge who takes together is given at once. Batches begin at multiples of it, wherever one goes on. */
export const BATCH = 256;

/** The rows with their scores, in order. Throws what a judge throws beside InputError. */
export async function* annotate(
  rows: AsyncIterable<Row<Collected>> | Iterable<Row<Collected>>,
  judge: Annotator,
  { annotator = judge.name, keepScored = false }: AnnotateOptions = {},
): AsyncGenerator<Row<Annotated>> {
  const annotated = (row: Row<Collected>, score: JudgeScore): Row<Annotated> => ({
    ...row,
    facts: { ...row.facts, ...score, annotator },
  });
  const settled = (row: Row<Collected>): Row<Annotated> | null => {
    if (keepScored && isScored(row)) return row;
    const failure = whyNotJudged(row.facts);
    return failure === null ? null : annotated(row, failed(failure));
  };

  if (judge.takes === 'singly') {
    const one = async (row: Row<Collected>) =>
      settled(row) ?? annotated(row, (await scores(judge, [row]))[0]);
    yield* pMapIterable(rows, one, { concurrency: WINDOW, backpressure: 2 * WINDOW });
    return;
  }
  for await (const batch of batches(rows)) {
    const known = batch.map(settled);
    const asked = batch.filter((_, i) => known[i] === null);
    const given = await scores(judge, asked);
    let next = 0;
    for (const [i, row] of batch.entries()) yield known[i] ?? annotated(row, given[next++]);
  }
}

/** Why no judge is shown a response; null where one is. */
function whyNotJudged({ response, finish, format_ok }: Collected): string | null {
  const [truncated, broken, placeholder] = NOT_SHOWN.map((reason) => `${reason}: not judged`);
  if (finish === 'length') return truncated;
  if (!format_ok) return broken;
  return canBeJudged(response) ? null : placeholder;
}

function isScored(row: Row<Collected>): row is Row<Annotated> {
  return typeof (row.facts as Annotated).score === 'number';
}

async function scores(judge: Annotator, rows: Row<Collected>[]): Promise<JudgeScore[]> {
  if (rows.length === 0) return [];
  try {
    const given = await judge.score(rows.map(({ record, facts }) => ({ record, response: facts.response })));
    return given.map((score, i) =>
      score.failure === null ? score : failed(explained(rows[i], score.failure)),
    );
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (rows.length === 1) return [failed(explained(rows[0], error.message, REFUSED))];
    // one of them cannot be judged; halving finds it and keeps the others together
    const half = rows.length >> 1;
    return [...(await scores(judge, rows.slice(0, half))), ...(await scores(judge, rows.slice(half)))];
  }
}

/** A failure that begins with its reason; where the row stands is the row's to say. */
function explained({ record }: Row<Collected>, failure: string, reason: string | null = null): string {
  const start = `${record.source}: `;
  const said = failure.startsWith(start) ? failure.slice(start.length) : failure;
  const ofPicture = record.picture !== null && isAbout(record.picture, said);
  const opening = ofPicture ? 'unreadable picture' : reason;
  return opening === null ? said : `${opening}: ${said}`;
}

/** Whether a message is about a picture: about its record's path, or naming its file. */
function isAbout(picture: string, said: string): boolean {
  const at = pictureAddress(picture);
  return said.startsWith('path: ') || said.includes(shownAddress(at.kind === 'url' ? at.url : at.file));
}

async function* batches<T>(rows: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
