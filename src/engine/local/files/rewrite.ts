/**
 * A checkpoint's weights written anew, in another dtype, in other shards, or with a LoRA adapter merged into them, a
 * block of rows at a time: memory does not grow with the model. Shards and their index as `save_pretrained` of
 * transformers lays them out (huggingface_hub, "Serialization").
 */
import { InputError } from '../../../errors.ts';
import { checkpointIndex, planShards } from '../../../models/checkpoint-index.ts';
import { mergeLora } from '../../../models/lora/merge.ts';
import { loraNames } from '../../../models/lora/parameters.ts';
import { narrow, OVERFLOW } from '../../../models/narrow.ts';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import {
  diverged,
  elements,
  encodeHeader,
  readTensorInto,
  type TensorEntry,
} from '../../../models/safetensors.ts';
import { FLOAT_BYTES, type FloatDtype } from '../../../models/widen.ts';
import { loadAdapter } from './adapter.ts';
import { openParameters, pretty, type StoredParameter, writeInto } from './checkpoint.ts';
import { INDEX } from './tensor-files.ts';

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
  /** That it takes in its file. */
  bytes: number;
  from: StoredParameter;
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
  const { found, extra, close } = await openParameters(base, config);
  try {
    const merges = adapter === null ? new Map() : await mergesOf(adapter, config);
    const all = found.map((from): Written => {
      const { name, shape, dtype: stored } = from.entry;
      const as = dtype === 'same' ? (stored as FloatDtype) : dtype;
      const bytes = elements(shape) * FLOAT_BYTES[as];
      return { name, dtype: as, shape, bytes, from, merge: merges.get(from.name) ?? null };
    });
    const shards = planShards(all, maxShardBytes);
    let done = 0;
    const onTensor = () => onProgress?.(++done, all.length);
    for (const [file, tensors] of shards) await writeInto(dir, { [file]: contents(tensors, onTensor) });
    if (shards.size > 1) await writeInto(dir, { [INDEX]: pretty(checkpointIndex(shards)) });
    const bytes = all.reduce((sum, tensor) => sum + tensor.bytes, 0);
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

async function* contents(tensors: Written[], onTensor: () => void): AsyncGenerator<Uint8Array> {
  // As in the reference implementation: wider numbers first, so that all are aligned, then by name.
  const ordered = [...tensors].sort(
    (a, b) => FLOAT_BYTES[b.dtype] - FLOAT_BYTES[a.dtype] || (a.name < b.name ? -1 : 1),
  );
  yield encodeHeader(ordered);
  for (const tensor of ordered) {
    yield* blocks(tensor);
    onTensor();
  }
}

async function* blocks({
  dtype,
  shape,
  from: { entry, source },
  merge,
}: Written): AsyncGenerator<Uint8Array> {
  const row = elements(shape.slice(1));
  const most = Math.max(1, Math.floor(BLOCK / row));
  const rowBytes = (entry.end - entry.begin) / shape[0];
  for (let from = 0; from < shape[0]; from += most) {
    const rows = Math.min(most, shape[0] - from);
    const values = new Float32Array(rows * row);
    await readTensorInto(source, { ...entry, begin: entry.begin + from * rowBytes }, values);
    merge?.(values, from, rows);
    refuseOverflow(values, dtype, entry, source.file);
    const bits = narrow(dtype, values);
    yield new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
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
