/** Quantiles of many numbers in bounded memory: a seeded sample of those that were met (Vitter's algorithm R). */

const SAMPLE = 20_000;
const AT = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1];

export interface Quantiles {
  n: number;
  mean: number;
  /** Smallest and largest are exact; the rest are of a sample beyond 20,000 numbers. */
  min: number;
  p5: number;
  p25: number;
  p50: number;
  p75: number;
  p95: number;
  max: number;
}

export interface Meter {
  add(value: number): void;
  /** Null where nothing was added. */
  result(): Quantiles | null;
}

export function meter(): Meter {
  const kept: number[] = [];
  let n = 0;
  let sum = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let state = 1;
  // xorshift32 (Marsaglia 2003): the same numbers always give the same sample
  const draw = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
  return {
    add(value) {
      n += 1;
      sum += value;
      min = Math.min(min, value);
      max = Math.max(max, value);
      if (kept.length < SAMPLE) kept.push(value);
      else {
        const place = draw(n);
        if (place < SAMPLE) kept[place] = value;
      }
    },
    result() {
      if (n === 0) return null;
      const sorted = kept.toSorted((a, b) => a - b);
      const [, p5, p25, p50, p75, p95] = AT.map((q) => sorted[Math.round(q * (sorted.length - 1))]);
      return { n, mean: Number((sum / n).toPrecision(6)), min, p5, p25, p50, p75, p95, max };
    },
  };
}
