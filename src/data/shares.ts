/** Means and shares, as metrics and scores use them. */

/** Arithmetic mean; 0 of nothing. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}

/** Share of items for which `is` holds; 0 of nothing. */
export function share<T>(items: readonly T[], is: (item: T) => boolean): number {
  return mean(items.map((item) => Number(is(item))));
}

/** Share of each name, names sorted. */
export function shares(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...new Set(names)].sort().map((name) => [name, share(names, (n) => n === name)]),
  );
}
