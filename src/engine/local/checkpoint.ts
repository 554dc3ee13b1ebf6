/**
 * Model folders as Hugging Face lays them out: config.json, preprocessor_config.json, safetensors (one file, or shards
 * with an index). Weights are widened to float32 on loading and saved as float32. Tokenizer files belong to `data/`.
 */
import { access, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, RunError } from '../../errors.ts';
import { parseCheckpointIndex } from '../../models/checkpoint-index.ts';
import { configJson, parseConfig, type Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import { checkTensors } from '../../models/qwen2-5-vl/parameters.ts';
import {
  checkProcessor,
  type ProcessorConfig,
  parseProcessor,
  processorJson,
} from '../../models/qwen2-5-vl/processor.ts';
import {
  encodeFloats,
  type FloatTensor,
  type ReadRange,
  readHeader,
  readTensor,
  refuseWithoutFloats,
  type TensorEntry,
} from '../../models/safetensors.ts';
import { type ParameterStore, requireTrainable, view } from './store.ts';

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const OPTIMIZER = 'optimizer.safetensors';
const PROCESSORS = ['preprocessor_config.json', 'processor_config.json'];

/** Reads what a model is, without its weights. Throws InputError for a folder that is not a Qwen2.5-VL checkpoint. */
export async function readModelConfig(
  dir: string,
): Promise<{ config: Qwen25VlConfig; processor: ProcessorConfig }> {
  const file = join(dir, 'config.json');
  const text = await readFile(file, 'utf8').catch(() => {
    throw new InputError(
      `${file}: not found; give a Hugging Face model folder (config.json, *.safetensors, tokenizer.json)`,
    );
  });
  const config = parseConfig(text, file);
  for (const name of PROCESSORS) {
    const path = join(dir, name);
    const found = await readFile(path, 'utf8').catch(() => null);
    if (found === null) continue;
    const processor = parseProcessor(found, path);
    checkProcessor(processor, config, path);
    return { config, processor };
  }
  throw new InputError(`${join(dir, PROCESSORS[0])}: not found; copy it from the model's repository`);
}

/** Fills the store's weights from a folder's safetensors. Throws InputError: missing file, tensor or wrong shape, before anything is changed; NaN or infinity, on the way. */
export async function readWeights(dir: string, config: Qwen25VlConfig, store: ParameterStore): Promise<void> {
  const { stored, close } = await openWeights(dir, config);
  try {
    for (const [name, { read, entry, file }] of stored) {
      const data = await readTensor(read, entry, file);
      if (!allFinite(data)) throw diverged(file, entry.name);
      view(store, store.weights, name).set(data);
    }
  } finally {
    await close();
  }
}

/** A tensor in an open file. */
export interface StoredTensor {
  file: string;
  read: ReadRange;
  entry: TensorEntry;
}

/**
 * Opens a folder's safetensors: each parameter's name with where it stands, in the order of `parameters(config)`.
 * Throws InputError: missing file, missing tensor, wrong shape or dtype.
 */
export async function openWeights(
  dir: string,
  config: Qwen25VlConfig,
): Promise<{ stored: Map<string, StoredTensor>; extra: string[]; close(): Promise<void> }> {
  const shards = (await exists(join(dir, INDEX)))
    ? [...parseCheckpointIndex(await readFile(join(dir, INDEX), 'utf8'), join(dir, INDEX)).keys()]
    : [WEIGHTS];
  const open: Awaited<ReturnType<typeof openTensors>>[] = [];
  const close = async () => {
    for (const { handle } of open) await handle.close();
  };
  try {
    for (const shard of shards) open.push(await openTensors(join(dir, shard)));
    const where = new Map(
      open.flatMap(({ file, read, entries }) =>
        entries.map((entry): [string, StoredTensor] => [entry.name, { file, read, entry }]),
      ),
    );
    const { storedNames, extra } = checkTensors(
      [...where.values()].map(({ entry }) => entry),
      config,
      open.length === 1 ? open[0].file : join(dir, INDEX),
    );
    const stored = new Map([...storedNames].map(([name, as]) => [name, where.get(as)!]));
    for (const { entry, file } of stored.values()) refuseWithoutFloats(entry, file);
    return { stored, extra, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The error of a checkpoint that cannot be used any more. */
export function diverged(file: string, tensor: string): InputError {
  return new InputError(
    `${file}: the tensor ${tensor} holds NaN or infinity; the training that wrote it had diverged, take an earlier checkpoint`,
  );
}

/** Whether there is neither NaN nor infinity among `values`. */
export function allFinite(values: Float32Array): boolean {
  let sum = 0;
  // 0 for a finite value, NaN for any other
  for (let i = 0; i < values.length; i++) sum += values[i] * 0;
  return sum === 0;
}

/** Opens one safetensors file and reads its header; the caller closes the handle. Throws InputError. */
export async function openTensors(file: string) {
  const handle = await open(file).catch(() => {
    throw new InputError(`${file}: not found; the checkpoint is not whole, copy it again`);
  });
  const read: ReadRange = async (offset, length) => {
    const bytes = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      // One call reads less than 2 GiB.
      const { bytesRead } = await handle.read(bytes, at, Math.min(length - at, 1 << 30), offset + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  };
  try {
    const header = await readHeader(read, (await handle.stat()).size, file);
    return { file, handle, read, entries: [...header.tensors.values()], metadata: header.metadata };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Writes config, processor and weights into `dir` (made if need be). The caller makes it atomic. Throws RunError. */
export async function writeModel(
  dir: string,
  config: Qwen25VlConfig,
  processor: ProcessorConfig,
  store: ParameterStore,
): Promise<void> {
  await writeInto(dir, {
    'config.json': `${JSON.stringify(configJson(config), null, 2)}\n`,
    [PROCESSORS[0]]: `${JSON.stringify(processorJson(processor), null, 2)}\n`,
    [WEIGHTS]: encodeFloats(tensors(store, { '': store.weights })),
  });
}

/** Writes files into `dir` (made if need be). Throws RunError, but whatever a content throws of this project's own comes as it is. */
export async function writeInto(
  dir: string,
  files: Record<string, string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>>,
): Promise<void> {
  let file = dir;
  try {
    await mkdir(dir, { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      file = join(dir, name);
      await writeFile(file, content);
    }
  } catch (error) {
    if (error instanceof InputError || error instanceof RunError) throw error;
    throw new RunError(`${file}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}

/** Writes the AdamW moments and step count beside the weights. Throws RunError. */
export async function writeOptimizer(dir: string, store: ParameterStore): Promise<void> {
  requireTrainable(store);
  const moments = tensors(store, { 'first.': store.firstMoment, 'second.': store.secondMoment });
  await writeInto(dir, { [OPTIMIZER]: encodeFloats(moments, { steps: String(store.steps) }) });
}

/** Reads what `writeOptimizer` wrote. Throws InputError, before anything is changed, where it is of another model. */
export async function readOptimizer(dir: string, store: ParameterStore): Promise<void> {
  requireTrainable(store);
  const file = join(dir, OPTIMIZER);
  const { handle, read, entries, metadata } = await openTensors(file);
  try {
    const steps = Number(metadata.steps);
    if (!(Number.isSafeInteger(steps) && steps >= 0))
      throw new InputError(`${file}: says nothing of the steps taken; not an optimizer's state saved here`);
    const byName = new Map(entries.map((e) => [e.name, e]));
    const found = [
      ['first.', store.firstMoment],
      ['second.', store.secondMoment],
    ].flatMap(([prefix, moment]) =>
      store.parameters.map(({ name, shape }) => {
        const entry = byName.get(`${prefix}${name}`);
        if (entry?.dtype !== 'F32' || entry.shape.join() !== shape.join())
          throw new InputError(
            `${file}: lacks the float32 tensor ${prefix}${name} of shape [${shape}]; it belongs to another model`,
          );
        return { entry, into: view(store, moment as Float32Array, name) };
      }),
    );
    for (const { entry, into } of found) into.set(await readTensor(read, entry, file));
    store.steps = steps;
  } finally {
    await handle.close();
  }
}

function tensors(store: ParameterStore, arrays: Record<string, Float32Array>): Map<string, FloatTensor> {
  const named = new Map<string, FloatTensor>();
  for (const [prefix, array] of Object.entries(arrays)) {
    for (const { name, shape } of store.parameters)
      named.set(prefix + name, { shape, data: view(store, array, name) });
  }
  return named;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
