/**
 * Where a run's records come from: one set, or several that follow one another or, where they have weights, are drawn
 * from in these shares.
 */
import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { concatenated, weighted } from './mix.ts';
import { type OpenOptions, openRecords, type Records, recordFiles } from './reader.ts';
import { isRepository } from './shards.ts';

const Source = z.strictObject({
  /** A file, a folder of shards, a pattern with `*`, or hf://datasets/OWNER/NAME. */
  path: z.string().min(1),
  /** Share of the draws, relative to the other sources'. */
  weight: z.number().positive().optional(),
});

export const Sources = z.union([z.string().min(1), z.array(Source).min(1)], {
  error: 'must be a path, or a list of {path, weight}',
});
export type Sources = z.infer<typeof Sources>;

/** What is wrong with a list of sources, or null. */
export function complaintOf(sources: Sources): string | null {
  if (typeof sources === 'string') return null;
  const without = sources.filter(({ weight }) => weight === undefined).length;
  return without > 0 && without < sources.length ? 'give every source a weight, or none' : null;
}

/** How sources are called in messages. */
export function nameOf(sources: Sources): string {
  return typeof sources === 'string' ? sources : sources.map(({ path }) => path).join(', ');
}

/** Opens the sources, each seen to by `each` before they are mixed. Throws InputError. */
export async function openSources(
  sources: Sources,
  each: (records: Records) => Promise<Records> = async (records) => records,
  options: Partial<OpenOptions> = {},
): Promise<Records> {
  if (typeof sources === 'string') return each(await openRecords(sources, options));
  const opened: Records[] = [];
  for (const { path } of sources) opened.push(await each(await openRecords(path, options)));
  const name = nameOf(sources);
  if (sources.some(({ weight }) => weight === undefined)) return concatenated(opened, name);
  return weighted(
    opened.map((records, i) => ({ records, weight: sources[i].weight! })),
    name,
  );
}

/** What sources are, for who comes back to them: their names and how many bytes they have. Throws InputError. */
export async function identityOf(sources: Sources): Promise<{ file: string; bytes: number }> {
  const paths = typeof sources === 'string' ? [sources] : sources.map(({ path }) => path);
  let bytes = 0;
  for (const path of paths) for (const file of await recordFiles(path)) bytes += (await stat(file)).size;
  const absolute = paths.map((path) => (isRepository(path) || isAbsolute(path) ? path : resolve(path)));
  return { file: absolute.join(', '), bytes };
}
