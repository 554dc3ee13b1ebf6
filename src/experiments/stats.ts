/** Means and spreads over seeds. The standard deviation is the sample's (ddof 1), as in every table of the project. */

/** A figure over seeds: `sd` is null for a single value, `n` counts the values that were there. */
export interface Summary {
  mean: number;
  sd: number | null;
  n: number;
}

/** Null where no seed has the figure. */
export function summarise(values: readonly (number | null | undefined)[]): Summary | null {
  const present = values.filter(
    (value): value is number => typeof value === 'number' && Number.isFinite(value),
  );
  if (present.length === 0) return null;
  const mean = present.reduce((sum, value) => sum + value, 0) / present.length;
  if (present.length === 1) return { mean, sd: null, n: 1 };
  const squares = present.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / (present.length - 1)), n: present.length };
}

/** `0.42 ± 0.04`, `0.42` for one value, `–` where there is none. */
export function plusMinus(summary: Summary | null, digits = 2): string {
  if (!summary) return '–';
  const mean = fixed(summary.mean, digits);
  return summary.sd === null ? mean : `${mean} ± ${fixed(summary.sd, digits)}`;
}

/** `toFixed` without a negative zero, with a real minus sign. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}
