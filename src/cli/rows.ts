/** Commands that map JSON Lines to JSON Lines: one compact object a line, in input order, every input field kept. */
import { once } from 'node:events';
import type { z } from 'zod';
import { jsonLine, readJsonl } from '../data/jsonl.ts';
import { InputError } from '../errors.ts';

/** Result fields of a row. Those under `also` stand back where the row has a field of that name. */
export interface RowResult {
  fields: Record<string, unknown>;
  also: Record<string, unknown>;
}

/**
 * Prints each row of `file` (`-`: standard input) with its result fields. Rows already printed stand when a
 * later one is bad. Throws InputError `FILE:LINE: KEY: what; what to do`.
 */
export async function mapRows<T>(
  file: string,
  schema: z.ZodType<T>,
  map: (row: T) => RowResult,
): Promise<void> {
  await printRows(mapped(file, schema, map));
}

async function* mapped<T>(file: string, schema: z.ZodType<T>, map: (row: T) => RowResult) {
  for await (const { value, source } of readJsonl(file)) {
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw new InputError(`${source}: ${complaint(parsed.error)}`);
    const { fields, also } = map(parsed.data);
    const row = { ...(value as object), ...fields };
    yield { ...row, ...absentFrom(row, also) };
  }
}

/** Prints rows as they come, one a line, no faster than they are read. */
export async function printRows(rows: AsyncIterable<object>): Promise<void> {
  for await (const row of rows) if (!process.stdout.write(jsonLine(row))) await once(process.stdout, 'drain');
}

function absentFrom(row: object, fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !Object.hasOwn(row, key)));
}

/** A field's error text: says that the key is missing, or what it must be. */
export function must(be: string): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) => (input === undefined ? `missing; add ${be}` : `must be ${be}; mend this row`),
  };
}

function complaint(error: z.ZodError): string {
  const { path, message } = error.issues[0];
  const key = path.map((part, i) =>
    typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`,
  );
  return key.length === 0 ? message : `${key.join('')}: ${message}`;
}
