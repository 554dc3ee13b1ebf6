/**
 * The vision tower of Qwen2.5-VL as a tensor graph: patch embedding, blocks with windowed or full attention and 2-D
 * rotary positions, 2×2 merger. Follows modeling_qwen2_5_vl.py of Hugging Face transformers, except that patches stay
 * in the processor's order and windows are laid out per block, instead of reordering all patches once.
 */
import { add, gelu, linear, reduceSum, reshape, rmsNorm, rotary, split, swiglu } from '../../graph/ops.ts';
import { recomputed } from '../../graph/recompute.ts';
import type { Value } from '../../graph/tensor.ts';
import { type GroupLayout, groupAttention } from './attention.ts';
import type { Qwen25VlConfig } from './config.ts';
import { type Network, project } from './network.ts';
import type { RotaryRows } from './text.ts';

/** transformers fixes this whatever the config says. */
const RMS_EPS = 1e-6;

/**
 * patches [P, channels·patch²] (one temporal plane) → features [P / merge², text hidden], in merged row-major order.
 * A still picture fills all temporal planes alike, so the planes of the patch embedding are summed first.
 */
export function visionTower(
  config: Qwen25VlConfig,
  network: Network,
  patches: Value,
  rows: RotaryRows,
  layouts: { windows: GroupLayout; pictures: GroupLayout },
): Value {
  const { depth, hidden, merge, fullAttentionBlocks } = config.vision;
  let x = linear(patches, patchMatrix(config, network.parameter('visual.patch_embed.proj.weight')));
  for (let block = 0; block < depth; block++) {
    const layout = fullAttentionBlocks.includes(block) ? layouts.pictures : layouts.windows;
    const build = (given: Value) => visionBlock(config, network, given, rows, layout, block);
    x = network.recompute ? recomputed(x, build) : build(x);
  }
  const normal = rmsNorm(x, network.parameter('visual.merger.ln_q.weight'), RMS_EPS);
  const merged = reshape(normal, ['pictureTokens', hidden * merge * merge]);
  return project(network, 'visual.merger.mlp.2', gelu(project(network, 'visual.merger.mlp.0', merged)));
}

function visionBlock(
  { vision: { hidden, heads } }: Qwen25VlConfig,
  network: Network,
  x: Value,
  rows: RotaryRows,
  layout: GroupLayout,
  block: number,
): Value {
  const at = `visual.blocks.${block}`;
  const y = rmsNorm(x, network.parameter(`${at}.norm1.weight`), RMS_EPS);
  const [q, k, v] = split(project(network, `${at}.attn.qkv`, y), [hidden, hidden, hidden], 1);
  const turn = (t: Value) => rotary(t, rows.cos, rows.sin);
  const mixed = groupAttention(turn(q), turn(k), v, hidden / heads, layout);
  const attended = add(x, project(network, `${at}.attn.proj`, mixed));
  const z = rmsNorm(attended, network.parameter(`${at}.norm2.weight`), RMS_EPS);
  const gated = swiglu(project(network, `${at}.mlp.gate_proj`, z), project(network, `${at}.mlp.up_proj`, z));
  return add(attended, project(network, `${at}.mlp.down_proj`, gated));
}

/** [hidden, channels, planes, patch, patch] → [hidden, channels·patch²], summed over the temporal planes. */
function patchMatrix(config: Qwen25VlConfig, weight: Value): Value {
  const { hidden, inChannels, temporalPatch, patch } = config.vision;
  const planes = reduceSum(weight, [2]);
  if (weight.shape[2] !== temporalPatch)
    throw new Error('patch embedding: unexpected number of temporal planes');
  return reshape(planes, [hidden, inChannels * patch * patch]);
}
