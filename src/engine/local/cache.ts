/**
 * Keys and values of a batch that is being sampled: P prompts, once each, with S responses of each, of which all have
 * the same number of tokens so far. Responses' memory grows by chunks, so that short ones do not pay for long ones.
 */
import type * as ort from 'onnxruntime-node';
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import type { Packed } from './batch.ts';
import { keyMask, prefixMask } from './layout.ts';
import { type Feeds, float, int32, int64 } from './sessions.ts';

export interface Cache {
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
  /** By name of the feed (`promptKey0` …): [P, kvHeads, longest, headDim]. */
  prompt: Map<string, Float32Array>;
  /** By name of the feed (`ownKey0` …): [P, kvHeads, S, slots, headDim]. */
  own: Map<string, Float32Array>;
}

/** Slots are added by this many at first, then doubled. */
const CHUNK = 16;
const PARTS = ['Key', 'Value'];

/** Which packed row each slot of the prompts' cache takes its key and value from. */
export function prefillFeeds({ text: { kvHeads } }: Qwen25VlConfig, packed: Packed): Feeds {
  const lengths = packed.prompts.map(({ count }) => count + 1);
  const longest = Math.max(...lengths);
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

export function newCache(
  { text: { layers, heads, kvHeads, headDim } }: Qwen25VlConfig,
  packed: Packed,
  prefilled: Record<string, ort.Tensor>,
  { samples }: { samples: number },
): Cache {
  const lengths = packed.prompts.map(({ count }) => count + 1);
  const cache: Cache = {
    prompts: lengths.length,
    answers: samples,
    kvHeads,
    shared: heads / kvHeads,
    headDim,
    lengths,
    longest: Math.max(...lengths),
    filled: 0,
    slots: CHUNK,
    prompt: new Map(),
    own: new Map(),
  };
  for (let layer = 0; layer < layers; layer++) {
    for (const part of PARTS) {
      cache.prompt.set(`prompt${part}${layer}`, prefilled[`prompt${part}${layer}`].data as Float32Array);
      cache.own.set(
        `own${part}${layer}`,
        new Float32Array(lengths.length * samples * kvHeads * CHUNK * headDim),
      );
    }
  }
  return cache;
}

/** What the decoding graph is fed of the cache. */
export function cacheFeeds(cache: Cache): Feeds {
  const { prompts: P, answers: S, kvHeads: kv, shared: R, headDim, longest: K, slots: L } = cache;
  const feeds: Feeds = {
    promptMask: keyMask(
      cache.lengths.map((length) => ({ length })),
      K,
    ),
    ownMask: prefixMask(cache.filled, L),
    keyShape: int64([P, S, kv, 1, headDim]),
    queryShape: int64([P, S, kv, R, headDim]),
    foldedShape: int64([P, kv, S * R, L]),
    scoresShape: int64([P, kv, S, R, L]),
    newShape: int64([P, kv, S, R, 1]),
    keySizes: int64([K, L, 1]),
  };
  for (const [name, data] of cache.prompt) feeds[name] = float(data, [P, kv, K, headDim]);
  for (const [name, data] of cache.own) feeds[name] = float(data, [P, kv, S, L, headDim]);
  return feeds;
}

/** Takes in the keys and values of one more token a response, [P·S, kvHeads·headDim] each. */
export function append(cache: Cache, next: Record<string, ort.Tensor>): void {
  if (cache.filled === cache.slots) grow(cache);
  const { prompts, answers, kvHeads, headDim, slots, filled } = cache;
  for (const [name, data] of cache.own) {
    const from = next[name.replace('own', '').replace(/^[KV]/, (c) => c.toLowerCase())].data as Float32Array;
    let at = 0;
    for (let p = 0; p < prompts; p++)
      for (let s = 0; s < answers; s++)
        for (let head = 0; head < kvHeads; head++) {
          const to = (((p * kvHeads + head) * answers + s) * slots + filled) * headDim;
          for (let d = 0; d < headDim; d++) data[to + d] = from[at++];
        }
  }
  cache.filled++;
}

function grow(cache: Cache): void {
  const { headDim, slots } = cache;
  const more = 2 * slots;
  for (const [name, data] of cache.own) {
    const grown = new Float32Array(2 * data.length);
    for (let row = 0; row * slots * headDim < data.length; row++)
      grown.set(data.subarray(row * slots * headDim, (row + 1) * slots * headDim), row * more * headDim);
    cache.own.set(name, grown);
  }
  cache.slots = more;
}

/** The cache of some prompts (ascending) and, of each, some responses; `answers` the most of any. */
export function regrid(
  cache: Cache,
  prompts: readonly number[],
  kept: readonly number[][],
  answers: number,
): Cache {
  const { kvHeads, headDim, slots, longest } = cache;
  const promptBlock = kvHeads * longest * headDim;
  const answerBlock = slots * headDim;
  const prompt = new Map<string, Float32Array>();
  for (const [name, data] of cache.prompt) {
    const less = new Float32Array(prompts.length * promptBlock);
    prompts.forEach((p, to) => {
      less.set(data.subarray(p * promptBlock, (p + 1) * promptBlock), to * promptBlock);
    });
    prompt.set(name, less);
  }
  const own = new Map<string, Float32Array>();
  for (const [name, data] of cache.own) {
    const less = new Float32Array(prompts.length * kvHeads * answers * answerBlock);
    prompts.forEach((p, to) => {
      for (let head = 0; head < kvHeads; head++)
        kept[to].forEach((s, i) => {
          const from = ((p * kvHeads + head) * cache.answers + s) * answerBlock;
          less.set(
            data.subarray(from, from + answerBlock),
            ((to * kvHeads + head) * answers + i) * answerBlock,
          );
        });
    });
    own.set(name, less);
  }
  return {
    ...cache,
    prompts: prompts.length,
    answers,
    lengths: prompts.map((p) => cache.lengths[p]),
    prompt,
    own,
  };
}
