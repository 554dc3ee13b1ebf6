/**
 * Several sources of records as one: one after another, or drawn from by weight; and a part of a source. What comes out
 * is rows again; the order of a run over them is in order.ts.
 */
import type { Part, Shape } from './order.ts';

/** Rows of some kind, each by its index. */
export interface Rows<T> extends Shape {
  get(i: number): Promise<T>;
  source: string;
}

/** Sources one after another. */
export function concatenated<T>(sources: readonly Rows<T>[], source: string): Rows<T> {
  if (sources.length === 1) return { ...sources[0], source };
  const starts = [0];
  for (const { length } of sources) starts.push(starts[starts.length - 1] + length);
  const inBlocks = sources.some(({ blocks }) => blocks !== undefined);
  return {
    length: starts[sources.length],
    source,
    get: (i) => {
      const s = starts.findLastIndex((start) => start <= i);
      return sources[s].get(i - starts[s]);
    },
    // a source without blocks is read row by row at the same cost: it is cut evenly, to be shuffled with the others
    ...(inBlocks ? { blocks: sources.flatMap(({ length, blocks }) => blocks ?? even(length)) } : {}),
  };
}

const EVEN = 256;

function even(length: number): number[] {
  const blocks = Array<number>(Math.floor(length / EVEN)).fill(EVEN);
  return length % EVEN === 0 ? blocks : [...blocks, length % EVEN];
}

/** Sources that a run draws from by weight, each in an order of its own. */
export function weighted<T>(
  sources: readonly { records: Rows<T>; weight: number }[],
  source: string,
): Rows<T> {
  const all = concatenated(
    sources.map(({ records }) => records),
    source,
  );
  const parts = sources.map(
    ({ records: { length, blocks, parts }, weight }): Part => ({ length, blocks, parts, weight }),
  );
  return { ...all, parts };
}

/** The records at these indices, which ascend. */
export function chosen<T>(records: Rows<T>, indices: Uint32Array): Rows<T> {
  const within = (blocks: readonly number[]) => {
    const counts = new Array<number>(blocks.length).fill(0);
    let block = 0;
    let end = blocks[0] ?? 0;
    for (const index of indices) {
      while (index >= end) end += blocks[++block];
      counts[block]++;
    }
    return counts;
  };
  return {
    length: indices.length,
    source: records.source,
    get: (i) => records.get(indices[i]),
    ...(records.blocks ? { blocks: within(records.blocks) } : {}),
  };
}
