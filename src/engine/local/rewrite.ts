/**
 * A checkpoint's weights written anew, in another dtype, in other shards, or with a LoRA adapter merged into them, a
 * block of rows at a time: memory does not grow with the model. Shards and their index as `save_pretrained` of
 * transformers lays them out (huggingface_hub, "Serialization").
 */
import { InputError } from '../../errors.ts';
import { OVERFLOW } from '../../models/halves.ts';
import { mergeLora } from '../../models/lora/merge.ts';
import { loraNames } from '../../models/lora/parameters.ts';
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import {
  decodeFloats,
  elements,
  encodeHeader,
  encodeNumbers,
  type FloatDtype,
  type TensorEntry,
  tensorBytes,
} from '../../models/safetensors.ts';
import { loadAdapter } from './adapter.ts';
import { diverged, openWeights, type StoredTensor, writeInto } from './checkpoint.ts';

export interface RewriteOptions {
  /** Folder of an adapter to merge; null: none. */
  adapter: string | null;
  /** 'same': every tensor keeps the dtype it has. */
  dtype: FloatDtype | 'same';
  /** A file takes no more bytes of tensors than this, unless a single one is larger. */
  maxShardBytes: number;
  /** Told after every tensor. */
  onProgress?: (done: number, total: number) => void;
}

export interface Rewritten {
  /** Names of the weight files, without the index. */
  files: string[];
  tensors: number;
  /** Of all tensors together. */
  bytes: number;
  /** Adapted matrices. */
  merged: number;
  /** Tensors of the base that the architecture has no use for: not written. */
  leftOut: string[];
}

/** Elements read, merged and written at a time, in whole rows. */
const BLOCK = 1 << 22;

interface Written {
  name: string;
  dtype: FloatDtype;
  shape: number[];
  source: StoredTensor;
  /** Adds the adapter to `rows` rows of the matrix from row `from` on. */
  merge: ((values: Float32Array, from: number, rows: number) => void) | null;
}

/**
 * Writes the weights of the folder `base` into `dir` (made if need be). The caller makes it atomic and copies the rest.
 * Throws InputError: a folder that cannot be read, an adapter of another model, NaN or infinity, numbers too large for
 * `dtype`; RunError where writing fails.
 */
export async function rewriteWeights(
  base: string,
  config: Qwen25VlConfig,
  dir: string,
  { adapter, dtype, maxShardBytes, onProgress }: RewriteOptions,
): Promise<Rewritten> {
  const { stored, extra, close } = await openWeights(base, config);
  try {
    const merges = adapter === null ? new Map() : await mergesOf(adapter, config);
    const all = [...stored].map(
      ([name, source]): Written => ({
        name: source.entry.name,
        dtype: dtype === 'same' ? (source.entry.dtype as FloatDtype) : dtype,
        shape: source.entry.shape,
        source,
        merge: merges.get(name) ?? null,
      }),
    );
    const shards = shardsOf(all, maxShardBytes);
    const bytes = all.reduce((sum, tensor) => sum + tensorBytes(tensor.dtype, tensor.shape), 0);
    let done = 0;
    const onTensor = () => onProgress?.(++done, all.length);
    for (const [file, tensors] of shards) await writeInto(dir, { [file]: contents(tensors, onTensor) });
    if (shards.size > 1) await writeInto(dir, { 'model.safetensors.index.json': index(shards, bytes) });
    return { files: [...shards.keys()], tensors: all.length, bytes, merged: merges.size, leftOut: extra };
  } finally {
    await close();
  }
}

async function mergesOf(adapter: string, config: Qwen25VlConfig): Promise<Map<string, Written['merge']>> {
  const { layers, matrices } = await loadAdapter(adapter, config);
  return new Map(
    layers.map((layer) => {
      const { rank, scale } = layer;
      const names = loraNames(layer);
      const [a, b] = [matrices.get(names.a)!, matrices.get(names.b)!];
      const merge: Written['merge'] = (values, from, rows) =>
        mergeLora(values, a, b.subarray(from * rank, (from + rows) * rank), {
          out: rows,
          in: values.length / rows,
          rank,
          scale,
        });
      return [layer.weight, merge];
    }),
  );
}

/** Files by name, each filled in order until the next tensor would be too much. */
function shardsOf(all: Written[], maxShardBytes: number): Map<string, Written[]> {
  const shards: Written[][] = [];
  let room = -1;
  for (const tensor of all) {
    const bytes = tensorBytes(tensor.dtype, tensor.shape);
    if (bytes > room) {
      shards.push([]);
      room = maxShardBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  const number = (n: number) => String(n).padStart(5, '0');
  return new Map(
    shards.map((tensors, i) => [
      shards.length === 1
        ? 'model.safetensors'
        : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`,
      tensors,
    ]),
  );
}

function index(shards: Map<string, Written[]>, bytes: number): string {
  const map = [...shards].flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file]));
  const json = {
    metadata: { total_size: bytes },
    weight_map: Object.fromEntries(map.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

async function* contents(tensors: Written[], onTensor: () => void): AsyncGenerator<Uint8Array> {
  // As in the reference implementation: wider numbers first, so that all are aligned, then by name.
  const ordered = [...tensors].sort(
    (a, b) => tensorBytes(b.dtype, []) - tensorBytes(a.dtype, []) || (a.name < b.name ? -1 : 1),
  );
  yield encodeHeader(ordered);
  for (const tensor of ordered) {
    yield* blocks(tensor);
    onTensor();
  }
}

async function* blocks({ dtype, shape, source, merge }: Written): AsyncGenerator<Uint8Array> {
  const { entry, read, file } = source;
  const row = elements(shape.slice(1));
  const most = Math.max(1, Math.floor(BLOCK / row));
  const rowBytes = (entry.end - entry.begin) / shape[0];
  for (let from = 0; from < shape[0]; from += most) {
    const rows = Math.min(most, shape[0] - from);
    const bytes = await read(entry.begin + from * rowBytes, rows * rowBytes);
    if (bytes.length !== rows * rowBytes)
      throw new InputError(`${file}: ends within the tensor ${entry.name}; copy it again`);
    if (!merge && dtype === entry.dtype) {
      yield bytes;
      continue;
    }
    const values = decodeFloats(bytes, entry, file);
    merge?.(values, from, rows);
    refuseOverflow(values, dtype, entry, file);
    yield encodeNumbers(values, dtype);
  }
}

function refuseOverflow(values: Float32Array, dtype: FloatDtype, entry: TensorEntry, file: string): void {
  const limit = OVERFLOW[dtype];
  let at = 0;
  while (at < values.length && Math.abs(values[at]) < limit) at++;
  if (at === values.length) return;
  const wrong = values[at];
  if (!Number.isFinite(wrong)) throw diverged(file, entry.name);
  throw new InputError(
    `${file}: the tensor ${entry.name} reaches ${wrong}, too large for ${dtype === 'F16' ? 'float16' : 'bfloat16'}; write it as ${dtype === 'F16' ? 'bfloat16' : 'float32'}`,
  );
}
