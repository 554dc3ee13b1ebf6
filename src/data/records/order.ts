/**
 * The order in which a run goes through its data: item k of the whole run depends on the seed, the data's shape and k,
 * and nothing else. Records that are cheap to read one by one come in a full permutation, epoch after epoch. Those that
 * are read in blocks (row groups) come window by window: blocks in shuffled order, rows shuffled within a few of them.
 * Sources with weights are drawn from, each in an order of its own.
 */

/** What an order depends on besides the seed. */
export interface Shape {
  length: number;
  /** Sizes of runs of neighbouring rows that are cheap to read together. */
  blocks?: readonly number[];
  /** Sources that follow one another and are drawn from by weight; lengths sum up to `length`. */
  parts?: readonly Part[];
}

export interface Part extends Shape {
  /** Share of the draws, relative to the other parts'. */
  weight: number;
}

const known = new WeakMap<Shape, { seed: number; item: (k: number) => number }>();

/** Index of item k (0-based) of a run over records of this shape. What was worked out for a shape is kept with it. */
export function itemOrder(shape: Shape, seed: number): (k: number) => number {
  const last = known.get(shape);
  if (last?.seed === seed) return last.item;
  const item = shape.parts
    ? weightedItems(seed, shape.parts)
    : shape.blocks
      ? blockItems(seed, shape.blocks)
      : orderedItems(seed, shape.length);
  known.set(shape, { seed, item });
  return item;
}

/** A window holds whole blocks, and at least so many rows. */
export const WINDOW = 1024;

function blockItems(seed: number, blocks: readonly number[]): (k: number) => number {
  const starts = [0];
  for (const rows of blocks) starts.push(starts[starts.length - 1] + rows);
  const n = starts[blocks.length];
  if (n < 1) throw new RangeError('there must be at least one record');
  let epoch = -1;
  /** Blocks of each window, where it begins, and what its rows are shuffled by. */
  let windows: { blocks: number[]; start: number; rows: number; key: number }[] = [];
  let at = -1;
  let rows: Uint32Array = new Uint32Array(0);
  return (k) => {
    const wanted = Math.floor(k / n);
    if (wanted !== epoch) {
      epoch = wanted;
      windows = windowsOf(blocks, seed, epoch);
      at = -1;
    }
    const place = k - epoch * n;
    const window = windows[at];
    if (!window || place < window.start || place >= window.start + window.rows) {
      at = windows.findLastIndex(({ start }) => start <= place);
      rows = shuffledRows(windows[at], starts);
    }
    return rows[place - windows[at].start];
  };
}

function windowsOf(blocks: readonly number[], seed: number, epoch: number) {
  const next = sfc32(seed, epoch);
  const shuffled = order(seed, epoch, blocks.length);
  const windows = [];
  let window = { blocks: [] as number[], start: 0, rows: 0, key: next() };
  for (const block of shuffled) {
    if (blocks[block] === 0) continue;
    if (window.rows >= WINDOW) {
      windows.push(window);
      window = { blocks: [], start: window.start + window.rows, rows: 0, key: next() };
    }
    window.blocks.push(block);
    window.rows += blocks[block];
  }
  return [...windows, window];
}

function shuffledRows(
  { blocks, rows, key }: { blocks: number[]; rows: number; key: number },
  starts: readonly number[],
): Uint32Array {
  const all = new Uint32Array(rows);
  let at = 0;
  for (const block of blocks) for (let row = starts[block]; row < starts[block + 1]; row++) all[at++] = row;
  return shuffle(all, sfc32(key, WINDOW));
}

function weightedItems(seed: number, parts: readonly Part[]): (k: number) => number {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const starts: number[] = [];
  let start = 0;
  for (const { length } of parts) {
    starts.push(start);
    start += length;
  }
  const items = parts.map((part, p) => itemOrder(part, seed + p));
  // the part of each position, and how often it had been drawn before: worked out as far as was asked
  const next = sfc32(seed, parts.length);
  const drawn: number[] = [];
  const before: number[] = [];
  const counts = parts.map(() => 0);
  return (k) => {
    while (drawn.length <= k) {
      let rest = (next() / 2 ** 32) * total;
      let p = 0;
      while (p < parts.length - 1 && rest >= parts[p].weight) rest -= parts[p++].weight;
      drawn.push(p);
      before.push(counts[p]++);
    }
    return starts[drawn[k]] + items[drawn[k]](before[k]);
  };
}

/** A permutation of 0 … n−1 for this epoch of this seed (Fisher–Yates). */
export function order(seed: number, epoch: number, n: number): Uint32Array {
  const items = new Uint32Array(n);
  for (let index = 0; index < n; index++) items[index] = index;
  return shuffle(items, sfc32(seed, epoch));
}

function shuffle(items: Uint32Array, next: () => number): Uint32Array {
  for (let last = items.length - 1; last > 0; last--) {
    const chosen = Math.floor((next() / 2 ** 32) * (last + 1));
    [items[last], items[chosen]] = [items[chosen], items[last]];
  }
  return items;
}

/** Index of item k (0-based) of a run over n records, epoch after epoch. Keeps the last permutation at hand. */
export function orderedItems(seed: number, n: number): (k: number) => number {
  if (n < 1) throw new RangeError('there must be at least one record');
  let epoch = -1;
  let permutation: Uint32Array = new Uint32Array(0);
  return (k) => {
    const wanted = Math.floor(k / n);
    if (wanted !== epoch) {
      epoch = wanted;
      permutation = order(seed, epoch, n);
    }
    return permutation[k - epoch * n];
  };
}

/** Small Fast Counter generator of 32 bits (C. Doty-Humphrey, PractRand), seeded with two integers up to 2^53. */
function sfc32(first: number, second: number): () => number {
  let a = first >>> 0;
  let b = Math.floor(first / 2 ** 32) >>> 0;
  let c = (second ^ 0x9e3779b9) >>> 0;
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + sum) >>> 0;
    return sum;
  };
  for (let round = 0; round < 16; round++) next();
  return next;
}
