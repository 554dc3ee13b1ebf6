/**
 * Random streams that are pure functions of a key, so that item 7 of a split is the same whether or not items 0–6
 * were made before it, and no two purposes ever share draws.
 *
 * The key is hashed by MurmurHash3's mixing (Appleby; here over UTF-16 code units, four seeds) into the 128-bit state
 * of sfc32 (Doty-Humphrey, PractRand: passes its tests to many terabytes, period at least 2^32 per counter seed).
 * Good for synthetic data; not for secrets.
 */

export interface Random {
  /** An integer of [0, 2^32). */
  uint32(): number;
  /** A multiple of 2^-32 in [0, 1). */
  uniform(): number;
  /** An integer of [0, n), each equally likely up to 2^-32. */
  below(n: number): number;
  /** True with probability p. */
  chance(p: number): boolean;
  /** One of the items, each equally likely. */
  pick<T>(items: readonly T[]): T;
  /** 0 … n−1 in random order (Fisher–Yates). */
  permutation(n: number): number[];
  /** Standard normal (Box–Muller, one of the pair). */
  normal(): number;
}

/** The stream of a key; parts are told apart by position and type: (1, '2') is not ('1', 2). */
export function keyed(...key: (string | number)[]): Random {
  const text = JSON.stringify(key);
  let a = hash32(text, 1);
  let b = hash32(text, 2);
  let c = hash32(text, 3);
  let counter = hash32(text, 4);

  function uint32(): number {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  }
  for (let round = 0; round < 12; round++) uint32();

  const uniform = () => uint32() / 2 ** 32;
  const below = (n: number) => Math.floor(uniform() * n);
  return {
    uint32,
    uniform,
    below,
    chance: (p) => uniform() < p,
    pick: (items) => items[below(items.length)],
    permutation(n) {
      const order = Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = below(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** MurmurHash3's 32-bit mixing over the code units of a text. */
export function hash32(text: string, seed = 0): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) {
    let unit = Math.imul(text.charCodeAt(i), 0xcc9e2d51);
    unit = (unit << 15) | (unit >>> 17);
    hash ^= Math.imul(unit, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= text.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
