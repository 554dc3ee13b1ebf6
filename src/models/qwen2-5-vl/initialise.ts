/**
 * A Qwen2.5-VL that has learnt nothing yet. Embeddings N(0, 0.02²); matrices N(0, 1/fanIn); matrices that write
 * into the residual stream also divided by √(2·layers), so that its variance at the top does not grow with depth
 * (Radford et al. 2019, GPT-2, section 2.3); biases uniform within ±1/√fanIn (PyTorch's nn.Linear); norms 1.
 * Both towers divide by the decoder's depth.
 */

import { normals, symmetricUniforms } from '../random.ts';
import type { FloatTensor } from '../safetensors.ts';
import { elements } from '../safetensors.ts';
import type { Qwen25VlConfig } from './config.ts';
import { type Parameter, parameters } from './parameters.ts';

/** All parameters by name; the same (config, seed) gives the same numbers. `seed`: a safe integer ≥ 0. */
export function initialise(config: Qwen25VlConfig, seed: number): Map<string, FloatTensor> {
  return new Map(
    parameters(config).map((parameter) => [
      parameter.name,
      { shape: parameter.shape, data: initialValues(parameter, config, seed) },
    ]),
  );
}

/** What a parameter's first values are drawn from: N(0, scale²), the uniform distribution on ±scale, or all `scale`. */
export interface FirstDraw {
  from: 'normal' | 'uniform' | 'constant';
  scale: number;
}

export function firstDraw({ role, fanIn }: Parameter, config: Qwen25VlConfig): FirstDraw {
  const spread = 1 / Math.sqrt(fanIn);
  switch (role) {
    case 'norm':
      return { from: 'constant', scale: 1 };
    case 'bias':
      return { from: 'uniform', scale: spread };
    case 'embedding':
      return { from: 'normal', scale: 0.02 };
    case 'matrix':
      return { from: 'normal', scale: spread };
    case 'output':
      return { from: 'normal', scale: spread / Math.sqrt(2 * config.text.layers) };
  }
}

/** One parameter's first values; they depend on its name, its size and the seed, on no other parameter. */
export function initialValues(parameter: Parameter, config: Qwen25VlConfig, seed: number): Float32Array {
  const { name, shape } = parameter;
  const { from, scale } = firstDraw(parameter, config);
  const count = elements(shape);
  if (from === 'constant') return new Float32Array(count).fill(scale);
  const values = from === 'normal' ? normals(seed, name, count) : symmetricUniforms(seed, name, count);
  for (let i = 0; i < values.length; i++) values[i] *= scale;
  return values;
}
