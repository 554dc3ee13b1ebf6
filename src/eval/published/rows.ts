/** Rows of published files, each read when it is asked for: what a benchmark's pictures come to never is in memory at once. */
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { decodeUtf8, parseJson, readError, readJsonlValues } from '../../data/jsonl.ts';
import { openParquet } from '../../data/parquet/parquet.ts';
import { InputError } from '../../errors.ts';
import type { Row } from '../benchmarks/benchmark.ts';
import type { PublishedRows } from './published-rows.ts';
import { openTsv } from './tsv.ts';

const openers: Record<string, (file: string) => Promise<PublishedRows>> = {
  '.parquet': openParquetRows,
  '.tsv': openTsv,
  '.json': openJsonRows,
  '.jsonl': openJsonlRows,
};
const MOST_JSON_BYTES = 512 << 20;

/** The rows of files one after the other. Throws InputError: damaged, of another kind, empty. */
export async function openRows(files: readonly string[]): Promise<PublishedRows> {
  const parts: PublishedRows[] = [];
  for (const file of files) {
    const open = openers[extname(file).toLowerCase()];
    if (open === undefined)
      throw new InputError(
        `${file}: unknown kind of file; published rows are read from ${Object.keys(openers).join(', ')}`,
      );
    parts.push(await open(file));
  }
  const starts: number[] = [];
  let length = 0;
  for (const part of parts) {
    starts.push(length);
    length += part.length;
  }
  if (length === 0) throw new InputError(`${files.join(', ')}: no rows`);
  const at = (i: number) => {
    let part = starts.length - 1;
    while (starts[part] > i) part -= 1;
    return { part: parts[part], i: i - starts[part] };
  };
  return {
    length,
    get: (i) => {
      const place = at(i);
      return place.part.get(place.i);
    },
    source: (i) => {
      const place = at(i);
      return place.part.source(place.i);
    },
  };
}

/** Rows decoded together; shards hold row groups of about so many. */
const WINDOW = 100;

async function openParquetRows(file: string): Promise<PublishedRows> {
  const parquet = await openParquet(file);
  // the windows of one row group never reach into the next, whose pages would be decoded for a few rows
  const starts: number[] = [];
  let start = 0;
  for (const rows of parquet.groups) {
    for (let from = 0; from < rows; from += WINDOW) starts.push(start + from);
    start += rows;
  }
  let kept: { from: number; rows: Promise<Row[]> } | null = null;
  return {
    length: parquet.length,
    source: (i) => `${file}: row ${i + 1}`,
    async get(i) {
      const at = starts.findLastIndex((from) => from <= i);
      const from = starts[at];
      if (kept?.from !== from) kept = { from, rows: parquet.rows(from, starts[at + 1] ?? parquet.length) };
      return (await kept.rows)[i - from];
    },
  };
}

async function openJsonRows(file: string): Promise<PublishedRows> {
  const { size } = await stat(file);
  if (size > MOST_JSON_BYTES)
    throw new InputError(
      `${file}: ${size >> 20} MB of JSON; ${MOST_JSON_BYTES >> 20} MB at most can be read`,
    );
  const bytes = await readFile(file).catch((error) => {
    throw readError(error, file);
  });
  const value = parseJson(decodeUtf8(bytes, file).replace(/^\ufeff/, ''), file);
  if (value === null || typeof value !== 'object')
    throw new InputError(`${file}: must be an array of rows, or an object of rows by their ids`);
  return listed(Object.values(value), (i) => `${file}: row ${i + 1}`);
}

async function openJsonlRows(file: string): Promise<PublishedRows> {
  return listed(await readJsonlValues(file), (i) => `${file}: row ${i + 1}`);
}

function listed(values: readonly unknown[], source: (i: number) => string): PublishedRows {
  const row = (i: number) => {
    const value = values[i];
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw new InputError(`${source(i)}: must be an object`);
    return value as Row;
  };
  return { length: values.length, source, get: async (i) => row(i) };
}
