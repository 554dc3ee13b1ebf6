/**
 * Parquet files (https://parquet.apache.org/docs/file-format/) by hyparquet: opening one reads its footer, rows come a
 * row group at a time and only the columns asked for. Damage is an InputError.
 */
import { open, stat } from 'node:fs/promises';
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { InputError } from '../errors.ts';
import { readError } from './jsonl.ts';
import { shortened } from './one-line.ts';

export interface ParquetFile {
  /** As it was given. */
  file: string;
  /** Number of rows. */
  length: number;
  /** Names of the top-level columns. */
  columns: string[];
  /** Rows of each row group. */
  groups: number[];
  /**
   * Rows `from` … `to`−1 with the columns named, or all. Integers of 64 bits are numbers where a number can hold them,
   * else bigints; bytes are Uint8Arrays; text is a string. Throws InputError.
   */
  rows(from: number, to: number, columns?: string[]): Promise<Record<string, unknown>[]>;
}

/** Reads the footer of a Parquet file. Throws InputError: not there, not Parquet, damaged. */
export async function openParquet(file: string): Promise<ParquetFile> {
  const info = await stat(file).catch((error) => {
    throw readError(error, file);
  });
  if (info.isDirectory()) throw new InputError(`${file}: is a folder, not a Parquet file`);
  const buffer = bufferOf(file, info.size);
  const metadata = await decoding(file, () => parquetMetadataAsync(buffer, { geoparquet: false }));
  const groups = metadata.row_groups.map((group) => Number(group.num_rows));
  return {
    file,
    length: groups.reduce((sum, rows) => sum + rows, 0),
    columns: topLevel(metadata),
    groups,
    rows: (from, to, columns) =>
      decoding(file, async () => {
        const rows = await parquetReadObjects({
          file: buffer,
          metadata,
          rowStart: from,
          rowEnd: to,
          columns,
          compressors: { ...compressors, LZ4_RAW: lz4 },
          utf8: false,
        });
        return rows.map((row) => plain(row) as Record<string, unknown>);
      }),
  };
}

/** A page without values is one byte of LZ4, which the library takes for damage. */
const lz4: Compressors['LZ4_RAW'] = (input, length) =>
  length === 0 ? new Uint8Array(0) : compressors.LZ4_RAW!(input, length);

function topLevel({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  for (let at = 1; at < schema.length; at++) {
    names.push(schema[at].name);
    for (let below = schema[at].num_children ?? 0; below > 0; below--)
      below += schema[++at].num_children ?? 0;
  }
  return names;
}

function bufferOf(file: string, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const handle = await open(file, 'r');
      try {
        const bytes = new Uint8Array(Math.max(0, end - start));
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
        return bytes.buffer.slice(0, bytesRead);
      } finally {
        await handle.close();
      }
    },
  };
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value) || value instanceof Date)
    return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

async function decoding<T>(file: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    const known = readError(error, file);
    if (known instanceof InputError) throw known;
    throw new InputError(
      `${file}: not a readable Parquet file (${shortened((error as Error).message)}); is it damaged or cut off?`,
      { cause: error },
    );
  }
}
