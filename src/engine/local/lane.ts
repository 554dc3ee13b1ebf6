/**
 * What a lane does for a model that several lanes train together: each adds up and moves its own part of the
 * parameters (as in ZeRO, Rajbhandari et al. 2020) and takes over what the others moved.
 */

import type { LoraLayer } from '../../models/lora/targets.ts';
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import type { ProcessorConfig } from '../../models/qwen2-5-vl/processor.ts';
import type { StepOptions } from '../types.ts';
import { moveRange, type Range, squaredNorm } from './compute/adamw.ts';
import { type Computing, type LocalModel, newModel } from './compute/model.ts';
import { clearGradient, type ParameterStore, requireTrainable, type TrainingState } from './compute/store.ts';

/** A model as another lane takes it over; everything in shared memory. */
export interface Snapshot {
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
  adapter: LoraLayer[] | null;
  base: Float32Array;
  /** Of the adapters, where there are any. */
  store: Float32Array | null;
  steps: number;
  moments: Pick<TrainingState, 'firstMoment' | 'secondMoment'>;
}

export function snapshot({ config, processor, adapter, base, store }: LocalModel): Snapshot {
  const { firstMoment, secondMoment, steps } = store;
  return {
    config,
    processor,
    adapter,
    base: shared(base.weights),
    store: adapter && shared(store.weights),
    steps,
    moments: { firstMoment, secondMoment },
  };
}

function shared(values: Float32Array): Float32Array {
  const copy = new Float32Array(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}

/** A model of its own weights and gradient, whose moments are those of the snapshot's. */
export function join(from: Snapshot, computing: Computing): LocalModel {
  const training = (size: number): TrainingState => ({
    grads: new Float32Array(new SharedArrayBuffer(4 * size)),
    ...from.moments,
  });
  const { config, processor, adapter } = from;
  const model = newModel(config, processor, { ...computing, adapter, threads: 1, training });
  model.base.weights.set(from.base);
  if (from.store) model.store.weights.set(from.store);
  return model;
}

/** Takes over another lane's weights and number of steps, and drops the gradient. */
export function adoptAll({ base, store }: LocalModel, from: Snapshot): void {
  if (from.store) store.weights.set(from.store);
  else base.weights.set(from.base);
  store.steps = from.steps;
  clearGradient(store);
}

/** The gradients of all lanes, by model; a lane's own part is the one of its index. */
const met = new WeakMap<ParameterStore, { index: number; gradients: readonly Float32Array[] }>();

export function meet({ store }: LocalModel, index: number, gradients: readonly Float32Array[]): void {
  met.set(store, { index, gradients });
}

function partOf(size: number, lanes: number, index: number): Range {
  return [Math.floor((size * index) / lanes), Math.floor((size * (index + 1)) / lanes)];
}

function own(store: ParameterStore) {
  requireTrainable(store);
  const { index, gradients } = met.get(store)!;
  const part = partOf(store.grads.length, gradients.length, index);
  return { index, gradients, part };
}

/** Adds the lanes' gradients up over the own part, in their order; returns the sum of its squares. */
export function reduce({ store }: LocalModel): number {
  const { index, gradients, part } = own(store);
  const [from, to] = part;
  const sum = gradients[index].subarray(from, to);
  if (gradients.length === 2) {
    const other = gradients[1 - index].subarray(from, to);
    for (let i = 0; i < sum.length; i++) sum[i] += other[i];
  } else {
    const parts = gradients.map((g) => g.subarray(from, to));
    for (let i = 0; i < sum.length; i++) {
      let total = parts[0][i];
      for (let lane = 1; lane < parts.length; lane++) total = Math.fround(total + parts[lane][i]);
      sum[i] = total;
    }
  }
  return squaredNorm(gradients[index], part);
}

/** AdamW on the own part; the moved weights stand in place of the part's gradient, for the others to take over. */
export function move({ store }: LocalModel, options: StepOptions, gradNorm: number): void {
  const { index, gradients, part } = own(store);
  moveRange(store, options, gradNorm, part);
  gradients[index].set(store.weights.subarray(...part), part[0]);
}

export function adopt({ store }: LocalModel): void {
  const { index, gradients } = own(store);
  gradients.forEach((of, lane) => {
    if (lane === index) return;
    const [from, to] = partOf(store.grads.length, gradients.length, lane);
    store.weights.set(of.subarray(from, to), from);
  });
}
