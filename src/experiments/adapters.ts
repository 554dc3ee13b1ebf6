/** What a recipe trains by reinforcement and as the TRM: low-rank adapters, or all of a model. */

import { type Learning, parameterCount } from '../engine/local/compute/memory.ts';
import { isAdapterFolder, readAdapterLayers } from '../engine/local/files/adapter.ts';
import { readModelConfig } from '../engine/local/files/checkpoint.ts';
import { InputError } from '../errors.ts';
import { adapterConfig } from '../models/lora/config.ts';
import { loraParameters } from '../models/lora/parameters.ts';
import { adaptedLayers } from '../models/lora/targets.ts';
import type { Qwen25VlConfig } from '../models/qwen2-5-vl/config.ts';
import { elements } from '../models/safetensors.ts';
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
export async function learningOf(recipe: Recipe, config: Qwen25VlConfig): Promise<Learning> {
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
  return { adapter: loraParameters(layers, config).reduce((sum, { shape }) => sum + elements(shape), 0) };
}

/** How many parameters a recipe's policy has and trains. Throws like {@link learningOf}. */
export async function parametersOf(recipe: Recipe): Promise<Parameters> {
  const { config } =
    recipe.model === null ? startConfig(recipe.architecture) : await readModelConfig(recipe.model);
  const learning = await learningOf(recipe, config);
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
