/**
 * Pages of a Parquet column chunk: found by their headers alone, decompressed and decoded (by hyparquet) one by one, so
 * that a single picture costs the page it stands in. Every size is held against the file's before it is acted on.
 * Throws Error with the reason alone; parquet.ts names the file.
 */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { ColumnMetaData, Compressors, DecodedArray, PageHeader, SchemaTree } from 'hyparquet';
import { assembleLists } from 'hyparquet/src/assemble.js';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, convertWithDictionary, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js';
import { compressors as all, decompressZstd } from 'hyparquet-compressors';
import { checkPrefixes, checkRuns, deltaEnd, LIMITS, thriftEnd } from './bounds.ts';

/** A column chunk: where it lies, how it is packed, and what it holds. */
export interface Chunk {
  meta: ColumnMetaData;
  start: number;
  end: number;
  rows: number;
  /** Schema nodes from the root to the leaf. */
  path: SchemaTree[];
}

export interface Page {
  header: PageHeader;
  /** Where the compressed bytes begin in the file. */
  offset: number;
  /** Row of the group the page begins with, and how many it has; null where lists run across pages. */
  row: number | null;
  rows: number;
}

/** Bytes `start` … `start + length`−1 of the file. */
export type ReadBytes = (start: number, length: number) => Promise<Uint8Array>;

const WINDOW = 1 << 16;

/** All pages of a chunk, from their headers. */
export async function listPages(chunk: Chunk, read: ReadBytes): Promise<Page[]> {
  const { meta, start, end, rows, path } = chunk;
  const flat = getMaxRepetitionLevel(path) === 0;
  const pages: Page[] = [];
  const swollen = LIMITS.swollenBytes + LIMITS.swelling * (end - start);
  const wanted = Number(meta.num_values);
  let [values, row, bytes] = [0, 0, 0];
  for (let at = start; values < wanted; ) {
    if (at >= end) throw new Error('a column ends before its last row');
    const { header, length } = await headerAt(at, end, read);
    const { compressed_page_size: packed, uncompressed_page_size: size } = header;
    const offset = at + length;
    if (!(packed >= 0) || offset + packed > end || !(size >= 0) || size > LIMITS.pageBytes)
      throw new Error('a page of impossible size');
    bytes += size;
    if (bytes > Math.min(swollen, LIMITS.groupBytes)) throw new Error('a column swells beyond all measure');
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
    const data = header.type === 'DATA_PAGE' ? v1 : header.type === 'DATA_PAGE_V2' ? v2 : undefined;
    if (data !== undefined) {
      const count = data.num_values;
      if (!(count >= 0) || values + count > wanted)
        throw new Error('a page with more values than its column');
      pages.push({ header, offset, row: flat ? row : null, rows: flat ? count : 0 });
      values += count;
      row += count;
    } else if (header.type === 'DICTIONARY_PAGE' && dictionary !== undefined && pages.length === 0) {
      if (!(dictionary.num_values >= 0) || dictionary.num_values > 8 * size)
        throw new Error('a dictionary of impossible size');
      pages.push({ header, offset, row: 0, rows: 0 });
    } else throw new Error('a page of unknown kind');
    at = offset + packed;
  }
  if (flat && row !== rows) throw new Error('a column has another number of rows than its group');
  return pages;
}

async function headerAt(
  at: number,
  end: number,
  read: ReadBytes,
): Promise<{ header: PageHeader; length: number }> {
  for (let window = WINDOW; ; window *= 16) {
    const bytes = await read(at, Math.min(window, end - at));
    let length: number;
    try {
      length = thriftEnd(bytes, 0);
    } catch (error) {
      // statistics of long values may make a header longer than the window
      if (window < end - at && window < LIMITS.footerBytes) continue;
      throw error;
    }
    return { header: parquetHeader(readerOf(bytes)), length };
  }
}

const readerOf = (bytes: Uint8Array) => ({
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  offset: 0,
});

