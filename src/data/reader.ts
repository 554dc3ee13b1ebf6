/**
 * Opens records: every row is checked and every picture file looked for before anything is trained on them. JSON (one
 * array), JSONL and Parquet, by the file's extension; one file, the shards of a set, or a dataset repository. Of a JSONL
 * file only byte offsets stay in memory, of a Parquet file its footer and the last few row groups without pictures.
 */
import { statSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { InputError } from '../errors.ts';
import { repositoryFiles } from './hub/repository.ts';
import { decodeUtf8, parseJson, readError, readLines } from './jsonl.ts';
import { concatenated, type Rows } from './mix.ts';
import { embeddedAt } from './parquet-picture.ts';
import { openParquetRows, type RowCache } from './parquet-records.ts';
import { type DataRecord, parseRecord } from './record.ts';
import { isRepository, listShards } from './shards.ts';

/** A record with what is needed to use it and to talk about it. */
export interface LoadedRecord extends DataRecord {
  /** Address of the picture: an absolute path, or `ABSOLUTE.parquet#ROW`; null for text. */
  picture: string | null;
  /** `FILE:LINE` (JSONL), `FILE: record N` (JSON) or `FILE#ROW` (Parquet): the beginning of every message about it. */
  source: string;
}

export interface Records extends Rows<LoadedRecord> {
  /** Record i, 0-based. Throws InputError if the file was changed meanwhile. */
  get(i: number): Promise<LoadedRecord>;
  /** The file, as it was given. */
  source: string;
}

type Reader = (file: string, cache: RowCache) => Promise<Records>;

const readers: Record<string, Reader> = {
  '.json': openJson,
  '.jsonl': openJsonl,
  '.ndjson': openJsonl,
  '.parquet': openParquetRecords,
};
const maxJsonBytes = 512 << 20;

/**
 * Opens a file of records, the shards of a set (a folder, or a pattern with `*`), or a dataset repository
 * (`hf://datasets/OWNER/NAME…`). Paths of pictures resolve against the file's folder. Throws InputError naming file,
 * line and key: broken JSON, a wrong record, a missing picture, no records at all.
 */
export async function openRecords(what: string): Promise<Records> {
  const files = await recordFiles(what);
  const cache: RowCache = new Map();
  const sources: Records[] = [];
  for (const file of files) sources.push(await readerOf(file)(file, cache));
  const records = concatenated(sources, what);
  if (records.length === 0) throw new InputError(`${what}: holds no records`);
  return records;
}

/** The files that hold the records that `what` names, fetched where they are in a repository. Throws InputError. */
export async function recordFiles(what: string): Promise<string[]> {
  const files = isRepository(what) ? await repositoryFiles(what) : await listShards(what);
  files.forEach(readerOf);
  return files;
}

function readerOf(file: string): Reader {
  const reader = readers[extname(file).toLowerCase()];
  if (reader === undefined)
    throw new InputError(
      `${file}: unknown kind of file; records are read from ${Object.keys(readers).join(', ')}`,
    );
  return reader;
}

async function openParquetRecords(file: string, cache: RowCache): Promise<Records> {
  const rows = await openParquetRows(file, cache);
  const read = async (row: number): Promise<LoadedRecord> => {
    const { value, source } = await rows.get(row);
    return loadRecord(value, source, file);
  };
  for (let row = 0; row < rows.length; row++) {
    const record = await read(row);
    if (record.path === null || embeddedAt(record.path) === null) checkPicture(record);
  }
  return { length: rows.length, blocks: rows.groups, source: file, get: read };
}

async function openJsonl(file: string): Promise<Records> {
  const starts: number[] = [];
  const lengths: number[] = [];
  const lines: number[] = [];
  const load = (bytes: Uint8Array, line: number): LoadedRecord | null => {
    const source = `${file}:${line}`;
    const text = decodeUtf8(bytes, source);
    return text.trim() === '' ? null : loadRecord(parseJson(text, source), source, file);
  };
  for await (const { line, offset, bytes } of readLines(file)) {
    const record = load(bytes, line);
    if (record === null) continue;
    checkPicture(record);
    starts.push(offset);
    lengths.push(bytes.length);
    lines.push(line);
  }
  return {
    length: lines.length,
    source: file,
    get: async (i) => {
      const bytes = await readRange(file, starts[i], lengths[i]);
      const record = load(bytes, lines[i]);
      if (record === null)
        throw new InputError(`${file}:${lines[i]}: the file was changed while it was in use`);
      return record;
    },
  };
}

async function openJson(file: string): Promise<Records> {
  const { size } = await stat(file);
  if (size > maxJsonBytes)
    throw new InputError(
      `${file}: ${size >> 20} MB of JSON; files over ${maxJsonBytes >> 20} MB must be JSONL (one record a line)`,
    );
  const text = decodeUtf8(await readFile(file), file).replace(/^\ufeff/, '');
  const rows = parseJson(text, file);
  if (!Array.isArray(rows))
    throw new InputError(`${file}: must be an array of records; use .jsonl for one record a line`);
  const records = rows.map((row, index) => loadRecord(row, `${file}: record ${index + 1}`, file));
  records.forEach(checkPicture);
  return { length: records.length, source: file, get: async (i) => records[i] };
}

/** One row of `file` as a record in use; whether its picture exists is not looked at. Throws InputError `SOURCE: key: …`. */
export function loadRecord(value: unknown, source: string, file: string): LoadedRecord {
  const record = parseRecord(value, source);
  return { ...record, picture: record.path === null ? null : resolve(dirname(file), record.path), source };
}

/** Throws InputError `SOURCE: path: …` where a row names a picture that is not there. */
export function checkPicture(record: Pick<LoadedRecord, 'picture' | 'source'>): void {
  if (record.picture === null) return;
  const file = embeddedAt(record.picture)?.file ?? record.picture;
  const info = statSync(file, { throwIfNoEntry: false });
  if (info === undefined) throw new InputError(`${record.source}: path: no such picture: ${record.picture}`);
  if (!info.isFile()) throw new InputError(`${record.source}: path: not a file: ${record.picture}`);
}

async function readRange(file: string, start: number, length: number): Promise<Buffer> {
  const handle = await open(file, 'r').catch((error) => {
    throw readError(error, file);
  });
  try {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, start);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
