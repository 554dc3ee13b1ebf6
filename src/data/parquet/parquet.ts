/**
 * Parquet files (https://parquet.apache.org/docs/file-format/) by hyparquet: opening one reads its footer, rows come a
 * row group at a time and only the columns asked for, a few rows of a flat column only from their pages. Nothing a file
 * says of its own sizes is believed before it is held against the file (parquet-bounds.ts). Damage is an InputError.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { type FileMetaData, parquetMetadata, parquetSchema, type SchemaTree } from 'hyparquet';
import { assembleAsync, asyncGroupToRows } from 'hyparquet/src/rowgroup.js';
import { InputError } from '../../errors.ts';
import { readError } from '../jsonl.ts';
import { shortened } from '../one-line.ts';
import { LIMITS, thriftEnd } from './bounds.ts';
import { type Chunk, decodePages, listPages, type Page, type ReadBytes, rowsWithValue } from './pages.ts';

export interface ParquetFile {
  /** As it was given. */
  file: string;
  /** Number of rows. */
  length: number;
  /** Names of the top-level columns. */
  columns: string[];
  /** Values at the ends of the columns' trees, such as `image.bytes`, and whether they are text. */
  leaves: { path: string; text: boolean }[];
  /** Rows of each row group. */
  groups: number[];
  /**
   * Rows `from` … `to`−1 with the columns named, or all; `image.path` is one leaf of a column. Integers of 64 bits are
   * numbers where a number can hold them, else bigints; bytes are Uint8Arrays; text is a string. Throws InputError.
   */
  rows(from: number, to: number, columns?: readonly string[]): Promise<Record<string, unknown>[]>;
  /** How many values of a leaf (`image.bytes`) are null in a row group, where its writer has said so; else null. */
  nulls(leaf: string, group: number): number | null;
  /** Which rows of a row group have a value of a leaf, by its levels alone. Throws InputError. */
  present(leaf: string, group: number): Promise<readonly boolean[]>;
  /** The rows `[from, to)` that are read at one go with row `row` of a leaf: its page, or of lists its row group. */
  neighbours(row: number, leaf: string): Promise<readonly [number, number]>;
}

interface Footer {
  metadata: FileMetaData;
  tree: SchemaTree;
  /** Chunks of each row group, in the order of the leaves. */
  groups: { rows: number; chunks: Chunk[] }[];
}

/** Reads the footer of a Parquet file. Throws InputError: not there, not Parquet, damaged. */
export async function openParquet(file: string): Promise<ParquetFile> {
  const { tree, groups } = await withFile(file, readFooter);
  const listed = new Map<Chunk, Page[]>();
  const starts = [0];
  for (const { rows } of groups) starts.push(starts[starts.length - 1] + rows);
  const length = starts[starts.length - 1];
  const names = tree.children.map(({ element }) => element.name);
  const chunkOf = (leaf: string, g: number): Chunk =>
    groups[g].chunks.find(({ meta }) => meta.path_in_schema.join('.') === leaf)!;
  const pagesOf = async (chunk: Chunk, read: ReadBytes): Promise<Page[]> => {
    const pages = listed.get(chunk) ?? (await listPages(chunk, read));
    listed.set(chunk, pages);
    return pages;
  };
  return {
    file,
    length,
    columns: names,
    leaves: leafPaths(tree, [tree]).map((path) => leafOf(path[path.length - 1])),
    groups: groups.map(({ rows }) => rows),
    rows: async (from, to, columns = names) => {
      if (!(from >= 0 && from <= to && to <= length)) throw new RangeError(`no rows ${from} … ${to}`);
      return withFile(file, async (handle) => {
        const wanted = pruned(tree, columns);
        const all: Record<string, unknown>[] = [];
        for (const [g, group] of groups.entries()) {
          const range = [Math.max(from - starts[g], 0), Math.min(to - starts[g], group.rows)] as const;
          if (range[0] < range[1])
            for (const row of await groupRows(handle, group, wanted, range, listed)) all.push(row);
        }
        return all;
      });
    },
    nulls: (leaf, group) => {
      const count = chunkOf(leaf, group).meta.statistics?.null_count;
      return count === undefined ? null : Number(count);
    },
    present: (leaf, group) =>
      withFile(file, async (handle) => {
        const chunk = chunkOf(leaf, group);
        const read = await readerOf(handle, chunk);
        return rowsWithValue(chunk, await pagesOf(chunk, read), read);
      }),
    neighbours: (row, leaf) =>
      withFile(file, async (handle) => {
        const g = starts.findLastIndex((start) => start <= row);
        const { rows } = groups[g];
        const chunk = chunkOf(leaf, g);
        const pages = await pagesOf(chunk, await readerOf(handle, chunk));
        const page = pages.find((one) => one.row !== null && row - starts[g] < one.row + one.rows);
        return page
          ? [starts[g] + page.row!, starts[g] + page.row! + page.rows]
          : [starts[g], starts[g] + rows];
      }),
  };
}