/** The values of a chunk's pages, one array a page or run of pages; `skipped` rows of the group come before them. */
export async function decodePages(
  chunk: Chunk,
  pages: readonly Page[],
  [from, to]: readonly [number, number],
  read: ReadBytes,
): Promise<{ data: DecodedArray[]; skipped: number }> {
  const { meta, path } = chunk;
  const decoder = {
    pathInSchema: meta.path_in_schema,
    type: meta.type,
    element: path[path.length - 1].element,
    schemaPath: path,
    codec: 'UNCOMPRESSED' as const,
    parsers: DEFAULT_PARSERS,
    utf8: false,
  };
  const data: DecodedArray[] = [];
  let dictionary: DecodedArray | undefined;
  let last: DecodedArray | undefined;
  let skipped = 0;
  for (const { header, offset, row, rows } of pages) {
    if (header.type !== 'DICTIONARY_PAGE' && row !== null && (row + rows <= from || row >= to)) {
      if (data.length === 0) skipped = row + rows;
      continue;
    }
    const packed = await read(offset, header.compressed_page_size);
    if (header.type === 'DICTIONARY_PAGE') {
      const bytes = unpacked(packed, header.uncompressed_page_size, meta);
      const count = header.dictionary_page_header!.num_values;
      dictionary = convert(
        readPlain(readerOf(bytes), meta.type, count, decoder.element.type_length),
        decoder,
      );
      continue;
    }
    const v2 = header.data_page_header_v2;
    const head = v2 ?? header.data_page_header!;
    const page = v2
      ? readDataPageV2(unpackedV2(packed, header, meta, path), unpackedHeader(header), decoder)
      : readDataPage(
          checkedV1(unpacked(packed, header.uncompressed_page_size, meta), header, meta, path),
          head as never,
          decoder,
        );
    const { definitionLevels, repetitionLevels, dataPage } = page;
    if (head.encoding.endsWith('_DICTIONARY')) checkIndices(dataPage, dictionary);
    const values = convertWithDictionary(dataPage, dictionary, head.encoding, decoder);
    const output = Array.isArray(last) ? last : [];
    const assembled = assembleLists(output, definitionLevels, repetitionLevels, values, path);
    if (assembled !== last && assembled.length > 0) data.push(assembled);
    last = assembled;
  }
  return { data, skipped };
}

/** Which rows of a chunk's group have a value: levels are decoded, values are not. Holds one page at a time. */
export async function rowsWithValue(
  chunk: Chunk,
  pages: readonly Page[],
  read: ReadBytes,
): Promise<readonly boolean[]> {
  const { rows, path } = chunk;
  const present = new Array<boolean>(rows).fill(false);
  const maxDefinition = getMaxDefinitionLevel(path);
  let row = -1;
  for (const page of pages) {
    if (page.header.type === 'DICTIONARY_PAGE') continue;
    const [repetition, definition] = await levelsOf(page, chunk, read);
    const { num_values: count } = page.header.data_page_header_v2 ?? page.header.data_page_header!;
    for (let i = 0; i < count; i++) {
      if (repetition === null || repetition[i] === 0) row++;
      if (row < 0 || row >= rows) throw new Error('a column has another number of rows than its group');
      if (definition === null || definition[i] === maxDefinition) present[row] = true;
    }
  }
  return present;
}

/** Repetition and definition levels of a page's values; null where the schema leaves no choice. */
async function levelsOf(
  { header, offset }: Page,
  { meta, path }: Chunk,
  read: ReadBytes,
): Promise<(number[] | null)[]> {
  const maxima = [getMaxRepetitionLevel(path), getMaxDefinitionLevel(path)];
  const v2 = header.data_page_header_v2;
  if (v2 !== undefined) {
    const lengths = [v2.repetition_levels_byte_length, v2.definition_levels_byte_length];
    const levels = lengths[0] + lengths[1];
    if (!(lengths[0] >= 0 && lengths[1] >= 0 && levels <= header.compressed_page_size))
      throw new Error('a page of impossible sizes');
    const bytes = await read(offset, levels);
    return maxima.map((max, i) => {
      const from = i === 0 ? 0 : lengths[0];
      return levelsIn(bytes, from, from + lengths[i], max, v2.num_values);
    });
  }
  const packed = await read(offset, header.compressed_page_size);
  const bytes = unpacked(packed, header.uncompressed_page_size, meta);
  const { view } = readerOf(bytes);
  let at = 0;
  return maxima.map((max) => {
    if (max === 0) return null;
    if (at + 4 > bytes.length) throw new Error('levels are cut off');
    const from = at + 4;
    at = from + view.getUint32(at, true);
    if (at > bytes.length) throw new Error('levels are cut off');
    return levelsIn(bytes, from, at, max, header.data_page_header!.num_values);
  });
}

function levelsIn(bytes: Uint8Array, from: number, to: number, max: number, count: number): number[] | null {
  if (max === 0) return null;
  const width = 32 - Math.clz32(max);
  checkRuns(bytes, from, to, width, count);
  const levels = new Array<number>(count);
  readRleBitPackedHybrid({ ...readerOf(bytes), offset: from }, width, levels, to - from);
  return levels;
}

function checkIndices(indices: DecodedArray, dictionary: DecodedArray | undefined): void {
  if (dictionary === undefined) throw new Error('a dictionary is missing');
  for (const index of indices)
    if (!(index < dictionary.length)) throw new Error('an index outside the dictionary');
}

