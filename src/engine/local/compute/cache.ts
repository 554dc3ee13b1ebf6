/**
 * Keys and values of a batch that is being sampled: P prompts, once each, with S responses of each, of which all have
 * the same number of tokens so far. Responses' memory grows by chunks, so that short ones do not pay for long ones.
 * They are arrays of the host's (`host-cache.ts`) or tensors on a device (`device/cache.ts`).
 */
import type * as ort from 'onnxruntime-node';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import type { Packed } from './batch.ts';
import { keyMask, prefixMask } from './layout.ts';
import { type Feeds, int32, int64 } from './sessions.ts';

/** The shape of a cache. */
export interface Grid {
  prompts: number;
  answers: number;
  kvHeads: number;
  /** Query heads that share a key head. */
  shared: number;
  headDim: number;
  /** Tokens of each prompt; the longest. */
  lengths: number[];
  longest: number;
  /** Tokens of responses in the cache, and slots for them. */
  filled: number;
  slots: number;
}

export interface Cache<Held = unknown> extends Grid {
  /** By name of the feed (`promptKey0` …): [P, kvHeads, longest, headDim]. */
  prompt: Map<string, Held>;
  /** By name of the feed (`ownKey0` …): [P, kvHeads, S, slots, headDim]. */
  own: Map<string, Held>;
}

/** What sampling does with a cache. One that is given to `append` or `regrid` is used up: only the result is valid. */
export interface Caching {
  /** The graph that computes a token and returns what `append` takes. */
  graph: 'decode' | 'extend';
  /** `prefilled`: what the prefill graph returned. */
  start(grid: Grid, prefilled: Record<string, ort.Tensor>): Promise<Cache>;
  /** What the decoding graph is fed of the cache. */
  feeds(cache: Cache): Feeds;
  /** Takes in the keys and values of one more token a response. */
  append(cache: Cache, next: Record<string, ort.Tensor>): Promise<Cache>;
  /** The cache of some prompts (ascending) and, of each, some responses; `answers` the most of any. */
  regrid(
    cache: Cache,
    prompts: readonly number[],
    kept: readonly number[][],
    answers: number,
  ): Promise<Cache>;
  release(cache: Cache): void;
}

/** Slots are added by this many at first, then doubled. */
const CHUNK = 16;

export function newGrid(
  { text: { heads, kvHeads, headDim } }: Qwen25VlConfig,
  packed: Packed,
  { samples }: { samples: number },
): Grid {
  const lengths = packed.prompts.map(({ count }) => count + 1);
  return {
    prompts: lengths.length,
    answers: samples,
    kvHeads,
    shared: heads / kvHeads,
    headDim,
    lengths,
    longest: Math.max(...lengths),
    filled: 0,
    slots: CHUNK,
  };
}

/** Which packed row each slot of the prompts' cache takes its key and value from. */
export function prefillFeeds({ kvHeads, lengths, longest }: Grid, packed: Packed): Feeds {
  const rows = new Int32Array(lengths.length * kvHeads * longest);
  let slot = 0;
  lengths.forEach((length, p) => {
    for (let head = 0; head < kvHeads; head++) {
      for (let t = 0; t < longest; t++, slot++) {
        const last = packed.promptTokens + packed.answers[p][0].first;
        const token = t < length - 1 ? packed.prompts[p].first + t : last;
        rows[slot] = token * kvHeads + head;
      }
    }
  });
  return { cacheRows: int32(rows, [lengths.length, kvHeads, longest]) };
}

/** What every decoding graph is fed of a cache's shape. */
export function gridFeeds(grid: Grid): Feeds {
  const { prompts: P, answers: S, kvHeads: kv, shared: R, headDim, longest: K, slots: L } = grid;
  return {
    promptMask: keyMask(
      grid.lengths.map((length) => ({ length })),
      K,
    ),
    ownMask: prefixMask(grid.filled, L),
    keyShape: int64([P, S, kv, 1, headDim]),
    queryShape: int64([P, S, kv, R, headDim]),
    foldedShape: int64([P, kv, S * R, L]),
    scoresShape: int64([P, kv, S, R, L]),
    newShape: int64([P, kv, S, R, 1]),
    keySizes: int64([K, L, 1]),
  };
}

/** Shapes of the prompts' tensors and the responses'. */
export function promptShape({ prompts, kvHeads, longest, headDim }: Grid): number[] {
  return [prompts, kvHeads, longest, headDim];
}

export function ownShape({ prompts, kvHeads, answers, slots, headDim }: Grid): number[] {
  return [prompts, kvHeads, answers, slots, headDim];
}

/** Prefilled keys and values by the names of their feeds. */
export function promptTensors(prefilled: Record<string, ort.Tensor>): [name: string, ort.Tensor][] {
  return Object.entries(prefilled).filter(([name]) => name.startsWith('prompt'));
}

/** The feed of the responses that belongs to one of the prompts'. */
export const ownName = (promptName: string): string => promptName.replace('prompt', 'own');

/** The shape that `regrid` leads to. */
export function lessGrid({ prompts: _, ...grid }: Grid, prompts: readonly number[], answers: number): Grid {
  return { ...grid, prompts: prompts.length, answers, lengths: prompts.map((p) => grid.lengths[p]) };
}
