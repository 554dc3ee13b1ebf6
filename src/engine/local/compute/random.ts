/**
 * Uniform draws as a pure function of a key (splitmix64-style mixing on 32-bit halves): a token's draw depends only on
 * (seed, prompt key, sample, position), so neither batch composition nor the order of replies changes a result.
 */

/** A number in [0, 1) from the integers of `key`. */
export function keyedUniform(...key: number[]): number {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  for (const part of key) {
    // safe integers carry up to 53 bits: both halves count
    a = mix(a ^ (part | 0));
    b = mix((b + a) ^ Math.floor(part / 0x1_0000_0000));
  }
  a = mix(a + b);
  b = mix(b ^ a);
  return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000;
}

function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}
