/** AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it, ascending. */
import type { StepOptions, StepResult } from '../../types.ts';
import { clearGradient, type ParameterStore, requireTrainable } from './store.ts';

/**
 * Moves the weights along the accumulated gradient of the objective (ascent), after clipping its global norm, and
 * clears it. A gradient that is not finite changes nothing but is cleared too. Numbers are stored as float32, each
 * rounded once; what lies between is float64.
 */
export function adamWStep(store: ParameterStore, options: StepOptions): StepResult {
  requireTrainable(store);
  const whole: Range = [0, store.grads.length];
  const gradNorm = Math.sqrt(squaredNorm(store.grads, whole));
  const applied = Number.isFinite(gradNorm);
  if (applied) moveRange(store, options, gradNorm, whole);
  clearGradient(store);
  return { gradNorm, applied };
}

/** [from, to) of the flat arrays. */
export type Range = [number, number];

/** The part of such a step that belongs to a range, after a clipping by `gradNorm`, the norm of the whole gradient. */
export function moveRange(
  store: ParameterStore,
  options: StepOptions,
  gradNorm: number,
  [from, to]: Range,
): void {
  store.steps++;
  const update = updateOf(options, store.steps, gradNorm);
  for (const { name, shape } of store.parameters) {
    const [begin, end] = store.ranges.get(name)!;
    if (begin < to && end > from)
      updateRange(store, [Math.max(begin, from), Math.min(end, to)], keepOf(shape, options), update);
  }
}

/** What all parameters' updates of a step have in common. */
export interface Update {
  clip: number;
  beta1: number;
  beta2: number;
  rate: number;
  eps: number;
}

/** `steps`: with the one that is taken. */
export function updateOf(options: StepOptions, steps: number, gradNorm: number): Update {
  const { learningRate, betas, eps, maxGradNorm } = options;
  const [beta1, beta2] = betas;
  const correction1 = 1 - beta1 ** steps;
  const correction2 = Math.sqrt(1 - beta2 ** steps);
  return {
    // torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6
    clip: maxGradNorm > 0 ? Math.min(1, maxGradNorm / (gradNorm + 1e-6)) : 1,
    beta1,
    beta2,
    // rate · (m / correction1) / (√v / correction2 + eps), with one division left
    rate: (learningRate * correction2) / correction1,
    eps: eps * correction2,
  };
}

/** What weight decay leaves of a parameter: it shrinks matrices only. */
export function keepOf(shape: readonly number[], { learningRate, weightDecay }: StepOptions): number {
  return shape.length >= 2 ? 1 - learningRate * weightDecay : 1;
}

function updateRange(
  { weights, grads, firstMoment, secondMoment }: ParameterStore,
  [from, to]: Range,
  keep: number,
  { clip, beta1, beta2, rate, eps }: Update,
): void {
  const new1 = 1 - beta1;
  const new2 = 1 - beta2;
  for (let i = from; i < to; i++) {
    const g = grads[i] * clip;
    const m = beta1 * firstMoment[i] + new1 * g;
    const v = beta2 * secondMoment[i] + new2 * g * g;
    firstMoment[i] = m;
    secondMoment[i] = v;
    weights[i] = keep * weights[i] + (rate * m) / (Math.sqrt(v) + eps);
  }
}

/** Sum of squares over a range, in float64 and in a fixed order. */
export function squaredNorm(values: Float32Array, [from, to]: Range): number {
  // four sums, so that additions do not wait for one another
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = from;
  for (; i + 3 < to; i += 4) {
    a += values[i] * values[i];
    b += values[i + 1] * values[i + 1];
    c += values[i + 2] * values[i + 2];
    d += values[i + 3] * values[i + 3];
  }
  for (; i < to; i++) a += values[i] * values[i];
  return a + b + (c + d);
}
