/**
 * Random numbers without a state: every draw is a hash of (seed, name of the stream, index), so a tensor's
 * first values do not depend on which tensors were drawn before it.
 *
 * The hash is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
 * its key is the 64-bit seed, its counter (block low, block high, name hash low, name hash high). The name's
 * hash is 32-bit FNV-1a over its UTF-8 bytes, taken twice with different starting values.
 */

/** Four 32-bit words from a counter of four and a key of two, into `out`. */
export function philox4x32(
  counter: ArrayLike<number>,
  key0: number,
  key1: number,
  out: Uint32Array | number[],
): void {
  let c0 = counter[0] >>> 0;
  let c1 = counter[1] >>> 0;
  let c2 = counter[2] >>> 0;
  let c3 = counter[3] >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ key0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ key1) >>> 0;
    c3 = low0 >>> 0;
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** `count` independent draws from N(0, 1) (Box–Muller), the stream named `name` of `seed` (a safe integer ≥ 0). */
export function normals(seed: number, name: string, count: number): Float32Array {
  const out = new Float32Array(count);
  forEachBlock(seed, name, count, (at, words) => {
    for (let pair = 0; pair < 4 && at + pair < count; pair += 2) {
      const radius = Math.sqrt(-2 * Math.log(open(words[pair])));
      const angle = 2 * Math.PI * open(words[pair + 1]);
      out[at + pair] = radius * Math.cos(angle);
      if (at + pair + 1 < count) out[at + pair + 1] = radius * Math.sin(angle);
    }
  });
  return out;
}

/** `count` independent draws from the uniform distribution on (-1, 1), the stream named `name` of `seed`. */
export function symmetricUniforms(seed: number, name: string, count: number): Float32Array {
  const out = new Float32Array(count);
  forEachBlock(seed, name, count, (at, words) => {
    for (let i = 0; i < 4 && at + i < count; i++) out[at + i] = 2 * open(words[i]) - 1;
  });
  return out;
}

function forEachBlock(
  seed: number,
  name: string,
  count: number,
  use: (at: number, words: Uint32Array) => void,
): void {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed ${seed} is not an integer >= 0`);
  const counter = new Uint32Array([0, 0, fnv1a(name, 0x811c9dc5), fnv1a(name, 0x050c5d1f)]);
  const words = new Uint32Array(4);
  const seedHigh = Math.floor(seed / 2 ** 32);
  for (let at = 0; at < count; at += 4) {
    counter[0] = at / 4;
    counter[1] = at / 2 ** 34;
    philox4x32(counter, seed >>> 0, seedHigh, words);
    use(at, words);
  }
}

/** A word as a number strictly between 0 and 1, so that its logarithm is finite. */
function open(word: number): number {
  return (word + 0.5) / 2 ** 32;
}

/** The upper 32 bits of the 64-bit product. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

function fnv1a(text: string, start: number): number {
  let hash = start;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
