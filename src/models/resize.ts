/**
 * Bicubic resizing of 8-bit RGB pictures with antialiasing, bit for bit as PyTorch does it on uint8
 * (`interpolate(mode="bicubic", antialias=True)`, aten `UpSampleKernelAVXAntialias.h`): Keys' cubic with a = -0.5,
 * its support stretched by the shrinking factor; a horizontal pass, then a vertical one, each in fixed point with
 * int16 weights and rounded to uint8; a pass that changes nothing is skipped.
 * Pillow's resize keeps 22 bits of weight instead and differs from this by one level on few pixels.
 */

/** `rgb` is row-major height×width×3; returns outHeight×outWidth×3 (`rgb` itself where the size is the same). */
export function resizeBicubic(
  rgb: Uint8Array,
  width: number,
  height: number,
  outWidth: number,
  outHeight: number,
): Uint8Array {
  const wide = outWidth === width ? rgb : resizeRows(rgb, width, height, outWidth);
  return outHeight === height ? wide : resizeColumns(wide, outWidth, height, outHeight);
}

/** Fixed-point filter taps: output i is the sum of weights[i * most + k] · input[first[i] + k], k < count[i], over 2^precision. */
interface Taps {
  first: Int32Array;
  count: Int32Array;
  most: number;
  weights: Int32Array;
  precision: number;
}

function taps(inputs: number, outputs: number): Taps {
  const scale = inputs / outputs;
  const shrink = Math.max(scale, 1);
  const support = 2 * shrink;
  const most = 2 * Math.ceil(support) + 1;
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const exact = new Float64Array(outputs * most);
  let largest = 0;
  for (let i = 0; i < outputs; i++) {
    const center = scale * (i + 0.5);
    first[i] = Math.max(Math.trunc(center - support + 0.5), 0);
    count[i] = Math.min(Math.trunc(center + support + 0.5), inputs) - first[i];
    let total = 0;
    for (let k = 0; k < count[i]; k++) {
      const weight = cubic((first[i] + k - center + 0.5) * (1 / shrink));
      exact[i * most + k] = weight;
      total += weight;
    }
    for (let k = 0; k < count[i]; k++) {
      exact[i * most + k] /= total;
      largest = Math.max(largest, exact[i * most + k]);
    }
  }
  let precision = 0;
  while (precision < 22 && Math.trunc(0.5 + largest * 2 ** (precision + 1)) < 1 << 15) precision++;
  // Math.trunc by storing: rounds half away from zero with the half added on the weight's own side.
  const weights = Int32Array.from(exact, (w) => w * 2 ** precision + (w < 0 ? -0.5 : 0.5));
  return { first, count, most, weights, precision };
}

/** Keys 1981, with a = -0.5. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  if (d < 2) return ((-0.5 * d + 2.5) * d - 4) * d + 2;
  return 0;
}

function resizeRows(rgb: Uint8Array, width: number, height: number, outWidth: number): Uint8Array {
  const { first, count, most, weights, precision } = taps(width, outWidth);
  const half = 1 << (precision - 1);
  // Clamped stores do what uint8 saturation does in the original.
  const out = new Uint8ClampedArray(outWidth * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * 3;
    for (let x = 0; x < outWidth; x++) {
      let r = half;
      let g = half;
      let b = half;
      let from = row + first[x] * 3;
      const begin = x * most;
      const end = begin + count[x];
      for (let k = begin; k < end; k++, from += 3) {
        const weight = weights[k];
        r = (r + weight * rgb[from]) | 0;
        g = (g + weight * rgb[from + 1]) | 0;
        b = (b + weight * rgb[from + 2]) | 0;
      }
      out[to++] = r >> precision;
      out[to++] = g >> precision;
      out[to++] = b >> precision;
    }
  }
  return new Uint8Array(out.buffer);
}

function resizeColumns(rgb: Uint8Array, width: number, height: number, outHeight: number): Uint8Array {
  const { first, count, most, weights, precision } = taps(height, outHeight);
  const stride = width * 3;
  const out = new Uint8ClampedArray(stride * outHeight);
  const sums = new Int32Array(stride);
  for (let y = 0; y < outHeight; y++) {
    sums.fill(1 << (precision - 1));
    for (let k = 0; k < count[y]; k++) {
      const weight = weights[y * most + k];
      const from = (first[y] + k) * stride;
      for (let i = 0; i < stride; i++) sums[i] += weight * rgb[from + i];
    }
    const to = y * stride;
    for (let i = 0; i < stride; i++) out[to + i] = sums[i] >> precision;
  }
  return new Uint8Array(out.buffer);
}
