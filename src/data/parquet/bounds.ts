/**
 * What a Parquet file may say about itself before anything is allocated or looped over because of it: the library that
 * decodes trusts counts and lengths, and a file from a stranger may lie. Thrift's compact protocol, the run-length
 * hybrid and the delta encodings are walked here without decoding them (https://parquet.apache.org/docs/file-format/).
 * All functions throw Error with the reason alone; parquet.ts names the file.
 */
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';

/** A file is refused that asks for more than these, and says so. */
export const LIMITS = {
  footerBytes: 64 << 20,
  /** Values in a footer or a page header, lists and structs included. */
  thriftValues: 4_000_000,
  thriftDepth: 24,
  schemaElements: 10_000,
  schemaDepth: 16,
  rowsOfGroup: 1 << 21,
  valuesOfChunk: 1 << 24,
  /** Cells decoded at once. */
  cells: 1 << 25,
  pageBytes: 1 << 30,
  /** Of the columns that are read of one row group, decompressed. */
  groupBytes: 2 ** 31,
  /** A column chunk may swell to so many bytes at any rate, and to so many times its size on disk. */
  swollenBytes: 64 << 20,
  swelling: 1000,
} as const;

/** Where the struct that begins at `offset` ends. */
export function thriftEnd(bytes: Uint8Array, offset: number): number {
  let at = offset;
  let values = 0;
  const byte = () => {
    if (at >= bytes.length) throw new Error('metadata is cut off');
    return bytes[at++];
  };
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const next = byte();
      if (shift >= 70) throw new Error('a number in the metadata has no end');
      value += (next & 127) * 2 ** shift;
      if (next < 128) return value;
    }
  };
  const skip = (count: number) => {
    if (count > bytes.length - at) throw new Error('metadata is cut off');
    at += count;
  };
  const element = (type: number, depth: number): void => {
    if (++values > LIMITS.thriftValues) throw new Error('too much metadata');
    if (type === 3) skip(1);
    else if (type === 4 || type === 5 || type === 6) varint();
    else if (type === 7) skip(8);
    else if (type === 8) skip(varint());
    else if (type === 9) list(depth + 1);
    else if (type === 12) struct(depth + 1);
    else if (type !== 1 && type !== 2) throw new Error(`metadata of unknown type ${type}`);
  };
  const list = (depth: number): void => {
    if (depth > LIMITS.thriftDepth) throw new Error('metadata is nested too deeply');
    const head = byte();
    const size = head >> 4 === 15 ? varint() : head >> 4;
    // every element takes a byte at least
    if (size > bytes.length - at) throw new Error('a list in the metadata is longer than the file');
    const type = head & 15;
    for (let i = 0; i < size; i++) element(type === 1 || type === 2 ? 3 : type, depth);
  };
  const struct = (depth: number): void => {
    if (depth > LIMITS.thriftDepth) throw new Error('metadata is nested too deeply');
    for (let head = byte(); (head & 15) !== 0; head = byte()) {
      if (head >> 4 === 0) varint();
      element(head & 15, depth);
    }
  };
  struct(0);
  return at;
}

/**
 * Walks runs of `count` values, each `width` bits wide, in bytes `from` … `to`−1; returns how many of them are
 * `counted`.
 */
export function checkRuns(
  bytes: Uint8Array,
  from: number,
  to: number,
  width: number,
  count: number,
  counted = -1,
): number {
  if (width > 32) throw new Error(`levels or indices of ${width} bits`);
  let at = from;
  let seen = 0;
  let found = 0;
  while (seen < count) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= to || shift > 28) throw new Error('levels or indices are cut off');
      head += (bytes[at] & 127) * 2 ** shift;
      if (bytes[at++] < 128) break;
    }
    const packed = head % 2 === 1;
    const run = Math.floor(head / 2) * (packed ? 8 : 1);
    // writers fill up a last packed run of 63 groups
    if (run > count - seen + (packed ? 504 : 0)) throw new Error('more levels or indices than values');
    const some = Math.min(run, count - seen);
    const end = at + Math.ceil((packed ? some * width : width) / 8);
    if (end > to) throw new Error('levels or indices are cut off');
    if (counted >= 0 && packed) {
      for (let i = 0; i < some; i++) if (bitsAt(bytes, 8 * at + i * width, width) === counted) found++;
    } else if (counted >= 0 && bitsAt(bytes, 8 * at, width) === counted) found += some;
    at = packed ? at + Math.ceil((run * width) / 8) : end;
    seen += run;
  }
  return found;
}

/** A number of a few bits, lowest first. */
function bitsAt(bytes: Uint8Array, bit: number, width: number): number {
  const at = bit >> 3;
  return (((bytes[at + 1] << 8) | bytes[at]) >> (bit & 7)) & ((1 << width) - 1);
}

/** Where a delta-packed stream of `count` integers ends that begins at `from`. */
export function deltaEnd(bytes: Uint8Array, from: number, count: number): number {
  let at = from;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length || shift >= 70) throw new Error('deltas are cut off');
      value += (bytes[at] & 127) * 2 ** shift;
      if (bytes[at++] < 128) return value;
    }
  };
  const [block, parts, total] = [varint(), varint(), varint()];
  varint();
  const values = block / parts;
  if (block < 1 || block > 1 << 20 || !Number.isInteger(values) || values % 8 !== 0 || total !== count)
    throw new Error('deltas of impossible sizes');
  for (let left = count - 1; left > 0; ) {
    varint();
    const widths = at;
    at += parts;
    for (let i = 0; i < parts && left > 0; i++, left -= values) {
      if (widths + i >= bytes.length || bytes[widths + i] > 64)
        throw new Error('deltas of impossible widths');
      at += (bytes[widths + i] * values) / 8;
    }
    if (at > bytes.length) throw new Error('deltas are cut off');
  }
  return at;
}

/** Checks the lengths of byte arrays that are written as prefix of the one before and suffix; bounds their sum. */
export function checkPrefixes(bytes: Uint8Array, from: number, count: number): void {
  const [prefixes, middle] = lengths(bytes, from, count);
  const [suffixes, end] = lengths(bytes, middle, count);
  const most = LIMITS.swollenBytes + LIMITS.swelling * bytes.length;
  let before = 0;
  let all = 0;
  let at = end;
  for (let i = 0; i < count; i++) {
    if (prefixes[i] < 0 || suffixes[i] < 0 || prefixes[i] > before) throw new Error('impossible prefixes');
    before = prefixes[i] + suffixes[i];
    all += before;
    at += suffixes[i];
    if (all > Math.min(most, LIMITS.pageBytes)) throw new Error('texts swell beyond all measure');
  }
  if (at > bytes.length) throw new Error('texts are cut off');
}

function lengths(bytes: Uint8Array, from: number, count: number): [Int32Array, number] {
  const end = deltaEnd(bytes, from, count);
  const values = new Int32Array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  deltaBinaryUnpack({ view, offset: from }, count, values);
  return [values, end];
}