function leafOf({ path, element }: SchemaTree): ParquetFile['leaves'][number] {
  const { type, converted_type: converted, logical_type: logical } = element;
  return {
    path: path.join('.'),
    text: type === 'BYTE_ARRAY' && (converted === 'UTF8' || logical?.type === 'STRING'),
  };
}

async function groupRows(
  handle: FileHandle,
  { rows, chunks }: Footer['groups'][number],
  { tree, leaves }: { tree: SchemaTree; leaves: Set<string> },
  range: readonly [number, number],
  listed: Map<Chunk, Page[]>,
): Promise<Record<string, unknown>[]> {
  const wanted = chunks.filter(({ meta }) => leaves.has(meta.path_in_schema.join('.')));
  if (wanted.length * rows > LIMITS.cells)
    throw new Error(`a row group of ${rows} rows and ${wanted.length} columns; write smaller row groups`);
  const asyncColumns = [];
  let bytes = 0;
  for (const chunk of wanted) {
    const read = await readerOf(handle, chunk);
    const pages = listed.get(chunk) ?? (await listPages(chunk, read));
    listed.set(chunk, pages);
    for (const { header } of pages) bytes += header.uncompressed_page_size;
    if (bytes > LIMITS.groupBytes) throw new Error('a row group of over 2 GB; write smaller row groups');
    const data = await decodePages(chunk, pages, range, read);
    asyncColumns.push({ pathInSchema: chunk.meta.path_in_schema, data: Promise.resolve(data) });
  }
  const group = { groupStart: 0, groupRows: rows, selectStart: range[0], selectEnd: range[1], asyncColumns };
  const decoded = await asyncGroupToRows(assembleAsync(group, tree), range[0], range[1], undefined, 'object');
  return decoded.map((row) => plain(row) as Record<string, unknown>);
}

/** Chunks of a few megabytes are read at once. */
const AT_ONCE = 8 << 20;

async function readerOf(handle: FileHandle, { start, end }: Chunk): Promise<ReadBytes> {
  if (end - start > AT_ONCE) return (from, length) => readExactly(handle, from, length);
  const whole = await readExactly(handle, start, end - start);
  return async (from, length) => whole.subarray(from - start, from - start + length);
}

/** The schema with the columns and leaves named alone; unknown ones are left out. */
function pruned(tree: SchemaTree, columns: readonly string[]): { tree: SchemaTree; leaves: Set<string> } {
  const leaves = new Set<string>();
  const keep = (node: SchemaTree): SchemaTree | null => {
    const path = node.path.join('.');
    if (!columns.some((name) => path === name || path.startsWith(`${name}.`) || name.startsWith(`${path}.`)))
      return null;
    if (node.children.length === 0) {
      leaves.add(path);
      return node;
    }
    const children = node.children.map(keep).filter((child) => child !== null);
    return children.length === 0 ? null : { ...node, children };
  };
  return { tree: { ...tree, children: tree.children.map(keep).filter((child) => child !== null) }, leaves };
}

const MAGIC = 'PAR1';

