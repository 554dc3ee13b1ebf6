/**
 * The vision tower of Qwen2.5-VL as a tensor graph: patch embedding, blocks with windowed or full attention and 2-D
 * rotary positions, 2×2 merger. Follows modeling_qwen2_5_vl.py of Hugging Face transformers, except that patches stay
 * in the processor's order and windows are laid out per block, instead of reordering all patches once.
 */
import { add, gelu, linear, mul, reduceSum, reshape, rmsNorm, rotary, silu, split } from '../../graph/ops.ts';
import type { Value } from '../../graph/tensor.ts';
import { type GroupLayout, groupAttention } from './attention.ts';
import type { Qwen25VlConfig } from './config.ts';
import type { Parameters, RotaryRows } from './text.ts';

/** transformers fixes this whatever the config says. */
const RMS_EPS = 1e-6;

/**
 * patches [P, channels·patch²] (one temporal plane) → features [P / merge², text hidden], in merged row-major order.
 * A still picture fills all temporal planes alike, so the planes of the patch embedding are summed first.
 */
export function visionTower(
  config: Qwen25VlConfig,
  parameters: Parameters,
  patches: Value,
  rows: RotaryRows,
  layouts: { windows: GroupLayout; pictures: GroupLayout },
): Value {
  const { depth, hidden, heads, merge, fullAttentionBlocks } = config.vision;
  const linearWithBias = (name: string, y: Value) =>
    linear(y, parameters(`${name}.weight`), parameters(`${name}.bias`));
  let x = linear(patches, patchMatrix(config, parameters('visual.patch_embed.proj.weight')));
  for (let block = 0; block < depth; block++) {
    const name = `visual.blocks.${block}`;
    const y = rmsNorm(x, parameters(`${name}.norm1.weight`), RMS_EPS);
    const [q, k, v] = split(linearWithBias(`${name}.attn.qkv`, y), [hidden, hidden, hidden], 1);
    const layout = fullAttentionBlocks.includes(block) ? layouts.pictures : layouts.windows;
    const turn = (t: Value) => rotary(t, rows.cos, rows.sin);
    x = add(
      x,
      linearWithBias(`${name}.attn.proj`, groupAttention(turn(q), turn(k), v, hidden / heads, layout)),
    );
    const z = rmsNorm(x, parameters(`${name}.norm2.weight`), RMS_EPS);
    const gated = mul(
      silu(linearWithBias(`${name}.mlp.gate_proj`, z)),
      linearWithBias(`${name}.mlp.up_proj`, z),
    );
    x = add(x, linearWithBias(`${name}.mlp.down_proj`, gated));
  }
  const normal = rmsNorm(x, parameters('visual.merger.ln_q.weight'), RMS_EPS);
  const merged = reshape(normal, ['pictureTokens', hidden * merge * merge]);
  return linearWithBias('visual.merger.mlp.2', gelu(linearWithBias('visual.merger.mlp.0', merged)));
}

/** [hidden, channels, planes, patch, patch] → [hidden, channels·patch²], summed over the temporal planes. */
function patchMatrix(config: Qwen25VlConfig, weight: Value): Value {
  const { hidden, inChannels, temporalPatch, patch } = config.vision;
  const planes = reduceSum(weight, [2]);
  if (weight.shape[2] !== temporalPatch)
    throw new Error('patch embedding: unexpected number of temporal planes');
  return reshape(planes, [hidden, inChannels * patch * patch]);
}
