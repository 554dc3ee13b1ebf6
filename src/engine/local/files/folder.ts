/**
 * A model and its folder: a whole checkpoint, or one that holds low-rank adapters and names the checkpoint they belong
 * to (as PEFT and transformers read it; configuration and processor stand in it too).
 */
import { resolve } from 'node:path';
import { InputError } from '../../../errors.ts';
import { type AdapterConfig, adapterConfig } from '../../../models/lora/config.ts';
import { initialLora, loraSize } from '../../../models/lora/parameters.ts';
import { adaptedLayers, type LoraLayer } from '../../../models/lora/targets.ts';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import { initialise } from '../../../models/qwen2-5-vl/initialise.ts';
import { smallPictureProcessor } from '../../../models/qwen2-5-vl/processor.ts';
import { keptBytes, type Learning, requireLoadable } from '../compute/memory.ts';
import { type Computing, type LocalModel, newModel } from '../compute/model.ts';
import { newTrainingState, view } from '../compute/store.ts';
import { lanesOf } from '../deal.ts';
import { baseOf, isAdapterFolder, readAdapter, readAdapterLayers, writeAdapter } from './adapter.ts';
import { readModelConfig, readWeights, writeConfig, writeModel } from './checkpoint.ts';

/** Where a model comes from: a Hugging Face folder, or random initialisation. */
export type ModelSource = { dir: string } | { config: Qwen25VlConfig; seed: number };

/** Where adapters come from: a PEFT folder, or new ones, which change nothing before they are trained. */
export type AdapterSource =
  | { dir: string }
  | (Pick<AdapterConfig, 'rank' | 'alpha' | 'targets'> & { seed: number });

/** A model of this thread, the lanes it should run in, and how each of them computes. Throws InputError: no such folder, not a whole one, or too large for this machine's memory. */
export async function openModel(
  source: ModelSource,
  adapterSource: AdapterSource | null,
  computing: Computing,
): Promise<{ model: LocalModel; lanes: number; lane: Computing & { keep: number } }> {
  const lean = 'dir' in source && (await isAdapterFolder(source.dir));
  if (lean && adapterSource)
    throw new InputError(
      `${source.dir}: is a folder of adapters itself; give its base model, or no other adapter`,
    );
  const from = lean ? { dir: await baseOf(source.dir) } : source;
  const read =
    'dir' in from
      ? await readModelConfig(from.dir)
      : { config: from.config, processor: smallPictureProcessor(from.config) };
  const { config, processor } = read;
  const adapters = lean ? { dir: source.dir } : adapterSource;
  const adapter = adapters && (await layersOf(adapters, config));
  const learning = learningOf(config, adapter, computing.trainable);
  requireLoadable('dir' in from ? from.dir : 'the model', config, learning);
  const lanes = computing.provider === 'cpu' ? lanesOf(config, learning, computing.threads) : 1;
  const threads = Math.floor(computing.threads / lanes);
  const training = (size: number) => newTrainingState(size, lanes > 1);
  const baseDir = adapter && 'dir' in from ? resolve(from.dir) : null;
  const lane = { ...computing, threads, keep: keptBytes(lanes) };
  const model = newModel(config, processor, { ...lane, adapter, baseDir, training });
  if ('dir' in from) await readWeights(from.dir, config, model.base);
  else
    for (const [name, { data }] of initialise(config, from.seed))
      view(model.base, model.base.weights, name).set(data);
  if (adapters && 'dir' in adapters)
    await readAdapter(adapters.dir, config, () => (name) => view(model.store, model.store.weights, name));
  else if (adapters)
    for (const parameter of model.store.parameters)
      view(model.store, model.store.weights, parameter.name).set(initialLora(parameter, adapters.seed));
  const { places } = model;
  await places.base.settle();
  if (places.store !== places.base) await places.store.settle();
  return { model, lanes, lane };
}

function layersOf(adapter: AdapterSource, config: Qwen25VlConfig): Promise<LoraLayer[]> | LoraLayer[] {
  if ('dir' in adapter) return readAdapterLayers(adapter.dir, config);
  return adaptedLayers(adapterConfig(adapter), config, 'lora.targets');
}

function learningOf(config: Qwen25VlConfig, adapter: LoraLayer[] | null, trainable: boolean): Learning {
  if (!trainable) return 'nothing';
  if (!adapter) return 'everything';
  return { adapter: loraSize(adapter, config) };
}

/** Writes a folder that `openModel` opens: all weights, or with adapters only these. The caller makes it atomic. Throws RunError. */
export async function saveModel(model: LocalModel, dir: string): Promise<void> {
  const { config, processor, base, adapter, baseDir, store } = model;
  if (!adapter) return writeModel(dir, config, processor, base);
  await writeConfig(dir, config, processor);
  const matrix = (name: string) => view(store, store.weights, name);
  await writeAdapter(dir, adapter, config, matrix, { base: baseDir });
}

/** Takes over what is trained from a folder of a model of the same make. Throws InputError. */
export async function loadModel(model: LocalModel, dir: string): Promise<void> {
  const { config, adapter, base, store } = model;
  if (!adapter) return readWeights(dir, config, base);
  await readAdapter(dir, config, (layers) => {
    if (JSON.stringify(layers) !== JSON.stringify(adapter))
      throw new InputError(
        `${dir}: adapts other layers, or with another rank or alpha, than the model in training`,
      );
    return (name) => view(store, store.weights, name);
  });
}
