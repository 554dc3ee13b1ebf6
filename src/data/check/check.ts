/**
 * Reads a whole set of records and says of every row what would keep it from being trained on, instead of stopping at the
 * first: broken JSON, a wrong record, a picture that is missing or not one, a number that is given twice, a solution that
 * its own kind of problem could never reward, an empty problem.
 */
import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { InputError } from '../../errors.ts';
import { OWN_FOLDER, type PictureAccess } from '../pictures/access.ts';
import { checkPicture, type LoadedRecord, withPicture } from '../records/reader.ts';
import { type DataRecord, parseRecord } from '../records/record.ts';
import { pictureSize, requireDecodable } from './encoded.ts';
import { messageOf, type RawRow, rawRows, sourceOf, type Unreadable } from './raw-rows.ts';
import { solutionFault } from './solution.ts';

/** Kinds of faults; a row has the first of them that applies. */
export const FAULTS = [
  'unreadable',
  'schema',
  'empty_problem',
  'duplicate_id',
  'solution',
  'missing_picture',
  'bad_picture',
] as const;
export type FaultKind = (typeof FAULTS)[number];

/** What is wrong with a row. */
interface Found {
  kind: FaultKind;
  message: string;
}

export interface Fault extends Found {
  /** `FILE:LINE` … */
  source: string;
  file: string;
  /** Line, record or row; of several rows the first. */
  row: number;
  /** How many rows it is about. */
  rows: number;
}

/** How far pictures are looked at: not at all, that they are there, their headers, or all of them decoded. */
export const PICTURE_CHECKS = ['off', 'present', 'header', 'decode'] as const;
export type PictureCheck = (typeof PICTURE_CHECKS)[number];

export interface Checked {
  file: string;
  rows: number;
  fault: Fault | null;
}

/** Rows that are looked at together: pictures are read side by side. */
const BATCH = 64;
const AT_ONCE = 4;

/** Every row of the files in order, with its fault or none. `access`: what rows may name as pictures. */
export async function* checkRows(
  files: readonly string[],
  pictures: PictureCheck,
  access: PictureAccess = OWN_FOLDER,
): AsyncGenerator<Checked> {
  const check = rowCheck(files, pictures, access);
  for (const [f, file] of files.entries()) {
    let batch: (RawRow | Unreadable)[] = [];
    for await (const row of rawRows(file)) {
      batch.push(row);
      if (batch.length < BATCH) continue;
      yield* await check(f, batch);
      batch = [];
    }
    yield* await check(f, batch);
  }
}

function rowCheck(files: readonly string[], pictures: PictureCheck, access: PictureAccess) {
  // where each problem_id was met first: a file's number and a place in it
  const met = new Map<string, [number, number]>();

  const pictured = (record: DataRecord, { source }: RawRow, f: number): Found | LoadedRecord => {
    if (pictures === 'off') return { ...record, picture: null, source };
    try {
      return withPicture(record, source, files[f], access);
    } catch (error) {
      return { kind: 'missing_picture', message: messageOf(error, source) };
    }
  };

  const faultOf = (row: RawRow, f: number): Found | LoadedRecord => {
    let record: DataRecord;
    try {
      record = parseRecord(row.value, row.source);
    } catch (error) {
      return { kind: 'schema', message: messageOf(error, row.source) };
    }
    if (record.problem.trim() === '') return { kind: 'empty_problem', message: 'problem: is empty' };
    const id = JSON.stringify(record.problem_id);
    const key = id.length > 40 ? createHash('sha256').update(id).digest('base64url') : id;
    const first = met.get(key);
    if (first !== undefined)
      return {
        kind: 'duplicate_id',
        message: `problem_id: ${id.slice(0, 60)} stands at ${sourceOf(files[first[0]], first[1])} already`,
      };
    met.set(key, [f, row.place]);
    const wrong = solutionFault(record);
    return wrong === null ? pictured(record, row, f) : { kind: 'solution', message: `solution: ${wrong}` };
  };

  return async (f: number, rows: readonly (RawRow | Unreadable)[]): Promise<Checked[]> => {
    const said = rows.map((row) =>
      'message' in row ? { kind: 'unreadable' as const, message: row.message } : faultOf(row, f),
    );
    const faults = await pMap(said, (one) => ('kind' in one ? one : pictureFault(one, pictures)), {
      concurrency: AT_ONCE,
    });
    return rows.map((row, i) => {
      const fault = faults[i];
      const count = 'message' in row ? row.rows : 1;
      const { source, place } = row;
      const named = { source, file: files[f], row: place, rows: count };
      return { file: files[f], rows: count, fault: fault === null ? null : { ...named, ...fault } };
    });
  };
}

async function pictureFault(record: LoadedRecord, pictures: PictureCheck): Promise<Found | null> {
  const { picture, roots, source } = record;
  if (picture === null || pictures === 'off') return null;
  try {
    checkPicture(record);
  } catch (error) {
    return { kind: 'missing_picture', message: messageOf(error, source) };
  }
  if (pictures === 'present') return null;
  try {
    await (pictures === 'decode' ? requireDecodable(picture, roots) : pictureSize(picture, roots));
    return null;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { kind: 'bad_picture', message: `picture: ${error.message}` };
  }
}
