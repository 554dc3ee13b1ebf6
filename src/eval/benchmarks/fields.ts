/** Fields of published rows and prediction rows, as the files of different harnesses write them. */
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { pyText } from './python.ts';
import { pyLiteral } from './python-literal.ts';

/** An empty cell of a table reads as null, undefined, NaN or nothing at all. */
export function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === '' || Number.isNaN(value);
}

/** The row with official names: a name that is absent takes over what stands under the first of its other names. */
export function officialNames(value: unknown, others: Readonly<Record<string, readonly string[]>>): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const row: Record<string, unknown> = { ...value };
  for (const [name, aliases] of Object.entries(others)) {
    const found = aliases.find((alias) => Object.hasOwn(row, alias));
    if (!Object.hasOwn(row, name) && found !== undefined) row[name] = row[found];
  }
  return row;
}

/** A text, or a number as a table's cell holds it. */
export const textCell = z.union([z.string(), z.number()]).transform(pyText);

/** A response: of a failed request it is null, and never right. */
export const responseCell = z.union([z.string(), z.number(), z.null()]);

/** A list or an object, or its Python literal, as tables write them; an empty cell is null. */
export const literalCell = z.unknown().transform((value, context) => {
  if (isMissing(value)) return null;
  if (typeof value !== 'string') return value;
  try {
    return pyLiteral(value);
  } catch {
    context.addIssue('must be a list or an object, or its Python literal');
    return z.NEVER;
  }
});

/** Throws InputError `SOURCE: KEY: is missing` and the like where a published row's field is no text. */
export function publishedText(row: Readonly<Record<string, unknown>>, key: string, source: string): string {
  const value = row[key];
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  throw new InputError(`${source}: ${key}: ${isMissing(value) ? 'is missing' : 'must be a string'}`);
}

/** The same, or null for an empty cell. */
export function optionalText(
  row: Readonly<Record<string, unknown>>,
  key: string,
  source: string,
): string | null {
  return isMissing(row[key]) ? null : publishedText(row, key, source);
}

/** A list of texts, or its Python literal; null for an empty cell. Throws InputError. */
export function publishedList(
  row: Readonly<Record<string, unknown>>,
  key: string,
  source: string,
): string[] | null {
  if (isMissing(row[key])) return null;
  const parsed = literalCell.safeParse(row[key]);
  if (!parsed.success || !Array.isArray(parsed.data))
    throw new InputError(`${source}: ${key}: must be a list of strings`);
  return parsed.data.map(pyText);
}
