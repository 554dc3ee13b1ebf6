/** What the programs that time the engine on random weights have in common: their options, and the engine. */
import { createLocalEngine } from '../src/engine/local/index.ts';
import type { Engine } from '../src/engine/types.ts';
import { type BenchShape, configOf } from './shapes.ts';

export const OPTIONS = {
  threads: { type: 'string', default: '2' },
  provider: { type: 'string', default: 'cpu' },
  reps: { type: 'string', default: '5' },
  budget: { type: 'string', default: '8192' },
  serve: { type: 'boolean', default: false },
} as const;

/** An engine that learns, as the options ask for it. */
export function randomEngine(
  shape: BenchShape,
  { threads, provider, budget }: { threads: string; provider: string; budget: string },
): Promise<Engine> {
  return createLocalEngine({
    source: { config: configOf(shape), seed: 0 },
    trainable: true,
    provider,
    threads: Number(threads),
    tokenBudget: Number(budget),
  });
}
