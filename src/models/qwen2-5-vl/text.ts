/**
 * The language model of Qwen2.5-VL as a tensor graph: token embeddings (pictures' features put in their places),
 * decoder layers with grouped-query attention, multimodal rotary positions and SwiGLU, final norm, output head.
 * Follows modeling_qwen2_5_vl.py of Hugging Face transformers.
 */
import { add, lookUp, rmsNorm, rotary, swiglu } from '../../graph/ops.ts';
import { recomputed } from '../../graph/recompute.ts';
import type { Value } from '../../graph/tensor.ts';
import type { Qwen25VlConfig } from './config.ts';
import { type Network, project } from './network.ts';

/** One row [headDim/2] a token: cosine and sine of its rotary angles (`positions.ts`). */
export interface RotaryRows {
  cos: Value;
  sin: Value;
}

/** How tokens attend, and which of them the model's result is wanted for. */
export interface Attending {
  /** q [Q, heads·headDim], k, v [N, kvHeads·headDim] (rotated) → [Q, heads·headDim]; the last layer's q are wanted rows only. */
  attend(layer: number, q: Value, k: Value, v: Value): Value;
  /** The wanted rows of a tensor over all tokens: the last layer computes no others beyond their keys and values. */
  wanted(x: Value): Value;
}

/** Embeddings of `ids` [N] → [N, hidden]; their gradient is that of the result's rows (`lookUp`). */
export function embed(network: Network, ids: Value): Value {
  return lookUp(network.parameter('model.embed_tokens.weight'), ids);
}

/** All decoder layers and the final norm: x [N, hidden] → [wanted rows, hidden]. */
export function decoder(
  config: Qwen25VlConfig,
  network: Network,
  x: Value,
  rows: RotaryRows,
  attending: Attending,
): Value {
  const { layers, rmsNormEps } = config.text;
  for (let layer = 0; layer < layers; layer++) {
    const build = (given: Value) => decoderLayer(config, network, given, rows, attending, layer);
    x = network.recompute ? recomputed(x, build) : build(x);
  }
  return rmsNorm(x, network.parameter('model.norm.weight'), rmsNormEps);
}

function decoderLayer(
  config: Qwen25VlConfig,
  network: Network,
  x: Value,
  rows: RotaryRows,
  attending: Attending,
  layer: number,
): Value {
  const { layers, rmsNormEps } = config.text;
  const wanted = layer === layers - 1 ? attending.wanted : (v: Value) => v;
  const at = `model.layers.${layer}`;
  const y = rmsNorm(x, network.parameter(`${at}.input_layernorm.weight`), rmsNormEps);
  const q = rotary(project(network, `${at}.self_attn.q_proj`, wanted(y)), wanted(rows.cos), wanted(rows.sin));
  const k = rotary(project(network, `${at}.self_attn.k_proj`, y), rows.cos, rows.sin);
  const v = project(network, `${at}.self_attn.v_proj`, y);
  const mixed = attending.attend(layer, q, k, v);
  const attended = add(wanted(x), project(network, `${at}.self_attn.o_proj`, mixed));
  const z = rmsNorm(attended, network.parameter(`${at}.post_attention_layernorm.weight`), rmsNormEps);
  const gated = swiglu(project(network, `${at}.mlp.gate_proj`, z), project(network, `${at}.mlp.up_proj`, z));
  return add(attended, project(network, `${at}.mlp.down_proj`, gated));
}

/** Logits of hidden states [M, hidden] → [M, vocabulary]. */
export function head(config: Qwen25VlConfig, network: Network, hidden: Value): Value {
  return project(network, config.text.tied ? 'model.embed_tokens' : 'lm_head', hidden);
}
