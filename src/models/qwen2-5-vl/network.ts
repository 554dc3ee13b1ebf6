/** The parameters of a model as graph values, and its linear layers, which may carry low-rank adapters (LoRA, Hu et al. 2021). */
import { add, linear, mul } from '../../graph/ops.ts';
import type { Value } from '../../graph/tensor.ts';

/** What the towers are built from. Names are those of the published files. */
export interface Network {
  /** A parameter as a graph value. Throws where the architecture has none of that name. */
  parameter(name: string): Value;
  /** Whether the architecture has a parameter of that name. */
  has(name: string): boolean;
  /** What multiplies the adapter of a linear layer (`X.lora_A.weight`, `X.lora_B.weight`); null where it has none. */
  adapterScale(layer: string): number | null;
  /** Compute layers a second time in the backward pass, instead of keeping what they computed. */
  recompute: boolean;
}

/** A linear layer: x [N, in] → x·Wᵀ + bias + scale·(x·Aᵀ)·Bᵀ, [N, out]. */
export function project(network: Network, layer: string, x: Value): Value {
  const bias = network.has(`${layer}.bias`) ? network.parameter(`${layer}.bias`) : null;
  const y = linear(x, network.parameter(`${layer}.weight`), bias);
  const scale = network.adapterScale(layer);
  if (scale === null) return y;
  const narrow = linear(x, network.parameter(`${layer}.lora_A.weight`));
  return add(y, mul(linear(narrow, network.parameter(`${layer}.lora_B.weight`)), scale));
}
