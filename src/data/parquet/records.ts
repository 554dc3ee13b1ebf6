/**
 * Records in a Parquet file. Opening checks every row but decodes no picture: of a column of pictures at most the levels
 * are read, and a row's picture is an address that is read when it is needed. Rows are decoded a row group at a time,
 * and the last few row groups stay at hand.
 */
import { basename } from 'node:path';
import { InputError } from '../../errors.ts';
import { decodeUtf8 } from '../jsonl.ts';
import { pathIn, recordFields } from '../records/record.ts';
import { openParquet, type ParquetFile } from './parquet.ts';
import { embeddedBytes, type PicturePlace, picturePlace } from './picture.ts';

export interface ParquetRows {
  length: number;
  /** Rows of each row group. */
  groups: number[];
  /** Row `row` (0-based) as JSON has it, with the picture's address in its `path`; `source` is `FILE#ROW`. */
  get(row: number): Promise<{ value: ParquetRow; source: string }>;
  /** All rows of a row group. Throws InputError where it cannot be read. */
  group(g: number): Promise<ParquetRow[]>;
}

/** A row, or what is wrong with it: `FILE#ROW: COLUMN: …`. */
export type ParquetRow = Record<string, unknown> | InputError;

/** Decoded row groups of several files, the latest last; shared so that many shards need no more memory than one. */
export type RowCache = Map<string, Promise<ParquetRow[]>>;

/** So many rows stay decoded, or one row group. */
const MOST_ROWS = 16_384;

/** Throws InputError. */
export async function openParquetRows(file: string, cache: RowCache = new Map()): Promise<ParquetRows> {
  const parquet = await openParquet(file);
  const place = picturePlace(parquet);
  const columns = columnsOf(parquet, place);
  const starts = [0];
  for (const rows of parquet.groups) starts.push(starts[starts.length - 1] + rows);

  const embedded: Embedded[] = [];
  const group = async (g: number): Promise<ParquetRow[]> => {
    const rows = await parquet.rows(starts[g], starts[g + 1], columns);
    if (place !== null) embedded[g] ??= await embeddedIn(parquet, place, g, rows);
    return rows.map((row, i) => {
      const number = starts[g] + i;
      const value = recordOf(row, `${file}#${number}`);
      if (place === null || value instanceof InputError) return value;
      const { [place.column]: cell, ...rest } = value;
      if (isIn(embedded[g], i)) return { ...rest, path: `${basename(file)}#${number}` };
      const named = pathIn(cell);
      return named === null ? rest : { ...rest, path: named };
    });
  };
  const kept = (g: number): Promise<ParquetRow[]> => {
    const key = `${file} ${g}`;
    const known = cache.get(key);
    const rows = known ?? group(g);
    cache.delete(key);
    cache.set(key, rows);
    if (known === undefined) {
      sizes.set(rows, parquet.groups[g]);
      trim(cache);
      rows.catch(() => cache.delete(key));
    }
    return rows;
  };
  return {
    length: parquet.length,
    groups: parquet.groups,
    group,
    get: async (row) => {
      const g = starts.findLastIndex((start) => start <= row);
      return { value: (await kept(g))[row - starts[g]], source: `${file}#${row}` };
    },
  };
}

/** Which rows of a row group have their pictures' bytes in it: all, none, or those said. */
type Embedded = boolean | readonly boolean[];

const isIn = (embedded: Embedded, row: number): boolean =>
  typeof embedded === 'boolean' ? embedded : embedded[row];

/**
 * By the count of nulls where it leaves no choice: no bytes missing, none there, or as many missing as there are rows
 * without the struct. Otherwise the bytes' levels are read.
 */
async function embeddedIn(
  parquet: ParquetFile,
  place: PicturePlace,
  g: number,
  rows: readonly Record<string, unknown>[],
): Promise<Embedded> {
  const nulls = parquet.nulls(place.bytes, g);
  if (nulls === 0) return true;
  const flat = place.bytes === place.column || place.bytes === `${place.column}.bytes`;
  if (flat && nulls === rows.length) return false;
  const structs = rows.map((row) => row[place.column] != null);
  if (flat && place.path !== null && structs.filter((there) => !there).length === nulls) return structs;
  return parquet.present(place.bytes, g);
}

const sizes = new WeakMap<Promise<unknown>, number>();

function trim(cache: RowCache): void {
  let rows = 0;
  for (const group of cache.values()) rows += sizes.get(group) ?? 0;
  for (const [key, group] of cache) {
    if (rows <= MOST_ROWS || cache.size === 1) return;
    rows -= sizes.get(group) ?? 0;
    cache.delete(key);
  }
}

/** What a record is made of, and of pictures the file names alone. */
function columnsOf({ columns }: ParquetFile, place: PicturePlace | null): string[] {
  const known = columns.filter((name) => recordFields.includes(name) && name !== place?.column);
  return place?.path ? [...known, place.path] : known;
}

/** A row as JSON has it, or what is wrong with one of its cells. */
function recordOf(row: Record<string, unknown>, source: string): ParquetRow {
  try {
    const cells = Object.entries(row).map(([key, cell]) => {
      const json = asJson(cell, `${source}: ${key}`);
      return [key, key === 'world' ? worldOf(json) : json];
    });
    return Object.fromEntries(cells);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

/** Text that its writer has not marked as such, and integers beyond what a number holds. */
function asJson(cell: unknown, source: string): unknown {
  if (typeof cell === 'bigint') return String(cell);
  const bytes = cell instanceof Uint8Array ? embeddedBytes(cell) : null;
  if (bytes !== null) return decodeUtf8(bytes, source);
  if (cell instanceof Uint8Array) return '';
  if (cell instanceof Date) throw new InputError(`${source}: holds dates; write text or numbers`);
  return cell;
}

/**
 * A world's facts differ from question to question: a column of structs has all their keys, null where they are not
 * meant, and other writers put them into JSON text.
 */
function worldOf(cell: unknown): unknown {
  if (typeof cell !== 'string') return withoutNullKeys(cell);
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}

function withoutNullKeys(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(given.map(([key, inner]) => [key, withoutNullKeys(inner)]));
}
