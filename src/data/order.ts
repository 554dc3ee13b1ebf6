/** The order in which a run goes through its data: item k of the whole run depends on (seed, n, k) and nothing else. */

/** A permutation of 0 … n−1 for this epoch of this seed (Fisher–Yates). */
export function order(seed: number, epoch: number, n: number): Uint32Array {
  const permutation = Uint32Array.from({ length: n }, (_, index) => index);
  const next = sfc32(seed, epoch);
  for (let last = n - 1; last > 0; last--) {
    const chosen = Math.floor((next() / 2 ** 32) * (last + 1));
    [permutation[last], permutation[chosen]] = [permutation[chosen], permutation[last]];
  }
  return permutation;
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
