/** AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it, ascending. */
import type { StepOptions, StepResult } from '../types.ts';
import { type ParameterStore, requireTrainable } from './store.ts';

/**
 * Moves the weights along the accumulated gradient of the objective (ascent), after clipping its global norm, and
 * clears it. A gradient that is not finite changes nothing but is cleared too. Numbers are stored as float32, each
 * rounded once; what lies between is float64.
 */
export function adamWStep(store: ParameterStore, options: StepOptions): StepResult {
  requireTrainable(store);
  const gradNorm = norm(store.grads);
  if (!Number.isFinite(gradNorm)) {
    store.grads.fill(0);
    store.cleared = true;
    return { gradNorm, applied: false };
  }
  store.steps++;
  const { learningRate, betas, eps, weightDecay, maxGradNorm } = options;
  const [beta1, beta2] = betas;
  const correction1 = 1 - beta1 ** store.steps;
  const correction2 = Math.sqrt(1 - beta2 ** store.steps);
  const update = {
    // torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6
    clip: maxGradNorm > 0 ? Math.min(1, maxGradNorm / (gradNorm + 1e-6)) : 1,
    beta1,
    beta2,
    // rate · (m / correction1) / (√v / correction2 + eps), with one division left
    rate: (learningRate * correction2) / correction1,
    eps: eps * correction2,
  };
  for (const { name, shape } of store.parameters) {
    const keep = shape.length >= 2 ? 1 - learningRate * weightDecay : 1;
    updateRange(store, store.ranges.get(name)!, keep, update);
  }
  store.grads.fill(0);
  store.cleared = true;
  return { gradNorm, applied: true };
}

interface Update {
  clip: number;
  beta1: number;
  beta2: number;
  rate: number;
  eps: number;
}

function updateRange(
  { weights, grads, firstMoment, secondMoment }: ParameterStore,
  [from, to]: [number, number],
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

/** L2 norm, summed in float64 in a fixed order. */
function norm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}
