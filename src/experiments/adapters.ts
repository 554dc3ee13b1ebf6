/** What a recipe trains by reinforcement and as the TRM: low-rank adapters, or all of a model. */

import { type Learning, parameterCount } from '../engine/local/compute/memory.ts';
import { isAdapterFolder, readAdapterLayers } from '../engine/local/files/adapter.ts';
import { readModelConfig } from '../engine/local/files/checkpoint.ts';
import { InputError } from '../errors.ts';
import { adapterConfig } from '../models/lora/config.ts';
import { loraSize } from '../models/lora/parameters.ts';
import { adaptedLayers } from '../models/lora/targets.ts';
import type { Qwen25VlConfig } from '../models/qwen2-5-vl/config.ts';
import type { ProcessorConfig } from '../models/qwen2-5-vl/processor.ts';
import type { Recipe } from './recipe.ts';
import { startConfig } from './start-model.ts';

/** Numbers of parameters. */
export interface Parameters {
  /** Of the model, its adapters included. */
  all: number;
  trained: number;
}

/**
 * How a recipe's policy learns: all parameters, or adapters (new ones, or those of the folder that `model` names).
 * Throws InputError: `lora` for a folder that holds adapters already; `lora.targets` that name no layer, or one that
 * cannot be adapted; an adapter of another model.
 */
async function learningOf(recipe: Recipe, config: Qwen25VlConfig): Promise<Learning> {
  const { lora, model } = recipe;
  const held = model !== null && (await isAdapterFolder(model)) ? model : null;
  if (lora !== null && held !== null)
    throw new InputError(
      `lora: ${held} holds adapters already; leave lora out to train these on, or merge them first: npx sophia export --model ${held} --out DIR`,
    );
  if (lora === null && held === null) return 'everything';
  const layers =
    lora === null
      ? await readAdapterLayers(held!, config)
      : adaptedLayers(adapterConfig(lora), config, 'lora.targets');
  return { adapter: loraSize(layers, config) };
}

/** What a recipe trains by reinforcement. */
export interface Policy {
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
  learning: Learning;
}

/** Throws InputError: a model that cannot be used, and like {@link learningOf}. */
export async function policyOf(recipe: Recipe): Promise<Policy> {
  const model =
    recipe.model === null ? startConfig(recipe.architecture) : await readModelConfig(recipe.model);
  return { ...model, learning: await learningOf(recipe, model.config) };
}

/** How many parameters a policy has and trains. */
export function parametersOf({ config, learning }: Policy): Parameters {
  const whole = parameterCount(config);
  return typeof learning === 'object'
    ? { all: whole + learning.adapter, trained: learning.adapter }
    : { all: whole, trained: whole };
}

/** `666,144 parameters, all trained`, `704,544 parameters, 38,400 of them trained (LoRA)`. */
export function parametersSaid({ all, trained }: Parameters): string {
  const number = (count: number) => count.toLocaleString('en');
  const part = trained === all ? 'all trained' : `${number(trained)} of them trained (LoRA)`;
  return `${number(all)} parameters, ${part}`;
}