async function readFooter(handle: FileHandle): Promise<Footer> {
  const { size } = await handle.stat();
  if (size < 12) throw new Error(`${size} bytes are too few`);
  const tail = await readExactly(handle, size - 8, 8);
  const magic = Buffer.from(tail.subarray(4)).toString('latin1');
  if (magic === 'PARE') throw new Error('it is encrypted');
  if (magic !== MAGIC) throw new Error(`it does not end in ${MAGIC}`);
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > size - 12 || length > LIMITS.footerBytes) throw new Error('a footer of impossible length');
  const footer = await readExactly(handle, size - 8 - length, length + 8);
  if (thriftEnd(footer.subarray(0, length), 0) > length) throw new Error('metadata is cut off');
  const metadata = parquetMetadata(footer, { geoparquet: false });
  const tree = schemaOf(metadata);
  const leaves = leafPaths(tree, [tree]);
  const groups = metadata.row_groups.map((group) => {
    const rows = count(group.num_rows, LIMITS.rowsOfGroup, 'rows of a row group');
    if (group.columns.length !== leaves.length) throw new Error('a row group has another number of columns');
    const chunks = group.columns.map((column, i): Chunk => {
      const meta = column.meta_data;
      if (column.file_path) throw new Error('a column is in another file');
      if (meta === undefined || column.crypto_metadata)
        throw new Error('a column is encrypted or not described');
      const path = leaves[i];
      if (
        meta.path_in_schema.join('\0') !== path[path.length - 1].path.join('\0') ||
        meta.type !== path[path.length - 1].element.type
      )
        throw new Error('a column chunk does not belong where it stands');
      const start = count(meta.dictionary_page_offset || meta.data_page_offset, size, 'offset of a column');
      const end = start + count(meta.total_compressed_size, size, 'size of a column');
      if (end > size - 8) throw new Error('a column reaches beyond the file');
      count(meta.num_values, LIMITS.valuesOfChunk, 'values of a column');
      return { meta, start, end, rows, path };
    });
    return { rows, chunks };
  });
  const all = groups.reduce((sum, { rows }) => sum + rows, 0);
  // a record takes a byte at the very least
  if (all !== Number(metadata.num_rows) || all > size)
    throw new Error(`${metadata.num_rows} rows in ${groups.length} row groups and ${size} bytes`);
  return { metadata, tree, groups };
}

function schemaOf(metadata: FileMetaData): SchemaTree {
  const { schema } = metadata;
  if (schema.length < 2 || schema.length > LIMITS.schemaElements) throw new Error('an impossible schema');
  let at = 0;
  const walk = (depth: number): void => {
    if (depth > LIMITS.schemaDepth || at >= schema.length) throw new Error('an impossible schema');
    const { num_children: children = 0, type_length: width = 0, name } = schema[at++];
    if (children < 0 || children > schema.length || width < 0 || width > 1 << 20 || typeof name !== 'string')
      throw new Error('an impossible schema');
    for (let i = 0; i < children; i++) walk(depth + 1);
  };
  walk(0);
  if (at !== schema.length) throw new Error('an impossible schema');
  return parquetSchema(metadata);
}

function leafPaths(node: SchemaTree, path: SchemaTree[]): SchemaTree[][] {
  if (node.children.length === 0) return [path];
  return node.children.flatMap((child) => leafPaths(child, [...path, child]));
}

function count(value: unknown, most: number, what: string): number {
  const number = typeof value === 'bigint' ? Number(value) : Number.NaN;
  if (!(number >= 0 && number <= most)) throw new Error(`impossible ${what}: ${value}`);
  return number;
}

async function readExactly(handle: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, length - at, start + at);
    if (bytesRead === 0) throw new Error('it was cut off while it was in use');
    at += bytesRead;
  }
  return bytes;
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value) || value instanceof Date)
    return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** Opens the file for one call; what goes wrong with its content is said of it in one line. */
async function withFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    if ((await handle.stat()).isDirectory()) throw new InputError(`${file}: is a folder, not a Parquet file`);
    return await use(handle);
  } catch (error) {
    const known = readError(error, file);
    if (known instanceof InputError) throw known;
    throw new InputError(
      `${file}: not a readable Parquet file (${reason(error as Error)}); is it damaged or cut off?`,
      { cause: error },
    );
  } finally {
    await handle?.close();
  }
}

/** The library meets nonsense with whatever the language throws. */
function reason(error: Error): string {
  if (error instanceof TypeError || error instanceof RangeError)
    return 'what it says of itself makes no sense';
  return shortened(error.message);
}
