/** Safetensors files of a model folder, opened: one file, or shards with an index. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../../errors.ts';
import { parseCheckpointIndex } from '../../../models/checkpoint-index.ts';
import { quoted } from '../../../models/json.ts';
import {
  type FillRange,
  readHeader,
  type TensorEntry,
  type TensorSource,
  tensorSource,
} from '../../../models/safetensors.ts';

export const WEIGHTS = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

export interface TensorFile {
  source: TensorSource;
  /** By name. */
  tensors: Map<string, TensorEntry>;
  metadata: Record<string, string>;
  close(): Promise<void>;
}

/** Opens a file and reads its header. Throws InputError: not there, damaged. */
export async function openTensorFile(file: string): Promise<TensorFile> {
  const handle = await open(file).catch(() => {
    throw new InputError(`${file}: not found; the checkpoint is not whole, copy it again`);
  });
  const fill = filling(handle);
  const read = async (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, await fill(offset, bytes));
  };
  try {
    const { tensors, metadata } = await readHeader(read, (await handle.stat()).size, file);
    return { source: tensorSource(file, fill), tensors, metadata, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function filling(handle: FileHandle): FillRange {
  return async (offset, into) => {
    let at = 0;
    while (at < into.length) {
      const { bytesRead } = await handle.read(into, at, into.length - at, offset + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return at;
  };
}

/** All weights of a folder by the names they are stored under. */
export interface OpenWeights {
  tensors: Map<string, { entry: TensorEntry; source: TensorSource }>;
  /** What messages about the whole name: the one file, or the index. */
  file: string;
  close(): Promise<void>;
}

/**
 * Opens `model.safetensors`, or where there is none (the order of transformers) the shards of its index.
 * Throws InputError: a file is not there or damaged, a shard lacks what the index says it holds, two shards hold the same.
 */
export async function openWeights(dir: string): Promise<OpenWeights> {
  const whole = join(dir, WEIGHTS);
  const index = join(dir, INDEX);
  const text = (await exists(whole)) ? null : await readFile(index, 'utf8').catch(() => null);
  const shards = text === null ? new Map([[WEIGHTS, []]]) : parseCheckpointIndex(text, index);
  const files: TensorFile[] = [];
  const close = async () => {
    for (const file of files) await file.close();
  };
  const tensors: OpenWeights['tensors'] = new Map();
  try {
    for (const [shard, promised] of shards) {
      const file = await openTensorFile(join(dir, shard));
      files.push(file);
      const { source } = file;
      for (const name of promised)
        if (!file.tensors.has(name))
          throw new InputError(
            `${source.file}: lacks the tensor ${quoted(name)}, which ${INDEX} says it holds; copy both again`,
          );
      for (const [name, entry] of file.tensors) {
        const other = tensors.get(name);
        if (other)
          throw new InputError(
            `${source.file}: the tensor ${quoted(name)} stands in ${other.source.file} too; keep one of them`,
          );
        tensors.set(name, { entry, source });
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { tensors, file: text === null ? whole : index, close };
}

export async function exists(file: string): Promise<boolean> {
  const handle = await open(file).catch(() => null);
  await handle?.close();
  return handle !== null;
}
