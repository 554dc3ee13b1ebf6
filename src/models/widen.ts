/**
 * Numbers of a checkpoint as float32. Both halves are subsets of float32, so widening is exact: bfloat16 is the upper
 * half of a float32; float16 goes through a table of its 65,536 values (IEEE 754-2019, section 3.4, binary16).
 * Infinities and NaN are looked for in the same pass: they are what has all bits of the exponent set.
 */

export type FloatDtype = 'F32' | 'F16' | 'BF16';

/** Bytes a number. */
export const FLOAT_BYTES: Record<FloatDtype, number> = { F32: 4, F16: 2, BF16: 2 };

/**
 * Fills `into` with the little-endian numbers of `bytes` (at any alignment; as many as `into` takes). Says whether all
 * of them are finite. For F32, `bytes` may be `into`'s own memory: nothing is copied then.
 */
export function widen(dtype: FloatDtype, bytes: Uint8Array, into: Float32Array): boolean {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  if (dtype === 'F32') {
    if (bytes.buffer !== into.buffer || bytes.byteOffset !== into.byteOffset)
      new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
    return allFinite(bits);
  }
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, into.length);
  return dtype === 'BF16' ? widenBfloat16(halves, bits) : widenFloat16(halves, bits);
}

function allFinite(bits: Uint32Array): boolean {
  // adding one to a full exponent carries into the sign bit
  let carry = 0;
  for (let i = 0; i < bits.length; i++) carry |= (bits[i] & 0x7f800000) + 0x00800000;
  return carry >= 0;
}

function widenBfloat16(halves: Uint16Array, bits: Uint32Array): boolean {
  let carry = 0;
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    carry |= (half & 0x7f80) + 0x80;
    bits[i] = half << 16;
  }
  return (carry & 0x8000) === 0;
}

let float16Table: Uint32Array | null = null;

function widenFloat16(halves: Uint16Array, bits: Uint32Array): boolean {
  float16Table ??= Uint32Array.from({ length: 65536 }, (_, half) => float32BitsOfHalf(half));
  const table = float16Table;
  let carry = 0;
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    carry |= (half & 0x7c00) + 0x400;
    bits[i] = table[half];
  }
  return (carry & 0x8000) === 0;
}

/** The bits of the float32 equal to a float16. */
function float32BitsOfHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
