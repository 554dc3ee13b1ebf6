/**
 * Opens a file of records: every row is checked and every picture looked for before anything is trained on it.
 * JSON (one array) and JSONL; the file's extension decides. Of a JSONL file only byte offsets stay in memory.
 */
import { open, readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { InputError } from '../errors.ts';
import { type BadRowRule, leaveOut, STRICT } from './bad-rows.ts';
import { decodeUtf8, parseJson, readError, readLines } from './jsonl.ts';
import { addressOfPath, OWN_FOLDER, type PictureAccess, pictureLooker, rootsOf } from './picture-access.ts';
import { type DataRecord, parseRecord } from './record.ts';

/** A record with what is needed to use it and to talk about it. */
export interface LoadedRecord extends DataRecord {
  /** Address of the picture (picture-address.ts), absolute; null for text. */
  picture: string | null;
  /** Folders of which one must hold the picture's file when it is read; left out: anywhere. */
  roots?: readonly string[];
  /** `FILE:LINE` (JSONL) or `FILE: record N` (JSON): the beginning of every message about it. */
  source: string;
}

export interface Records {
  length: number;
  /** Record i, 0-based. Throws InputError if the file was changed meanwhile. */
  get(i: number): Promise<LoadedRecord>;
  /** The file, as it was given. */
  source: string;
}

/** How a file of records is opened. */
export interface OpenOptions extends BadRowRule {
  /** What its records may name as pictures. */
  access: PictureAccess;
}

const readers: Record<string, (file: string, options: OpenOptions) => Promise<Records>> = {
  '.json': openJson,
  '.jsonl': openJsonl,
  '.ndjson': openJsonl,
};
const maxJsonBytes = 512 << 20;

/**
 * Opens a file of records. Paths of pictures resolve against the file's folder. Rows that cannot be used are left out as
 * far as the options allow it, which is not at all by default.
 * Throws InputError naming file, line and key: broken JSON, a wrong record, a picture that is missing or may not be read,
 * no records at all.
 */
export async function openRecords(file: string, options: Partial<OpenOptions> = {}): Promise<Records> {
  const reader = readers[extname(file).toLowerCase()];
  const info = await stat(file).catch((error) => {
    throw readError(error, file);
  });
  if (info.isDirectory()) throw new InputError(`${file}: is a folder; name the file of records in it`);
  if (reader === undefined)
    throw new InputError(
      `${file}: unknown kind of file; records are read from ${Object.keys(readers).join(', ')}`,
    );
  const records = await reader(file, { ...STRICT, access: OWN_FOLDER, ...options });
  if (records.length === 0) throw new InputError(`${file}: holds no records`);
  return records;
}

async function openJsonl(file: string, options: OpenOptions): Promise<Records> {
  const look = pictureCheck(file, options.access);
  const left = leaveOut(options);
  const starts: number[] = [];
  const lengths: number[] = [];
  const lines: number[] = [];
  const load = (bytes: Uint8Array, line: number): LoadedRecord | null => {
    const source = `${file}:${line}`;
    const text = decodeUtf8(bytes, source);
    return text.trim() === '' ? null : loadRecord(parseJson(text, source), source, file, options.access);
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
  left.settle(file, lines.length);
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

async function openJson(file: string, options: OpenOptions): Promise<Records> {
  const look = pictureCheck(file, options.access);
  const left = leaveOut(options);
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
      const record = loadRecord(row, `${file}: record ${index + 1}`, file, options.access);
      look(record);
      records.push(record);
    } catch (error) {
      left.note(error);
    }
  });
  left.settle(file, records.length);
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
  const record = parseRecord(value, source);
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

function about<T>(source: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${source}: path: ${error.message}`, { cause: error });
  }
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
