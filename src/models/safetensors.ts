/**
 * The safetensors file format, read and written: eight bytes of header length (little-endian), a JSON header
 * that gives every tensor's dtype, shape and byte range, then the bytes without a gap.
 *
 * Source: github.com/huggingface/safetensors, README "Format" and `Metadata::validate`. As there, the byte
 * ranges must cover the rest of the file exactly once; we also refuse a name that stands twice. Nothing is
 * allocated before the sizes have been held against the length of the file.
 */
import { InputError } from '../errors.ts';
import { parseJson, quoted } from './json.ts';
import { FLOAT_BYTES, type FloatDtype, widen } from './widen.ts';

/** Reads `length` bytes from byte `offset` of a file. */
export type ReadRange = (offset: number, length: number) => Promise<Uint8Array>;

/** Fills `into` from byte `offset` of a file; the number of bytes read, fewer only where the file ends. */
export type FillRange = (offset: number, into: Uint8Array) => Promise<number>;

/** Where one tensor lies: `begin` and `end` count bytes from the start of the file. */
export interface TensorEntry {
  name: string;
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  /** By name, in the order of the bytes. */
  tensors: Map<string, TensorEntry>;
  metadata: Record<string, string>;
}

/** A float32 tensor: `data` is row-major and holds the product of `shape` numbers. */
export interface FloatTensor {
  shape: number[];
  data: Float32Array;
}

/** Bytes an element, of every dtype whose elements are whole bytes. */
const BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const;
export type Dtype = keyof typeof BYTES;

const MAX_HEADER_BYTES = 100_000_000; // the reference implementation's limit
const DAMAGED = 'the file is damaged or cut off, copy it again';

/**
 * Reads and validates the header of a file of `fileBytes` bytes.
 * Throws InputError: one line that begins with `file` and names the tensor.
 */
export async function readHeader(
  read: ReadRange,
  fileBytes: number,
  file: string,
): Promise<SafetensorsHeader> {
  if (fileBytes < 8)
    throw new InputError(`${file}: ${fileBytes} bytes are too few for a safetensors file; ${DAMAGED}`);
  const length = headerLength(await exactly(read, 0, 8, file), fileBytes, file);
  return header(await exactly(read, 8, length, file), fileBytes, file);
}

/** Like {@link readHeader}, of a file that is in memory as a whole. */
export function parseHeader(bytes: Uint8Array, file: string): SafetensorsHeader {
  if (bytes.length < 8)
    throw new InputError(`${file}: ${bytes.length} bytes are too few for a safetensors file; ${DAMAGED}`);
  const length = headerLength(bytes.subarray(0, 8), bytes.length, file);
  return header(bytes.subarray(8, 8 + length), bytes.length, file);
}

/** Reads one tensor's bytes and widens them to float32. Throws InputError like {@link decodeFloats}. */
export async function readTensor(read: ReadRange, entry: TensorEntry, file: string): Promise<Float32Array> {
  refuseWithoutFloats(entry, file);
  return decodeFloats(await exactly(read, entry.begin, entry.end - entry.begin, file), entry, file);
}

/** A file whose tensors are read piece by piece. One tensor at a time: its two buffers are used again for each. */
export interface TensorSource {
  file: string;
  fill: FillRange;
  buffers: [Uint8Array, Uint8Array];
}

/** Small enough for a piece to be still in the processor's cache when it is widened. */
const PIECE_BYTES = 4 * 2 ** 20;

export function tensorSource(file: string, fill: FillRange): TensorSource {
  return { file, fill, buffers: [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)] };
}

/**
 * Reads one tensor into `into`, which holds as many numbers as its shape says: widened piece by piece, the next piece
 * being read meanwhile, so that no second copy of the tensor is made.
 * Throws InputError: a dtype without floats, the file ends early, a number that is not finite (`into` is then filled
 * with what was read).
 */
