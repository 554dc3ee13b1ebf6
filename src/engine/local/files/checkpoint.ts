/**
 * Model folders as Hugging Face lays them out: config.json, preprocessor_config.json, safetensors (one file, or shards
 * with an index). Weights are widened to float32 on loading and saved as float32, in shards where they are large.
 * Tokenizer files belong to `data/`.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, RunError } from '../../../errors.ts';
import { checkpointIndex, MAX_SHARD_BYTES, planShards } from '../../../models/checkpoint-index.ts';
import { configJson, parseConfig, type Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import { checkTensors } from '../../../models/qwen2-5-vl/parameters.ts';
import {
  checkProcessor,
  type ProcessorConfig,
  parseProcessor,
  processorJson,
} from '../../../models/qwen2-5-vl/processor.ts';
import {
  encodeFloats,
  type FloatTensor,
  readTensorInto,
  refuseWithoutFloats,
  type TensorEntry,
  type TensorSource,
} from '../../../models/safetensors.ts';
import { type ParameterStore, requireTrainable, view } from '../compute/store.ts';
import { INDEX, openTensorFile, openWeights, WEIGHTS } from './tensor-files.ts';

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

/**
 * Fills the store's weights from a folder's safetensors, tensor by tensor. Throws InputError: missing file, tensor or
 * wrong shape, before anything is changed; NaN or infinity, on the way.
 */
export async function readWeights(dir: string, config: Qwen25VlConfig, store: ParameterStore): Promise<void> {
  const { found, close } = await openParameters(dir, config);
  try {
    for (const { name, entry, source } of found)
      await readTensorInto(source, entry, view(store, store.weights, name));
  } finally {
    await close();
  }
}

/** A parameter (the name of `parameters(config)`) and where it stands in an open file. */
export interface StoredParameter {
  name: string;
  entry: TensorEntry;
  source: TensorSource;
}

/**
 * Opens a folder's safetensors: every parameter in the order of `parameters(config)`, and the names of tensors that the
 * architecture has no use for. Throws InputError: missing file, missing tensor, wrong shape or dtype.
 */
export async function openParameters(
  dir: string,
  config: Qwen25VlConfig,
): Promise<{ found: StoredParameter[]; extra: string[]; close(): Promise<void> }> {
  const { tensors, file, close } = await openWeights(dir);
  try {
    const { storedNames, extra } = checkTensors(
      [...tensors.values()].map(({ entry }) => entry),
      config,
      file,
    );
    const found = [...storedNames].map(([name, stored]) => ({ name, ...tensors.get(stored)! }));
    for (const { entry, source } of found) refuseWithoutFloats(entry, source.file);
    return { found, extra, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Writes config, processor and weights into `dir` (made if need be); weights of more than `maxShardBytes` as shards
 * with an index. The caller makes it atomic. Throws RunError.
 */
export async function writeModel(
  dir: string,
  config: Qwen25VlConfig,
  processor: ProcessorConfig,
  store: ParameterStore,
  { maxShardBytes = MAX_SHARD_BYTES } = {},
): Promise<void> {
  const named = tensors(store, { '': store.weights });
  const sizes = [...named].map(([name, { data }]) => ({ name, bytes: data.byteLength }));
  const shards = planShards(sizes, maxShardBytes);
  const held = [...shards].map(([file, names]): [string, Iterable<Uint8Array>] => [
    file,
    encodeFloats(new Map(names.map(({ name }) => [name, named.get(name)!]))),
  ]);
  // either would be read in place of the other
  await rm(join(dir, shards.size === 1 ? INDEX : WEIGHTS), { force: true }).catch(() => {});
  await writeConfig(dir, config, processor);
  await writeInto(dir, {
    ...Object.fromEntries(held),
    ...(shards.size === 1 ? {} : { [INDEX]: pretty(checkpointIndex(shards)) }),
  });
}

/** Writes what a model is, without weights, into `dir` (made if need be). Throws RunError. */
export async function writeConfig(
  dir: string,
  config: Qwen25VlConfig,
  processor: ProcessorConfig,
): Promise<void> {
  await writeInto(dir, {
    'config.json': pretty(configJson(config)),
    [PROCESSORS[0]]: pretty(processorJson(processor)),
  });
}

/** JSON as it stands in a model folder. */
export function pretty(json: unknown): string {
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** Writes files into `dir` (made if need be). Throws RunError; an InputError of a content that is being read comes as it is. */
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
    if (error instanceof InputError) throw error;
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
  const { source, tensors: held, metadata, close } = await openTensorFile(file);
  try {
    const steps = Number(metadata.steps);
    if (!(Number.isSafeInteger(steps) && steps >= 0))
      throw new InputError(`${file}: says nothing of the steps taken; not an optimizer's state saved here`);
    const found = [
      ['first.', store.firstMoment],
      ['second.', store.secondMoment],
    ].flatMap(([prefix, moment]) =>
      store.parameters.map(({ name, shape }) => {
        const entry = held.get(`${prefix}${name}`);
        if (entry?.dtype !== 'F32' || entry.shape.join() !== shape.join())
          throw new InputError(
            `${file}: lacks the float32 tensor ${prefix}${name} of shape [${shape}]; it belongs to another model`,
          );
        return { entry, into: view(store, moment as Float32Array, name) };
      }),
    );
    for (const { entry, into } of found) await readTensorInto(source, entry, into);
    store.steps = steps;
  } finally {
    await close();
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
