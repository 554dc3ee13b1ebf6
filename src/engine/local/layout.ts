/** Index tensors that lay packed tokens out into attention groups and back (`models/qwen2-5-vl/attention.ts`). */
import { type Feeds, float, int32 } from './sessions.ts';

/** A masked score. Large enough to vanish in a float32 softmax, small enough to stay finite. */
const MASKED = -1e30;

export interface Grouping {
  /** Token numbers of each group, in order. */
  groups: ArrayLike<number>[];
  heads: number;
  kvHeads: number;
  mask: 'causal' | 'key';
}

/** True where groups differ in length, so that some slots are padding. */
export function isRagged(groups: ArrayLike<number>[]): boolean {
  return groups.some((g) => g.length !== groups[0].length);
}

/** Feeds named `name.query`, `name.queryInverse`, … for a graph of the given raggedness. */
export function layoutFeeds(
  name: string,
  { groups, heads, kvHeads, mask }: Grouping,
  ragged: boolean,
): Feeds {
  const slots = groups.reduce((most, g) => Math.max(most, g.length), 0);
  const shared = heads / kvHeads;
  const query = layRows(groups, slots, heads, kvHeads);
  const feeds: Feeds = {
    [`${name}.query`]: int32(query.index, [groups.length, kvHeads, shared * slots]),
    [`${name}.queryInverse`]: int32(query.inverse),
  };
  if (shared > 1) {
    const key = layRows(groups, slots, kvHeads, kvHeads);
    feeds[`${name}.key`] = int32(key.index, [groups.length, kvHeads, slots]);
    feeds[`${name}.keyInverse`] = int32(key.inverse);
  }
  if (mask === 'causal') feeds[`${name}.mask`] = causalMask(shared, slots);
  if (!ragged) return feeds;
  if (mask === 'key') feeds[`${name}.mask`] = keyMask(groups, slots);
  feeds[`${name}.real`] = realSlots(groups, slots, shared);
  return feeds;
}

function layRows(groups: ArrayLike<number>[], slots: number, heads: number, kvHeads: number) {
  const shared = heads / kvHeads;
  const tokens = groups.reduce((sum, g) => sum + g.length, 0);
  const index = new Int32Array(groups.length * heads * slots);
  const inverse = new Int32Array(tokens * heads);
  let slot = 0;
  for (const group of groups) {
    for (let head = 0; head < kvHeads * shared; head++) {
      for (let l = 0; l < slots; l++, slot++) {
        const row = group[l < group.length ? l : 0] * heads + head;
        index[slot] = row;
        if (l < group.length) inverse[row] = slot;
      }
    }
  }
  return { index, inverse };
}

function causalMask(shared: number, slots: number) {
  const mask = new Float32Array(shared * slots * slots);
  for (let row = 0; row < shared * slots; row++) {
    for (let key = (row % slots) + 1; key < slots; key++) mask[row * slots + key] = MASKED;
  }
  return float(mask, [shared * slots, slots]);
}

function keyMask(groups: ArrayLike<number>[], slots: number) {
  const mask = new Float32Array(groups.length * slots);
  groups.forEach((g, i) => {
    mask.fill(MASKED, i * slots + g.length, (i + 1) * slots);
  });
  return float(mask, [groups.length, 1, 1, slots]);
}

function realSlots(groups: ArrayLike<number>[], slots: number, shared: number) {
  const real = new Float32Array(groups.length * shared * slots);
  groups.forEach((g, i) => {
    for (let s = 0; s < shared; s++) {
      const start = (i * shared + s) * slots;
      real.fill(1, start, start + g.length);
    }
  });
  return float(real, [groups.length, 1, shared * slots, 1]);
}