/** Bounded by the declared size, which has been checked; Node's own where there is one. */
const compressors: Compressors = {
  SNAPPY: all.SNAPPY,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
  LZ4: all.LZ4,
  LZ4_RAW: all.LZ4_RAW,
};

function unpacked(packed: Uint8Array, size: number, { codec }: ColumnMetaData): Uint8Array {
  // a page without values may be packed into a byte or none, which not all decompressors know
  if (size === 0) return new Uint8Array(0);
  return decompressPage(packed, size, codec, compressors);
}

/** Levels stand before the values, each with its length. */
function checkedV1(
  bytes: Uint8Array,
  header: PageHeader,
  meta: ColumnMetaData,
  path: SchemaTree[],
): Uint8Array {
  const { num_values: count, encoding } = header.data_page_header!;
  const { view } = readerOf(bytes);
  const maxDefinition = getMaxDefinitionLevel(path);
  let at = 0;
  let present = count;
  for (const max of [getMaxRepetitionLevel(path), maxDefinition]) {
    if (max === 0) continue;
    const length = view.getUint32(at, true);
    if (length > bytes.length - at - 4) throw new Error('levels are cut off');
    const whole = checkRuns(bytes, at + 4, at + 4 + length, 32 - Math.clz32(max), count, max);
    if (max === maxDefinition) present = whole;
    at += 4 + length;
  }
  checkValues(bytes.subarray(at), encoding, meta, path, present);
  return bytes;
}

/** Levels stand before the values, never compressed; their lengths are in the header. */
function unpackedV2(
  packed: Uint8Array,
  header: PageHeader,
  meta: ColumnMetaData,
  path: SchemaTree[],
): Uint8Array {
  const head = header.data_page_header_v2!;
  const { num_values: count, num_nulls: nulls } = head;
  const [repetition, definition] = [head.repetition_levels_byte_length, head.definition_levels_byte_length];
  const levels = repetition + definition;
  const size = header.uncompressed_page_size - levels;
  if (
    !(
      repetition >= 0 &&
      definition >= 0 &&
      levels <= packed.length &&
      size >= 0 &&
      nulls >= 0 &&
      nulls <= count
    )
  )
    throw new Error('a page of impossible sizes');
  const maxRepetition = getMaxRepetitionLevel(path);
  const maxDefinition = getMaxDefinitionLevel(path);
  if (maxRepetition > 0) checkRuns(packed, 0, repetition, 32 - Math.clz32(maxRepetition), count);
  if (maxDefinition > 0) checkRuns(packed, repetition, levels, 32 - Math.clz32(maxDefinition), count);
  const packedValues = packed.subarray(levels);
  const values =
    head.is_compressed === false || size === 0 ? packedValues : unpacked(packedValues, size, meta);
  if (values.length < size) throw new Error('a page is cut off');
  checkValues(values, head.encoding, meta, path, count - nulls);
  const bytes = new Uint8Array(levels + values.length);
  bytes.set(packed.subarray(0, levels));
  bytes.set(values, levels);
  return bytes;
}

function unpackedHeader(header: PageHeader): PageHeader {
  return { ...header, data_page_header_v2: { ...header.data_page_header_v2!, is_compressed: false } };
}

const WIDTHS: Partial<Record<string, number>> = { INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8 };

/** Bounds what decoding `present` values will do. */
function checkValues(
  bytes: Uint8Array,
  encoding: string,
  { type }: ColumnMetaData,
  path: SchemaTree[],
  present: number,
): void {
  if (present === 0) return;
  if (bytes.length === 0) throw new Error('a page is cut off');
  const dictionary = encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY';
  if (dictionary && type !== 'BOOLEAN') {
    if (bytes[0] > 0) checkRuns(bytes, 1, bytes.length, bytes[0], present);
  } else if (encoding === 'RLE' && type === 'BOOLEAN') {
    checkRuns(bytes, 4, bytes.length, 1, present);
  } else if (encoding === 'BYTE_STREAM_SPLIT') {
    const width = WIDTHS[type] ?? path[path.length - 1].element.type_length ?? 0;
    if (present * width > bytes.length) throw new Error('a page is cut off');
  } else if (encoding === 'DELTA_BYTE_ARRAY') checkPrefixes(bytes, 0, present);
  else if (encoding === 'DELTA_BINARY_PACKED' || encoding === 'DELTA_LENGTH_BYTE_ARRAY')
    deltaEnd(bytes, 0, present);
  else if (encoding !== 'PLAIN') throw new Error(`encoding ${encoding} is not read`);
}
