/**
 * The language model of Qwen2.5-VL as a tensor graph: token embeddings (pictures' features put in their places),
 * decoder layers with grouped-query attention, multimodal rotary positions and SwiGLU, final norm, output head.
 * Follows modeling_qwen2_5_vl.py of Hugging Face transformers.
 */
import { add, linear, lookUp, mul, rmsNorm, rotary, silu } from '../../graph/ops.ts';
import type { Value } from '../../graph/tensor.ts';
import type { Qwen25VlConfig } from './config.ts';

/** Looks up a parameter of the checkpoint as a graph value. */
export type Parameters = (name: string) => Value;

/** One row [headDim/2] a token: cosine and sine of its rotary angles (`positions.ts`). */
export interface RotaryRows {
  cos: Value;
  sin: Value;
}

/** How a layer attends: q [N, heads·headDim], k, v [N, kvHeads·headDim] (rotated) → [N, heads·headDim]. */
export type Attend = (layer: number, q: Value, k: Value, v: Value) => Value;

/** Embeddings of `ids` [N] → [N, hidden]; their gradient is that of the result's rows (`lookUp`). */
export function embed(parameters: Parameters, ids: Value): Value {
  return lookUp(parameters('model.embed_tokens.weight'), ids);
}

/** All decoder layers and the final norm: x [N, hidden] → [N, hidden]. */
export function decoder(
  config: Qwen25VlConfig,
  parameters: Parameters,
  x: Value,
  rows: RotaryRows,
  attend: Attend,
): Value {
  const { layers, rmsNormEps } = config.text;
  for (let layer = 0; layer < layers; layer++) {
    const p = (name: string) => parameters(`model.layers.${layer}.${name}`);
    const projected = (name: string, y: Value) =>
      linear(y, p(`self_attn.${name}_proj.weight`), p(`self_attn.${name}_proj.bias`));
    const y = rmsNorm(x, p('input_layernorm.weight'), rmsNormEps);
    const q = rotary(projected('q', y), rows.cos, rows.sin);
    const k = rotary(projected('k', y), rows.cos, rows.sin);
    x = add(x, linear(attend(layer, q, k, projected('v', y)), p('self_attn.o_proj.weight')));
    const z = rmsNorm(x, p('post_attention_layernorm.weight'), rmsNormEps);
    const gated = mul(silu(linear(z, p('mlp.gate_proj.weight'))), linear(z, p('mlp.up_proj.weight')));
    x = add(x, linear(gated, p('mlp.down_proj.weight')));
  }
  return rmsNorm(x, parameters('model.norm.weight'), rmsNormEps);
}

/** Logits of hidden states [M, hidden] → [M, vocabulary]. */
export function head(config: Qwen25VlConfig, parameters: Parameters, hidden: Value): Value {
  return linear(hidden, parameters(config.text.tied ? 'model.embed_tokens.weight' : 'lm_head.weight'));
}