export async function readTensorInto(
  { file, fill, buffers }: TensorSource,
  entry: TensorEntry,
  into: Float32Array,
): Promise<void> {
  refuseWithoutFloats(entry, file);
  const dtype = entry.dtype as FloatDtype;
  const size = FLOAT_BYTES[dtype];
  const pieceLength = PIECE_BYTES / size;
  const bytesOf = (at: number): Uint8Array => {
    const length = Math.min(pieceLength, into.length - at);
    return dtype === 'F32'
      ? new Uint8Array(into.buffer, into.byteOffset + at * size, length * size)
      : buffers[(at / pieceLength) % 2].subarray(0, length * size);
  };
  const start = (at: number) => (at < into.length ? fill(entry.begin + at * size, bytesOf(at)) : null);
  let finite = true;
  let reading = start(0);
  for (let at = 0; at < into.length; at += pieceLength) {
    const bytes = bytesOf(at);
    if ((await reading) !== bytes.length)
      throw new InputError(`${file}: ends before byte ${entry.begin + at * size + bytes.length}; ${DAMAGED}`);
    reading = start(at + pieceLength);
    if (!widen(dtype, bytes, into.subarray(at, at + pieceLength))) finite = false;
  }
  if (!finite) throw diverged(file, entry.name);
}

/** The error of weights that cannot be used any more. */
export function diverged(file: string, tensor: string): InputError {
  return new InputError(
    `${file}: the tensor ${tensor} holds NaN or infinity; the training that wrote it had diverged, take an earlier checkpoint`,
  );
}

/**
 * The numbers of a tensor of dtype F32, F16 or BF16 as float32, whatever they are.
 * `bytes` are the entry's bytes at any alignment; the result never shares memory with them.
 * Throws InputError for any other dtype.
 */
export function decodeFloats(
  bytes: Uint8Array,
  entry: Pick<TensorEntry, 'name' | 'dtype'>,
  file: string,
): Float32Array {
  refuseWithoutFloats(entry, file);
  const dtype = entry.dtype as FloatDtype;
  const out = new Float32Array(bytes.length / FLOAT_BYTES[dtype]);
  widen(dtype, bytes, out);
  return out;
}

/**
 * A safetensors file of float32 tensors as a run of chunks: the header, then each tensor's own memory, so that
 * no buffer of the file's size is made. Write a chunk before asking for the next. Tensors are sorted by name
 * (the order of the reference implementation), so the same tensors give the same bytes.
 * Throws RangeError where a shape and its data disagree, which is a defect of the caller.
 */
export function* encodeFloats(
  tensors: ReadonlyMap<string, FloatTensor>,
  metadata: Record<string, string> = { format: 'pt' },
): Generator<Uint8Array> {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, { shape, data }] of sorted)
    if (data.length !== elements(shape))
      throw new RangeError(`tensor ${quoted(name)} has ${data.length} numbers for the shape [${shape}]`);
  yield encodeHeader(
    sorted.map(([name, { shape }]) => ({ name, dtype: 'F32', shape })),
    metadata,
  );
  for (const [, { data }] of sorted)
    for (let at = 0; at < data.length; at += MOST_NUMBERS) {
      const part = data.subarray(at, at + MOST_NUMBERS);
      yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    }
}

/** A chunk's: no typed array has more than 2³² elements, so a large tensor has no view of its bytes as a whole. */
const MOST_NUMBERS = 2 ** 28;

