/**
 * Opens records: every row is checked and every picture file looked for before anything is trained on them. JSON (one
 * array), JSONL and Parquet, by the file's extension; one file, the shards of a set, or a dataset repository. Of a JSONL
 * file only byte offsets stay in memory, of a Parquet file its footer and the last few row groups without pictures.
 */
import { open, readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { InputError, RunError } from '../../errors.ts';
import { repositoryFiles } from '../hub/repository.ts';
import { decodeUtf8, parseJson, readError, readLines } from '../jsonl.ts';
import { openParquetRows, type ParquetRow, type RowCache } from '../parquet/records.ts';
import { addressOfPath, OWN_FOLDER, type PictureAccess, pictureLooker, rootsOf } from '../pictures/access.ts';
import { type BadRowRule, type LeftOut, leaveOut, STRICT } from './bad-rows.ts';
import { chosen, concatenated, type Rows } from './mix.ts';
import { type DataRecord, parseRecord } from './record.ts';
import { isRepository, listShards } from './shards.ts';

/** A record with what is needed to use it and to talk about it. */
export interface LoadedRecord extends DataRecord {
  /** Address of the picture (picture-address.ts), absolute; null for text. */
  picture: string | null;
  /** Folders of which one must hold the picture's file when it is read; left out: anywhere. */
  roots?: readonly string[];
  /** `FILE:LINE` (JSONL), `FILE: record N` (JSON) or `FILE#ROW` (Parquet): the beginning of every message about it. */
  source: string;
}

export interface Records extends Rows<LoadedRecord> {
  /** Record i, 0-based. Throws RunError if a JSONL file was changed after it was opened. */
  get(i: number): Promise<LoadedRecord>;
  /** The file, as it was given. */
  source: string;
}

/** How records are opened. */
export interface OpenOptions extends BadRowRule {
  /** What they may name as pictures. */
  access: PictureAccess;
}

/** What the files of a set have in common while they are opened. */
interface Opening {
  access: PictureAccess;
  left: LeftOut;
  cache: RowCache;
}

type Reader = (file: string, opening: Opening) => Promise<Records>;

const readers: Record<string, Reader> = {
  '.json': openJson,
  '.jsonl': openJsonl,
  '.ndjson': openJsonl,
  '.parquet': openParquetRecords,
};
const maxJsonBytes = 512 << 20;

/**
 * Opens a file of records, the shards of a set (a folder, or a pattern with `*`), or a dataset repository
 * (`hf://datasets/OWNER/NAME…`). Paths of pictures resolve against the file's folder. Rows that cannot be used are left
 * out as far as the options allow it, which is not at all by default. Throws InputError naming file, line and key: broken
 * JSON, a wrong record, a picture that is missing or may not be read, no records at all.
 */
export async function openRecords(what: string, options: Partial<OpenOptions> = {}): Promise<Records> {
  const { access, ...rule } = { ...STRICT, access: OWN_FOLDER, ...options };
  const files = await recordFiles(what);
  const opening: Opening = { access, left: leaveOut(rule), cache: new Map() };
  const sources: Records[] = [];
  for (const file of files) sources.push(await readerOf(file)(file, opening));
  const records = concatenated(sources, what);
  opening.left.settle(what, records.length);
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

async function openParquetRecords(file: string, { access, left, cache }: Opening): Promise<Records> {
  const look = pictureCheck(file, access);
  const rows = await openParquetRows(file, cache);
  const load = ({ value, source }: { value: ParquetRow; source: string }) => {
    if (value instanceof InputError) throw value;
    return loadRecord(value, source, file, access);
  };
  const good: number[] = [];
  for (let row = 0; row < rows.length; row++) {
    // a row group that cannot be read is the file's fault and not a row's
    const read = await rows.get(row);
    try {
      look(load(read));
      good.push(row);
    } catch (error) {
      left.note(error);
    }
  }
  const all: Records = {
    length: rows.length,
    blocks: rows.groups,
    source: file,
    get: async (row) => load(await rows.get(row)),
  };
  return good.length === rows.length ? all : { ...all, ...chosen(all, Uint32Array.from(good)) };
}

async function openJsonl(file: string, { access, left }: Opening): Promise<Records> {
  const look = pictureCheck(file, access);
  const version = versionOf(await stat(file));
  const starts: number[] = [];
  const lengths: number[] = [];
  const lines: number[] = [];
  const load = (bytes: Uint8Array, line: number): LoadedRecord | null => {
    const source = `${file}:${line}`;
    const text = decodeUtf8(bytes, source);
    return text.trim() === '' ? null : loadRecord(parseJson(text, source), source, file, access);
  };
  for await (const { line, offset, bytes } of readLines(file)) {
    try {
      const record = load(bytes, line);
      if (record === null) continue;
      look(record);
    } catch (error) {
      left.note(error);
      continue;
    }
    starts.push(offset);
    lengths.push(bytes.length);
    lines.push(line);
  }
  return {
    length: lines.length,
    source: file,
    get: async (i) => {
      const bytes = await readRange(file, version, starts[i], lengths[i]);
      const record = bytes && load(bytes, lines[i]);
      if (record === null)
        throw new RunError(`${file}: was changed while it was in use; leave it as it is and run this again`);
      return record;
    },
  };
}

async function openJson(file: string, { access, left }: Opening): Promise<Records> {
  const look = pictureCheck(file, access);
  const { size } = await stat(file);
  if (size > maxJsonBytes)
    throw new InputError(
      `${file}: ${size >> 20} MB of JSON; files over ${maxJsonBytes >> 20} MB must be JSONL (one record a line)`,
    );
  const text = decodeUtf8(await readFile(file), file).replace(/^\ufeff/, '');
  const rows = parseJson(text, file);
  if (!Array.isArray(rows))
    throw new InputError(`${file}: must be an array of records; use .jsonl for one record a line`);
  const records: LoadedRecord[] = [];
  rows.forEach((row, index) => {
    try {
      const record = loadRecord(row, `${file}: record ${index + 1}`, file, access);
      look(record);
      records.push(record);
    } catch (error) {
      left.note(error);
    }
  });
  return { length: records.length, source: file, get: async (i) => records[i] };
}

/**
 * One row of `file` as a record in use; whether its picture exists is not looked at. Throws InputError `SOURCE: key: …`.
 */
export function loadRecord(
  value: unknown,
  source: string,
  file: string,
  access: PictureAccess = OWN_FOLDER,
): LoadedRecord {
  return withPicture(parseRecord(value, source), source, file, access);
}

/** A record of `file` in use. Throws InputError `SOURCE: path: …` where its picture's address may not be used. */
export function withPicture(
  record: DataRecord,
  source: string,
  file: string,
  access: PictureAccess,
): LoadedRecord {
  if (record.path === null) return { ...record, picture: null, source };
  return { ...record, ...pictureOfRow(record.path, source, file, access), source };
}

/** The picture that a row of `file` names, and where it may lie. Throws InputError `SOURCE: path: …`. */
export function pictureOfRow(
  path: string,
  source: string,
  file: string,
  access: PictureAccess,
): { picture: string; roots?: readonly string[] } {
  const picture = about(source, () => addressOfPath(path, file, access));
  const roots = rootsOf(file, access);
  return roots === undefined ? { picture } : { picture, roots };
}

/**
 * Looks at the pictures of a file's rows: throws InputError `SOURCE: path: …` where a row names one that is not there, or
 * that lies where it may not.
 */
export function pictureCheck(
  file: string,
  access: PictureAccess,
): (record: Pick<LoadedRecord, 'picture' | 'source'>) => void {
  const look = pictureLooker(rootsOf(file, access));
  return ({ picture, source }) => {
    if (picture !== null) about(source, () => look(picture));
  };
}

/** Throws InputError `SOURCE: path: …` where a record's picture is not there, or lies where it may not. */
export function checkPicture({
  picture,
  roots,
  source,
}: Pick<LoadedRecord, 'picture' | 'roots' | 'source'>): void {
  if (picture !== null) about(source, () => pictureLooker(roots)(picture));
}

function about<T>(source: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${source}: path: ${error.message}`, { cause: error });
  }
}

/** What changes when a file is written anew. */
function versionOf({ size, mtimeMs }: { size: number; mtimeMs: number }): string {
  return `${size} ${mtimeMs}`;
}

/** A part of a file; null where it is no longer the version that was opened. */
async function readRange(
  file: string,
  version: string,
  start: number,
  length: number,
): Promise<Buffer | null> {
  const handle = await open(file, 'r').catch((error) => {
    throw readError(error, file);
  });
  try {
    if (versionOf(await handle.stat()) !== version) return null;
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, start);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
