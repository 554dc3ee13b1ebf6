/** Fast random numbers for weights nobody will read: a keyed 32-bit hash, and the quantiles it picks from. */

/**
 * Word `counter` of the stream (key0, key1): the integer hash "lowbias32" (Wellons, "Prospecting for Hash Functions",
 * 2018), with a key before its first round and one between its rounds, so that no stream is another one shifted.
 */
export function word(counter: number, key0: number, key1: number): number {
  let x = counter ^ key0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d) + key1;
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The keys of one tensor of one seed. */
export function tensorKeys(seed: number, name: string): [number, number] {
  let [a, b] = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
  for (const byte of Buffer.from(name)) {
    a = word(byte, a, b);
    b = word(byte, b ^ 0x9e3779b9, a);
  }
  return [a | 0, b | 0];
}

/** Inverse of the normal distribution function (Acklam 2003), relative error below 1.2e-9. */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return (
      polynomial(
        q,
        [
          -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
          4.374664141464968, 2.938163982698783,
        ],
      ) / polynomial(q, [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1])
    );
  }
  const q = p - 0.5;
  const r = q * q;
  return (
    (q *
      polynomial(
        r,
        [
          -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
          2.506628277459239,
        ],
      )) /
    polynomial(
      r,
      [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
    )
  );
}

/** Coefficients from the highest power down. */
function polynomial(x: number, coefficients: readonly number[]): number {
  return coefficients.reduce((sum, c) => sum * x + c, 0);
}
