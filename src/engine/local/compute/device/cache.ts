/**
 * Keys and values as tensors on a device: a decoding graph returns the responses' with the new ones among them, and none
 * of them comes to the host.
 */
import type * as ort from 'onnxruntime-node';
import { type Cache, type Caching, gridFeeds, lessGrid, ownName, ownShape, promptTensors } from '../cache.ts';
import { float, int64 } from '../sessions.ts';
import { compute } from './kernels.ts';

type DeviceCache = Cache<ort.Tensor>;

export const deviceCaching: Caching = {
  graph: 'extend',
  async start(grid, prefilled) {
    const shape = ownShape(grid);
    const zeros = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const prompts = promptTensors(prefilled);
    // no tensor is changed in place, so that all can begin as the same
    const empty = await compute('upload', float(zeros, shape));
    return {
      ...grid,
      prompt: new Map(prompts),
      own: new Map(prompts.map(([name]) => [ownName(name), empty])),
    };
  },
  feeds(cache: DeviceCache) {
    const newSlot = new Float32Array(cache.slots);
    newSlot[cache.filled] = 1;
    return {
      ...gridFeeds(cache),
      newSlot: float(newSlot, [cache.slots, 1]),
      ...Object.fromEntries([...cache.prompt, ...cache.own]),
    };
  },
  async append(cache: DeviceCache, next) {
    const filled = cache.filled + 1;
    const own = new Map([...cache.own.keys()].map((name) => [name, next[name.replace('own', 'next')]]));
    dispose(cache.own);
    if (filled < cache.slots) return { ...cache, own, filled };
    return {
      ...cache,
      own: await replaced(own, (x) => compute('doubleSlots', x)),
      filled,
      slots: 2 * cache.slots,
    };
  },
  async regrid(cache: DeviceCache, prompts, kept, answers) {
    const { kvHeads, slots, headDim } = cache;
    const grid = lessGrid(cache, prompts, answers);
    const rows = prompts.flatMap((p, to) =>
      Array.from({ length: kvHeads }, (_, head) =>
        // a prompt with fewer responses than the most repeats its first, which nothing looks at
        Array.from(
          { length: answers },
          (_, i) => (p * kvHeads + head) * cache.answers + (kept[to][i] ?? kept[to][0]),
        ),
      ).flat(),
    );
    const index = int64(prompts);
    const feeds = {
      matrix: int64([cache.prompts * kvHeads * cache.answers, slots * headDim]),
      index: int64(rows),
      shape: int64(ownShape(grid)),
    };
    return {
      ...grid,
      prompt: await replaced(cache.prompt, (x) => compute('gather', x, { index })),
      own: await replaced(cache.own, (x) => compute('regrid', x, feeds)),
    };
  },
  release(cache: DeviceCache) {
    dispose(cache.prompt);
    dispose(cache.own);
  },
};

/** Computes one tensor after another anew. */
async function replaced(
  tensors: ReadonlyMap<string, ort.Tensor>,
  anew: (x: ort.Tensor) => Promise<ort.Tensor>,
): Promise<Map<string, ort.Tensor>> {
  const results = new Map<string, ort.Tensor>();
  for (const [name, tensor] of tensors) results.set(name, await anew(tensor));
  dispose(tensors);
  return results;
}

function dispose(tensors: ReadonlyMap<string, ort.Tensor>): void {
  for (const tensor of new Set(tensors.values())) tensor.dispose();
}