/** The length and the header of a file whose tensors' bytes follow in the order given. */
export function encodeHeader(
  tensors: readonly Pick<TensorEntry, 'name' | 'dtype' | 'shape'>[],
  metadata: Record<string, string> = { format: 'pt' },
): Uint8Array {
  const head: Record<string, unknown> = Object.create(null);
  head['__metadata__'] = metadata;
  let end = 0;
  for (const { name, dtype, shape } of tensors) {
    const begin = end;
    end += elements(shape) * BYTES[dtype];
    head[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = new TextEncoder().encode(JSON.stringify(head));
  // Padded with spaces so that the data begins at a multiple of eight.
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(json, 8);
  return bytes;
}

/** The number of elements of a shape; 1 for a scalar's empty shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

async function exactly(read: ReadRange, offset: number, length: number, file: string): Promise<Uint8Array> {
  const bytes = await read(offset, length);
  if (bytes.length !== length)
    throw new InputError(`${file}: ends before byte ${offset + length}; ${DAMAGED}`);
  return bytes;
}

function headerLength(bytes: Uint8Array, fileBytes: number, file: string): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES) || length > BigInt(fileBytes - 8))
    throw new InputError(
      `${file}: says its header takes ${length} bytes, in a file of ${fileBytes}; not a safetensors file, or damaged`,
    );
  return Number(length);
}

function header(bytes: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  if (bytes[0] !== 0x7b)
    throw new InputError(`${file}: its header does not begin with "{"; not a safetensors file, or damaged`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${file}: its header is not UTF-8; ${DAMAGED}`);
  }
  const { __metadata__, ...rest } = parseJson(text, `${file} (header)`) as Record<string, unknown>;
  const dataBegin = 8 + bytes.length;
  const entries = Object.entries(rest).map(([name, value]) => tensorEntry(name, value, dataBegin, file));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = dataBegin;
  for (const { name, begin, end } of entries) {
    if (begin !== covered)
      throw new InputError(
        `${file}: tensor ${quoted(name)} begins at byte ${begin}, ${begin < covered ? 'inside the tensor before it' : `after a gap of ${begin - covered} bytes`}; ${DAMAGED}`,
      );
    if (end > fileBytes)
      throw new InputError(
        `${file}: tensor ${quoted(name)} ends at byte ${end}, but the file has ${fileBytes}; ${DAMAGED}`,
      );
    covered = end;
  }
  if (covered !== fileBytes)
    throw new InputError(`${file}: ${fileBytes - covered} bytes after the last tensor; ${DAMAGED}`);
  return {
    tensors: new Map(entries.map((entry) => [entry.name, entry])),
    metadata: metadataOf(__metadata__, file),
  };
}

function metadataOf(value: unknown, file: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new InputError(`${file}: __metadata__ is not an object; ${DAMAGED}`);
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string')
      throw new InputError(`${file}: __metadata__ ${quoted(key)} is not a string; ${DAMAGED}`);
  return value as Record<string, string>;
}

function tensorEntry(name: string, value: unknown, dataBegin: number, file: string): TensorEntry {
  const fail = (what: string) => new InputError(`${file}: tensor ${quoted(name)} ${what}; ${DAMAGED}`);
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string') throw fail('has no dtype');
  if (!Object.hasOwn(BYTES, dtype))
    throw new InputError(
      `${file}: tensor ${quoted(name)} has the dtype ${quoted(dtype)}, which is not known here; convert it to float32, float16 or bfloat16`,
    );
  if (!Array.isArray(shape) || !shape.every(isSize)) throw fail('has no shape of non-negative integers');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0] > offsets[1])
    throw fail('has no data_offsets [begin, end]');
  const bytes = elements(shape) * BYTES[dtype as Dtype];
  // A product beyond 2^53 is inexact, but then far from any difference of two safe integers.
  if (bytes !== offsets[1] - offsets[0])
    throw fail(
      `of shape [${shape.length > 8 ? `${shape.slice(0, 8)},...` : shape}] and dtype ${dtype} takes ${bytes} bytes but has ${offsets[1] - offsets[0]}`,
    );
  return {
    name,
    dtype: dtype as Dtype,
    shape: [...shape],
    begin: dataBegin + offsets[0],
    end: dataBegin + offsets[1],
  };
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Throws InputError where a tensor's numbers cannot be read as float32. */
export function refuseWithoutFloats(
  { name, dtype }: Pick<TensorEntry, 'name' | 'dtype'>,
  file: string,
): void {
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16')
    throw new InputError(
      `${file}: tensor ${quoted(name)} has the dtype ${dtype}; weights must be float32, float16 or bfloat16, convert it`,
    );
}
