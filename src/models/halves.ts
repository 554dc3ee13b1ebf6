/**
 * The two 16-bit floating-point formats of model files, as their bits: float16 (IEEE 754 binary16) and bfloat16 (the
 * upper half of a float32). Narrowing rounds to nearest, ties to even, as PyTorch's `.to()` does.
 */

/** Magnitudes from here on round to infinity. */
export const OVERFLOW = { F32: Infinity, BF16: 2 ** 128 - 2 ** 119, F16: 65520 } as const;

/** The bits of the float32 equal to a float16. */
export function float32BitsOfHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

/** The bits of the float16s nearest to `values`. */
export function toFloat16(values: Float32Array): Uint16Array {
  return rounded(values, halfBits);
}

/** The bits of the bfloat16s nearest to `values`. */
export function toBfloat16(values: Float32Array): Uint16Array {
  return rounded(values, bfloatBits);
}

function rounded(values: Float32Array, bitsOf: (bits: number) => number): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = bitsOf(bits[i]);
  return out;
}

function bfloatBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // a NaN stays one
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00;
  // 2^-14, the least float16 with an exponent of its own: the exponents' offset drops from 127 to 15.
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  if (size < 0x33000000) return sign;
  // Below it a float16 counts units of 2^-24.
  const shift = 126 - (size >>> 23);
  const fraction = (size & 0x7fffff) | 0x800000;
  const unit = fraction >>> shift;
  const rest = fraction - unit * 2 ** shift;
  const half = 2 ** (shift - 1);
  return sign | (rest > half || (rest === half && unit % 2 === 1) ? unit + 1 : unit);
}
