/**
 * Every parameter of a Qwen2.5-VL: its name in the file, its shape and its part in the network, in a fixed
 * order (vision tower, embedding, decoder layers, head). Source: transformers `modeling_qwen2_5_vl.py`.
 *
 * Linear weights are [out, in]; the picture's patch embedding is a convolution without overlap,
 * [hidden, channels, frames, side, side].
 */
import { InputError } from '../../errors.ts';
import { quoted } from '../json.ts';
import type { Qwen25VlConfig } from './config.ts';

/**
 * What a parameter does, which decides how it begins (`initialise.ts`). 'output': the matrix that writes an
 * attention's or an MLP's result into the residual stream.
 */
export type ParameterRole = 'embedding' | 'matrix' | 'output' | 'bias' | 'norm';

export interface Parameter {
  /** As in the published files: visual.*, model.layers.*, model.embed_tokens.weight, lm_head.weight … */
  name: string;
  shape: number[];
  role: ParameterRole;
  /** Inputs that one output of the matrix (a bias: of its matrix) sums over; 0 for a norm. */
  fanIn: number;
}

/** All parameters of `config`, without lm_head.weight where the head is tied. */
export function parameters({ text, vision }: Qwen25VlConfig): Parameter[] {
  const patchSize = [vision.inChannels, vision.temporalPatch, vision.patch, vision.patch];
  const patchFanIn = patchSize.reduce((a, b) => a * b);
  const merged = vision.hidden * vision.merge ** 2;
  const kv = text.kvHeads * text.headDim;
  const all: Parameter[] = [
    {
      name: 'visual.patch_embed.proj.weight',
      shape: [vision.hidden, ...patchSize],
      role: 'matrix',
      fanIn: patchFanIn,
    },
  ];
  for (let block = 0; block < vision.depth; block++) {
    const at = `visual.blocks.${block}`;
    all.push(
      norm(`${at}.norm1`, vision.hidden),
      ...linear(`${at}.attn.qkv`, 3 * vision.hidden, vision.hidden, 'matrix'),
      ...linear(`${at}.attn.proj`, vision.hidden, vision.hidden, 'output'),
      norm(`${at}.norm2`, vision.hidden),
      ...linear(`${at}.mlp.gate_proj`, vision.intermediate, vision.hidden, 'matrix'),
      ...linear(`${at}.mlp.up_proj`, vision.intermediate, vision.hidden, 'matrix'),
      ...linear(`${at}.mlp.down_proj`, vision.hidden, vision.intermediate, 'output'),
    );
  }
  all.push(
    norm('visual.merger.ln_q', vision.hidden),
    ...linear('visual.merger.mlp.0', merged, merged, 'matrix'),
    ...linear('visual.merger.mlp.2', vision.outHidden, merged, 'matrix'),
    weight('model.embed_tokens', text.vocabulary, text.hidden, 'embedding'),
  );
  for (let layer = 0; layer < text.layers; layer++) {
    const at = `model.layers.${layer}`;
    all.push(
      norm(`${at}.input_layernorm`, text.hidden),
      ...linear(`${at}.self_attn.q_proj`, text.hidden, text.hidden, 'matrix'),
      ...linear(`${at}.self_attn.k_proj`, kv, text.hidden, 'matrix'),
      ...linear(`${at}.self_attn.v_proj`, kv, text.hidden, 'matrix'),
      weight(`${at}.self_attn.o_proj`, text.hidden, text.hidden, 'output'),
      norm(`${at}.post_attention_layernorm`, text.hidden),
      weight(`${at}.mlp.gate_proj`, text.intermediate, text.hidden, 'matrix'),
      weight(`${at}.mlp.up_proj`, text.intermediate, text.hidden, 'matrix'),
      weight(`${at}.mlp.down_proj`, text.hidden, text.intermediate, 'output'),
    );
  }
  all.push(norm('model.norm', text.hidden));
  if (!text.tied) all.push(weight('lm_head', text.vocabulary, text.hidden, 'matrix'));
  return all;
}

/** The file name of a parameter that may carry transformers 5's module name (`model.visual.X`, `model.language_model.X`). */
export function hubName(name: string): string {
  return name.replace(/^model\.visual\./, 'visual.').replace(/^model\.language_model\./, 'model.');
}

export interface CheckedTensors {
  /** Parameter name → the name it is stored under. */
  storedNames: Map<string, string>;
  /** Stored tensors that this architecture has no use for; worth a warning. */
  extra: string[];
}

/**
 * Holds the tensors of a checkpoint to the parameters of `config`. Rotary frequency buffers (`inv_freq`), which
 * old checkpoints carry, are passed over.
 * Throws InputError, one line that begins with `file`: a tensor lacks, or has another shape, or is there twice.
 */
export function checkTensors(
  found: Iterable<{ name: string; shape: readonly number[] }>,
  config: Qwen25VlConfig,
  file: string,
): CheckedTensors {
  const stored = new Map<string, { name: string; shape: readonly number[] }>();
  for (const tensor of found) {
    const name = hubName(tensor.name);
    const other = stored.get(name);
    if (other)
      throw new InputError(
        `${file}: ${quoted(other.name)} and ${quoted(tensor.name)} are the same parameter; keep one of them`,
      );
    stored.set(name, tensor);
  }
  const storedNames = new Map<string, string>();
  for (const { name, shape } of parameters(config)) {
    const tensor = stored.get(name);
    if (!tensor)
      throw new InputError(
        `${file}: lacks the tensor ${quoted(name)} of shape [${shape}]${name === 'lm_head.weight' ? '; if the head is tied, config.json must say tie_word_embeddings: true' : '; the checkpoint is not whole, or config.json is of another model'}`,
      );
    if (tensor.shape.length !== shape.length || tensor.shape.some((axis, i) => axis !== shape[i]))
      throw new InputError(
        `${file}: the tensor ${quoted(tensor.name)} has the shape [${tensor.shape}], but config.json asks for [${shape}]`,
      );
    storedNames.set(name, tensor.name);
    stored.delete(name);
  }
  const extra = [...stored.values()].map(({ name }) => name).filter((name) => !name.endsWith('inv_freq'));
  return { storedNames, extra: extra.sort() };
}

function norm(name: string, width: number): Parameter {
  return { name: `${name}.weight`, shape: [width], role: 'norm', fanIn: 0 };
}

function weight(name: string, outputs: number, inputs: number, role: ParameterRole): Parameter {
  return { name: `${name}.weight`, shape: [outputs, inputs], role, fanIn: inputs };
}

function linear(name: string, outputs: number, inputs: number, role: ParameterRole): Parameter[] {
  return [
    weight(name, outputs, inputs, role),
    { name: `${name}.bias`, shape: [outputs], role: 'bias', fanIn: inputs },
  ];
}
