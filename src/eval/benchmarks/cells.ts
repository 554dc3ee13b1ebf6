/** Cells of published tables, as pandas reads them: which are empty, and how a number reads as text. */

/** What pandas' read_csv and read_excel take for an empty cell (pandas.pydata.org, `na_values`). */
const missing = new Set(
  ' #N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null'
    .split(' ')
    .concat('#N/A N/A'),
);

/** Empty for pandas, and so for every scorer that reads its tables with it: an option `None` is none. */
export function isMissing(value: unknown): value is null | undefined {
  if (typeof value === 'number') return Number.isNaN(value);
  return value === null || value === undefined || (typeof value === 'string' && missing.has(value));
}

/** Python's str() of a cell. */
export function text(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}

/** The first of these fields that is there. */
export function firstOf(row: Record<string, unknown>, names: readonly string[]): unknown {
  return names.map((name) => row[name]).find((value) => !isMissing(value));
}
