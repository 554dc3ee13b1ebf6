/**
 * The trained matrices of a LoRA adapter: A [rank, in] and B [out, rank] a layer, their first values, and their names
 * in an `adapter_model.safetensors` of Hugging Face PEFT. Source: peft/tuners/lora/layer.py, peft/utils/save_and_load.py.
 */
import { InputError } from '../../errors.ts';
import { quoted } from '../json.ts';
import type { Qwen25VlConfig } from '../qwen2-5-vl/config.ts';
import { hubName, type Parameter, parameters } from '../qwen2-5-vl/parameters.ts';
import { symmetricUniforms } from '../random.ts';
import { elements } from '../safetensors.ts';
import { type LoraLayer, type Naming, transformersName } from './targets.ts';

/** Names of a layer's two matrices: X.lora_A.weight, X.lora_B.weight for the adapted matrix X.weight. */
export function loraNames({ weight }: LoraLayer): { a: string; b: string } {
  const module = weight.replace(/\.weight$/, '');
  return { a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` };
}

/** A and B of each layer in turn, in the order of `layers`. */
export function loraParameters(layers: readonly LoraLayer[], config: Qwen25VlConfig): Parameter[] {
  const shapes = new Map(parameters(config).map(({ name, shape }) => [name, shape]));
  return layers.flatMap((layer): Parameter[] => {
    const [outputs, inputs] = shapes.get(layer.weight)!;
    const { a, b } = loraNames(layer);
    return [
      { name: a, shape: [layer.rank, inputs], role: 'matrix', fanIn: inputs },
      { name: b, shape: [outputs, layer.rank], role: 'matrix', fanIn: layer.rank },
    ];
  });
}

/** Numbers in the matrices of an adapter. */
export function loraSize(layers: readonly LoraLayer[], config: Qwen25VlConfig): number {
  return loraParameters(layers, config).reduce((sum, { shape }) => sum + elements(shape), 0);
}

/**
 * The first values of one of {@link loraParameters}: A uniform within ±1/√in (PyTorch's Kaiming-uniform with a = √5,
 * as PEFT has it), B zero, so that a new adapter changes nothing. They depend on name, size and seed (a safe integer
 * ≥ 0), on no other parameter.
 */
export function initialLora({ name, shape, fanIn }: Parameter, seed: number): Float32Array {
  const count = elements(shape);
  if (name.endsWith('.lora_B.weight')) return new Float32Array(count);
  const bound = 1 / Math.sqrt(fanIn);
  return symmetricUniforms(seed, name, count).map((draw) => draw * bound);
}

/** The name under which PEFT, on transformers 5, saves a parameter of {@link loraParameters}. */
export function storedLoraName(name: string): string {
  return `base_model.model.${transformersName(name)}`;
}

// `.default` is the adapter's name in a model's own state; PEFT leaves it out of files.
const STORED = /^(?:base_model\.model\.)?(?<module>.+)\.lora_(?<matrix>[AB])(?:\.default)?\.weight$/;

/** Our name of a stored tensor, whichever naming it has; null where it is no matrix of a linear layer's adapter. */
export function loraNameOf(stored: string): string | null {
  const { module, matrix } = STORED.exec(stored)?.groups ?? {};
  return module === undefined ? null : `${hubName(module)}.lora_${matrix}.weight`;
}

/** Which names an adapter's file uses for modules; null where it only adapts the head, which has but one. */
export function namingOf(stored: Iterable<string>): Naming | null {
  for (const name of stored) {
    const module = STORED.exec(name)?.groups?.module;
    if (module === undefined || module === 'lm_head') continue;
    return hubName(module) === module ? 'published' : 'transformers 5';
  }
  return null;
}

/**
 * Holds the tensors of an adapter's file to its layers: parameter name → the name it is stored under.
 * Throws InputError, one line that begins with `file`: a matrix lacks, is there twice, has another shape, or belongs
 * to a layer that the configuration does not adapt.
 */
export function checkLoraTensors(
  found: Iterable<{ name: string; shape: readonly number[] }>,
  layers: readonly LoraLayer[],
  config: Qwen25VlConfig,
  file: string,
): Map<string, string> {
  const stored = new Map<string, { name: string; shape: readonly number[] }>();
  for (const tensor of found) {
    const name = loraNameOf(tensor.name);
    if (name === null)
      throw new InputError(
        `${file}: the tensor ${quoted(tensor.name)} is no LoRA matrix of a linear layer; only those are supported, merge the adapter with peft`,
      );
    const other = stored.get(name);
    if (other)
      throw new InputError(
        `${file}: ${quoted(other.name)} and ${quoted(tensor.name)} are the same matrix; keep one of them`,
      );
    stored.set(name, tensor);
  }
  const storedNames = new Map<string, string>();
  for (const { name, shape } of loraParameters(layers, config)) {
    const tensor = stored.get(name);
    if (!tensor)
      throw new InputError(
        `${file}: lacks the tensor ${quoted(storedLoraName(name))}, which adapter_config.json asks for; copy both files again`,
      );
    if (tensor.shape.join() !== shape.join())
      throw new InputError(
        `${file}: the tensor ${quoted(tensor.name)} has the shape [${tensor.shape}], but this model and adapter_config.json ask for [${shape}]; the adapter is of another model or rank`,
      );
    storedNames.set(name, tensor.name);
    stored.delete(name);
  }
  for (const { name } of stored.values())
    throw new InputError(
      `${file}: the tensor ${quoted(name)} is of a layer that adapter_config.json does not adapt, or that this model does not have`,
    );
  return storedNames;
}
