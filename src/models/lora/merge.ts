/** An adapter added to the matrix it adapts: W + scale · B·A (Hu et al. 2021, section 4.1). */

/**
 * Adds scale · B·A to `weight` [out, in] in place; a [rank, in], b [out, rank], all row-major. Sums in float64, one
 * rounding to float32. Rows are independent: a block of W's rows with the same rows of B gives the same numbers.
 */
export function mergeLora(
  weight: Float32Array,
  a: Float32Array,
  b: Float32Array,
  { out, in: inputs, rank, scale }: { out: number; in: number; rank: number; scale: number },
): void {
  if (weight.length !== out * inputs || a.length !== rank * inputs || b.length !== out * rank)
    throw new RangeError(
      `${weight.length}, ${a.length} and ${b.length} numbers for [${out}, ${inputs}] of rank ${rank}`,
    );
  // Four rows of A at a time: the sums of a row are then read and written a quarter as often.
  const whole = rank - (rank % 4);
  const sums = new Float64Array(inputs);
  for (let row = 0; row < out; row++) {
    sums.fill(0);
    const at = row * rank;
    for (let k = 0; k < whole; k += 4) {
      const [b0, b1, b2, b3] = [b[at + k], b[at + k + 1], b[at + k + 2], b[at + k + 3]];
      const a0 = k * inputs;
      const a1 = a0 + inputs;
      const a2 = a1 + inputs;
      const a3 = a2 + inputs;
      for (let i = 0; i < inputs; i++)
        sums[i] += b0 * a[a0 + i] + b1 * a[a1 + i] + b2 * a[a2 + i] + b3 * a[a3 + i];
    }
    for (let k = whole; k < rank; k++) {
      const one = b[at + k];
      for (let i = 0; i < inputs; i++) sums[i] += one * a[k * inputs + i];
    }
    const w = row * inputs;
    for (let i = 0; i < inputs; i++) weight[w + i] += scale * sums[i];
  }
}
