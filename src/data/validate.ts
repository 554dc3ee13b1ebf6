/** zod at the boundary, and its complaint as one line for the person who wrote the file. */
import type { z } from 'zod';
import { InputError } from '../errors.ts';

/** The value as `schema` reads it. Throws InputError `SOURCE: key: what is wrong`. */
export function parseWith<T extends z.ZodType>(schema: T, value: unknown, source: string): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(`${source}: ${explain(result.error, value)}`);
}

/** The first complaint, with the key it is about and the value that was found there. */
export function explain(error: z.ZodError, value: unknown): string {
  const issue = error.issues[0];
  const key = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  const found = issue.path.reduce<unknown>((at, part) => (at as never)?.[part as never], value);
  const where = key === '' ? '' : `${key.replace(/^\./, '')}: `;
  if (found === undefined && issue.code !== 'unrecognized_keys') return `${where}is missing`;
  return `${where}${message(issue)}${found === undefined || key === '' ? '' : `, found ${shown(found)}`}`;
}

function message(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value')
    return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  if (issue.code === 'invalid_union') {
    const kinds = issue.errors.flat().map((part) => (part.code === 'invalid_type' ? part.expected : null));
    if (kinds.length > 0 && !kinds.includes(null)) return `must be ${[...new Set(kinds)].join(' or ')}`;
    return 'has the wrong form';
  }
  if (issue.code === 'invalid_type') return `must be ${issue.expected}`;
  return issue.message;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
