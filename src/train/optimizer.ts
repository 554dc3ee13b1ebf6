/** Optimizer settings of a recipe and the learning rate of a step. */
import type { StepOptions } from '../engine/types.ts';

export interface OptimizerSettings {
  learning_rate: number;
  /** Steps of linear warm-up from 0. */
  warmup: number;
  /** After warm-up: constant, or a cosine from 1 down to `final` over all steps. */
  schedule: 'constant' | 'cosine';
  /** Smallest share of the learning rate that the cosine leaves. */
  final: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
  max_grad_norm: number;
}

/** Learning rate of step `step` (1 is the first) of `total`. */
export function learningRate(settings: OptimizerSettings, step: number, total: number): number {
  const warm = settings.warmup > 0 ? Math.min(1, step / settings.warmup) : 1;
  if (settings.schedule === 'constant') return settings.learning_rate * warm;
  const cosine = 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / total)));
  return settings.learning_rate * warm * Math.max(settings.final, cosine);
}

export function stepOptions(settings: OptimizerSettings, step: number, total: number): StepOptions {
  return {
    learningRate: learningRate(settings, step, total),
    betas: settings.betas,
    eps: settings.eps,
    weightDecay: settings.weight_decay,
    maxGradNorm: settings.max_grad_norm,
  };
}
