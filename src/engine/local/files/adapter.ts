/**
 * LoRA adapters as folders, as Hugging Face PEFT lays them out: adapter_config.json, adapter_model.safetensors.
 * Matrices are widened to float32 on reading and saved as float32.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InputError } from '../../../errors.ts';
import { parseJson, quoted } from '../../../models/json.ts';
import { type AdapterConfig, parseAdapterConfig } from '../../../models/lora/config.ts';
import {
  checkLoraTensors,
  loraParameters,
  namingOf,
  storedLoraName,
} from '../../../models/lora/parameters.ts';
import { adaptedLayers, adapterConfigJson, type LoraLayer } from '../../../models/lora/targets.ts';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import {
  encodeFloats,
  type FloatTensor,
  readTensorInto,
  refuseWithoutFloats,
} from '../../../models/safetensors.ts';
import { pretty, writeInto } from './checkpoint.ts';
import { exists, INDEX, WEIGHTS as MODEL_WEIGHTS, openTensorFile } from './tensor-files.ts';

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
const PICKLED = 'adapter_model.bin';

/** Reads what an adapter is, without its matrices. Throws InputError for a folder that is not a LoRA adapter. */
export async function readAdapterConfig(dir: string): Promise<AdapterConfig> {
  const file = join(dir, CONFIG);
  const text = await readFile(file, 'utf8').catch(async () => {
    const model = await exists(join(dir, 'config.json'));
    throw new InputError(
      model
        ? `${file}: not found; this is a whole model, not an adapter: give it as the model`
        : `${file}: not found; give a PEFT adapter folder (${CONFIG}, ${WEIGHTS})`,
    );
  });
  return parseAdapterConfig(text, file);
}

/**
 * The base model's folder that an adapter folder names, sought from the working directory and from the adapter's own
 * folder. Throws InputError where it is not there.
 */
export async function baseOf(dir: string): Promise<string> {
  const file = join(dir, CONFIG);
  const named = (parseJson(await readFile(file, 'utf8'), file) as Record<string, unknown> | null)
    ?.base_model_name_or_path;
  const tried = typeof named === 'string' && named !== '' ? [resolve(named), resolve(dir, named)] : [];
  for (const folder of tried) if (await exists(join(folder, 'config.json'))) return folder;
  throw new InputError(
    `${file}: base_model_name_or_path ${quoted(String(named))} is no model folder here; give the base as the model and ${dir} as its adapter`,
  );
}

/** Whether a folder holds an adapter and no weights of its own. */
export async function isAdapterFolder(dir: string): Promise<boolean> {
  if (!(await exists(join(dir, CONFIG)))) return false;
  return !(await exists(join(dir, MODEL_WEIGHTS))) && !(await exists(join(dir, INDEX)));
}

/**
 * The layers that the adapter of a folder adapts in a model, in the order of `parameters(config)`; the names in its
 * safetensors file say which naming of modules its configuration uses. Throws InputError: no such folder, or of
 * another model; tensors missing, too many or of the wrong shape or dtype.
 */
export async function readAdapterLayers(dir: string, config: Qwen25VlConfig): Promise<LoraLayer[]> {
  const { layers, close } = await openAdapter(dir, config);
  await close();
  return layers;
}

/**
 * Reads the adapter of a folder: its layers, and their matrices into `into(name)` for each name of
 * `loraParameters(layers, config)`, which `into` is asked for once, after the layers are known.
 * Throws InputError like {@link readAdapterLayers} before anything is changed; NaN or infinity, on the way.
 */
export async function readAdapter(
  dir: string,
  config: Qwen25VlConfig,
  into: (layers: LoraLayer[]) => (name: string) => Float32Array,
): Promise<LoraLayer[]> {
  const { layers, storedNames, source, tensors, close } = await openAdapter(dir, config);
  try {
    const of = into(layers);
    for (const [name, stored] of storedNames) await readTensorInto(source, tensors.get(stored)!, of(name));
    return layers;
  } finally {
    await close();
  }
}

/** The adapter of a folder in memory: its layers and every matrix by its name. Throws like {@link readAdapter}. */
export async function loadAdapter(
  dir: string,
  config: Qwen25VlConfig,
): Promise<{ layers: LoraLayer[]; matrices: Map<string, Float32Array> }> {
  const matrices = new Map<string, Float32Array>();
  const layers = await readAdapter(dir, config, (found) => {
    for (const { name, shape } of loraParameters(found, config))
      matrices.set(name, new Float32Array(shape[0] * shape[1]));
    return (name) => matrices.get(name)!;
  });
  return { layers, matrices };
}

/** What goes into an adapter's configuration beside its layers. */
export interface AdapterNote {
  /** Where the base model came from. */
  base?: string | null;
  /** lora_dropout. */
  dropout?: number;
}

/**
 * Writes an adapter into `dir` (made if need be); PEFT on transformers 5 loads it. `matrix(name)` gives the numbers of
 * each of `loraParameters(layers, config)`. The caller makes it atomic. Throws RunError.
 */
export async function writeAdapter(
  dir: string,
  layers: readonly LoraLayer[],
  config: Qwen25VlConfig,
  matrix: (name: string) => Float32Array,
  { base = null, dropout = 0 }: AdapterNote = {},
): Promise<void> {
  const tensors = new Map(
    loraParameters(layers, config).map(({ name, shape }): [string, FloatTensor] => [
      storedLoraName(name),
      { shape, data: matrix(name) },
    ]),
  );
  await writeInto(dir, {
    [CONFIG]: pretty(adapterConfigJson(layers, config, base, dropout)),
    [WEIGHTS]: encodeFloats(tensors),
  });
}

async function openAdapter(dir: string, config: Qwen25VlConfig) {
  const adapter = await readAdapterConfig(dir);
  const file = join(dir, WEIGHTS);
  if (!(await exists(file)) && (await exists(join(dir, PICKLED))))
    throw new InputError(
      `${join(dir, PICKLED)}: pickled weights are not read, since that would run the code in them; save the adapter with peft's save_pretrained(…, safe_serialization=True)`,
    );
  const opened = await openTensorFile(file);
  try {
    const entries = [...opened.tensors.values()];
    const naming = namingOf(entries.map(({ name }) => name)) ?? undefined;
    const layers = adaptedLayers(adapter, config, join(dir, CONFIG), naming);
    const storedNames = checkLoraTensors(entries, layers, config, file);
    for (const entry of entries) refuseWithoutFloats(entry, file);
    return { ...opened, layers, storedNames };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
