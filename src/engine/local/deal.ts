/** How many lanes a model gets, and how a batch is dealt out to them: consecutive shares of about equal cost. */
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import type { Prompt, Sequence } from '../types.ts';
import { type Learning, modelBytes } from './compute/memory.ts';

/** What all copies of weights and gradients may take together, bytes. */
const COPIES = 2 * 2 ** 30;

/** Lanes for `threads` threads: as many as copies of `bytes` fit, each with an equal number of the runtime's threads. */
export function laneCount(threads: number, bytes: number): number {
  let lanes = Math.max(1, Math.min(threads, Math.floor(COPIES / bytes)));
  while (threads % lanes > 0) lanes--;
  return lanes;
}

/** Lanes of a model on `threads` threads: those of a trained one have the weights, and their gradient in two copies. */
export function lanesOf(config: Qwen25VlConfig, learning: Learning, threads: number): number {
  return laneCount(threads, modelBytes(config, 'nothing') * (learning === 'everything' ? 3 : 1));
}

/** [from, to) of each of `lanes` shares. */
export function deal(costs: readonly number[], lanes: number): [number, number][] {
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  const shares: [number, number][] = [];
  let from = 0;
  let sum = 0;
  for (let lane = 0; lane < lanes; lane++) {
    let to = from;
    const goal = (total * (lane + 1)) / lanes;
    // an item belongs to the share that holds its middle
    while (to < costs.length && (lane === lanes - 1 || sum + costs[to] / 2 < goal)) sum += costs[to++];
    shares.push([from, to]);
    from = to;
  }
  return shares;
}

/** Pixels of a picture that make one token of Qwen2.5-VL's. */
const PIXELS_A_TOKEN = 28 * 28;

function promptCost({ chunks }: Prompt): number {
  return chunks.reduce(
    (sum, chunk) =>
      sum +
      ('tokens' in chunk
        ? chunk.tokens.length
        : (2 * chunk.image.width * chunk.image.height) / PIXELS_A_TOKEN),
    0,
  );
}

/** Tokens that each sequence adds to a pass, roughly: a prompt counts once where sequences that follow one another share it. */
export function sequenceCosts(sequences: readonly Sequence[]): number[] {
  return sequences.map(
    ({ prompt, completion }, i) =>
      completion.length + (i > 0 && sequences[i - 1].prompt === prompt ? 0 : promptCost(prompt)),
  );
}
