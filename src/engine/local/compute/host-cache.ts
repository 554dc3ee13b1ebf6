/** Keys and values in arrays of the host's: decoding returns only what is new, since the binding copies every output. */
import type * as ort from 'onnxruntime-node';
import {
  type Cache,
  type Caching,
  gridFeeds,
  lessGrid,
  ownName,
  ownShape,
  promptShape,
  promptTensors,
} from './cache.ts';
import { type Feeds, float } from './sessions.ts';

type HostCache = Cache<Float32Array>;

export const hostCaching: Caching = {
  graph: 'decode',
  async start(grid, prefilled) {
    const numbers = ownShape(grid).reduce((a, b) => a * b, 1);
    const prompts = promptTensors(prefilled);
    return {
      ...grid,
      prompt: new Map(prompts.map(([name, { data }]) => [name, data as Float32Array])),
      own: new Map(prompts.map(([name]) => [ownName(name), new Float32Array(numbers)])),
    };
  },
  feeds(cache: HostCache) {
    const feeds: Feeds = gridFeeds(cache);
    for (const [name, data] of cache.prompt) feeds[name] = float(data, promptShape(cache));
    for (const [name, data] of cache.own) feeds[name] = float(data, ownShape(cache));
    return feeds;
  },
  async append(cache: HostCache, next) {
    append(cache, next);
    return cache;
  },
  regrid: async (cache: HostCache, prompts, kept, answers) => regrid(cache, prompts, kept, answers),
  release: () => {},
};

/** Takes in the keys and values of one more token a response, [P·S, kvHeads·headDim] each. */
function append(cache: HostCache, next: Record<string, ort.Tensor>): void {
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

function grow(cache: HostCache): void {
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

function regrid(
  cache: HostCache,
  prompts: readonly number[],
  kept: readonly number[][],
  answers: number,
): HostCache {
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
    ...lessGrid(cache, prompts, answers),
    prompt,
    own,
  };
}
