/**
 * Numbers for a checkpoint, from float32: in bfloat16 (the upper half of a float32) or float16 (IEEE 754-2019, section
 * 3.4, binary16), rounded to nearest, ties to even, as PyTorch's `.to()` does.
 */
import type { FloatDtype } from './widen.ts';

/** Magnitudes from here on round to infinity. */
export const OVERFLOW = { F32: Infinity, BF16: 2 ** 128 - 2 ** 119, F16: 65520 } as const;

/**
 * The bits of the numbers of a dtype nearest to `values`; those of F32 share the memory. `widen` is the way back, and
 * every number that it gave comes out as it was.
 */
export function narrow(dtype: FloatDtype, values: Float32Array): Uint32Array | Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (dtype === 'F32') return bits;
  const bitsOf = dtype === 'F16' ? halfBits : bfloatBits;
  const out = new Uint16Array(bits.length);
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
