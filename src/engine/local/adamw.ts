/** AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it, ascending. */
import type { StepOptions, StepResult } from '../types.ts';
import { type ParameterStore, requireTrainable } from './store.ts';

/**
 * Moves the weights along the accumulated gradient of the objective (ascent), after clipping its global norm, and
 * clears it. A gradient that is not finite changes nothing but is cleared too.
 */
export function adamWStep(store: ParameterStore, options: StepOptions): StepResult {
  requireTrainable(store);
  const { weights, grads, firstMoment, secondMoment } = store;
  const gradNorm = norm(grads);
  if (!Number.isFinite(gradNorm)) {
    grads.fill(0);
    return { gradNorm, applied: false };
  }
  store.steps++;
  const { learningRate, betas, eps, weightDecay, maxGradNorm } = options;
  const [beta1, beta2] = betas;
  // torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6
  const clip = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (gradNorm + 1e-6)) : 1;
  const correction1 = 1 - beta1 ** store.steps;
  const correction2 = Math.sqrt(1 - beta2 ** store.steps);
  const rate = learningRate / correction1;
  for (const { name, shape } of store.parameters) {
    const [from, to] = store.ranges.get(name)!;
    const keep = shape.length >= 2 ? 1 - learningRate * weightDecay : 1;
    for (let i = from; i < to; i++) {
      const g = grads[i] * clip;
      const m = firstMoment[i] + (1 - beta1) * (g - firstMoment[i]);
      const v = beta2 * secondMoment[i] + (1 - beta2) * g * g;
      firstMoment[i] = m;
      secondMoment[i] = v;
      weights[i] = weights[i] * keep + (rate * m) / (Math.sqrt(v) / correction2 + eps);
    }
  }
  grads.fill(0);
  return { gradNorm, applied: true };
}

/** L2 norm, summed in float64 in a fixed order. */
function norm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}
