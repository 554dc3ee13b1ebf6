/** A randomly initialised decoder with a vocabulary small enough to count its answers. */
import { type LocalModel, type ModelOptions, newModel } from '../../src/engine/local/compute/model.ts';
import { view } from '../../src/engine/local/compute/store.ts';
import type { Prompt } from '../../src/engine/types.ts';
import { initialise } from '../../src/models/qwen2-5-vl/initialise.ts';
import { config, processor } from '../models/golden.ts';
import { cpu } from './golden-cases.ts';

export const VOCABULARY = 12;
const small = { ...config, text: { ...config.text, vocabulary: VOCABULARY } };

export function smallModel(options: Partial<ModelOptions> = {}): LocalModel {
  const model = newModel(small, processor, { ...cpu, ...options });
  for (const [name, { data }] of initialise(small, 7)) view(model.store, model.store.weights, name).set(data);
  return model;
}

export const textPrompt = (...tokens: number[]): Prompt => ({ chunks: [{ tokens }] });

/** Pearson's χ² of counts against probabilities that sum to 1; the expected counts must be 5 or more. */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const n = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, count, i) => {
    const expected = n * probabilities[i];
    if (expected < 5) throw new Error(`cell ${i}: ${expected} expected, too few for χ²`);
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** The value that χ² with `freedom` degrees exceeds once in a thousand (Wilson & Hilferty 1931). */
export function oneInAThousand(freedom: number): number {
  const part = 2 / (9 * freedom);
  return freedom * (1 - part + 3.0902 * Math.sqrt(part)) ** 3;
}
