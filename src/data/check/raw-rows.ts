/** Rows of record files as they stand, good and bad: a bad one is a reason and does not end the file. */
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { InputError } from '../../errors.ts';
import { decodeUtf8, parseJson, readLines } from '../jsonl.ts';
import { openParquetRows } from '../parquet/records.ts';

export interface RawRow {
  /** Line (JSONL, from 1), record (JSON, from 1) or row (Parquet, from 0). */
  place: number;
  /** `FILE:LINE`, `FILE: record N` or `FILE#ROW`, as messages begin. */
  source: string;
  value: unknown;
}

/** Rows that cannot be read at all. */
export interface Unreadable {
  place: number;
  source: string;
  /** How many rows that is; 1 where the file itself is not read. */
  rows: number;
  message: string;
}

const readers: Record<string, (file: string) => AsyncGenerator<RawRow | Unreadable>> = {
  '.json': jsonRows,
  '.jsonl': jsonlRows,
  '.ndjson': jsonlRows,
  '.parquet': parquetRows,
};

/** All rows of a file, in order. What is wrong with the file as a whole is one unreadable row. */
export async function* rawRows(file: string): AsyncGenerator<RawRow | Unreadable> {
  try {
    yield* readers[extname(file).toLowerCase()](file);
  } catch (error) {
    yield { place: 0, source: file, rows: 1, message: messageOf(error, file) };
  }
}

/** How a row is called in messages. */
export function sourceOf(file: string, place: number): string {
  const kind = extname(file).toLowerCase();
  if (kind === '.parquet') return `${file}#${place}`;
  return kind === '.json' ? `${file}: record ${place}` : `${file}:${place}`;
}

/** The message without the row's own name in front. Anything but an InputError is a defect. */
export function messageOf(error: unknown, source: string): string {
  if (!(error instanceof InputError)) throw error;
  return error.message.startsWith(`${source}: `) ? error.message.slice(source.length + 2) : error.message;
}

async function* jsonlRows(file: string): AsyncGenerator<RawRow | Unreadable> {
  let place = 0;
  for await (const { line, bytes } of readLines(file)) {
    place = line;
    const source = sourceOf(file, line);
    try {
      const text = decodeUtf8(bytes, source);
      if (text.trim() !== '') yield { place, source, value: parseJson(text, source) };
    } catch (error) {
      yield { place, source, rows: 1, message: messageOf(error, source) };
    }
  }
}

const MOST_JSON = 512 << 20;

async function* jsonRows(file: string): AsyncGenerator<RawRow> {
  const { size } = await stat(file);
  if (size > MOST_JSON)
    throw new InputError(`${file}: ${size >> 20} MB of JSON; larger sets must be JSONL (one record a line)`);
  const rows = parseJson(decodeUtf8(await readFile(file), file).replace(/^\ufeff/, ''), file);
  if (!Array.isArray(rows))
    throw new InputError(`${file}: must be an array of records; use .jsonl for one record a line`);
  for (const [i, value] of rows.entries()) yield { place: i + 1, source: sourceOf(file, i + 1), value };
}

async function* parquetRows(file: string): AsyncGenerator<RawRow | Unreadable> {
  const parquet = await openParquetRows(file);
  let first = 0;
  for (const [g, rows] of parquet.groups.entries()) {
    try {
      for (const [i, value] of (await parquet.group(g)).entries()) {
        const place = first + i;
        const source = sourceOf(file, place);
        if (value instanceof InputError) yield { place, source, rows: 1, message: messageOf(value, source) };
        else yield { place, source, value };
      }
    } catch (error) {
      const source = `${sourceOf(file, first)}…${first + rows - 1}`;
      yield { place: first, source, rows, message: messageOf(error, file) };
    }
    first += rows;
  }
}
