/**
 * Which files a set of records is in: one file, a folder of shards, or a pattern with `*`, sorted by name with numbers
 * as numbers, as Hugging Face's datasets are laid out (`train-00000-of-00020.parquet`).
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { InputError } from '../../errors.ts';
import { isTemporary } from '../atomic.ts';
import { readError } from '../jsonl.ts';

export const isRepository = (what: string): boolean => /^hf:\/\//i.test(what);

/** Kinds of files that shards may be. A JSON array is a set by itself: folders hold others, with facts about the set. */
const SHARDS = ['.parquet', '.jsonl', '.ndjson'];

/** Throws InputError: nothing there, no shards, or several sets in one folder. */
export async function listShards(what: string): Promise<string[]> {
  const info = await stat(what).catch((error) => {
    if (what.includes('*')) return null;
    throw readError(error, what);
  });
  if (info === null) return matching(what);
  return info.isDirectory() ? inFolder(what) : [what];
}

async function matching(pattern: string): Promise<string[]> {
  const folder = dirname(pattern);
  if (folder.includes('*'))
    throw new InputError(`${pattern}: * stands for parts of a file's name alone; name the folder`);
  const names = await readdir(folder).catch((error) => {
    throw readError(error, folder);
  });
  const found = names.filter((name) => matches(basename(pattern), name) && !isTemporary(name));
  if (found.length === 0) throw new InputError(`${pattern}: no file has such a name`);
  return byNumber(found).map((name) => join(folder, name));
}

/** Whether `*` in the pattern can stand for what the name has there. */
export function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]*')}$`).test(name);
}

async function inFolder(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const found = oneSet(names, folder);
  if (found.length > 0) return found.map((name) => join(folder, name));
  const within = names.includes('data') ? await readdir(join(folder, 'data')).catch(() => []) : [];
  const below = oneSet(within, join(folder, 'data'));
  if (below.length > 0) return below.map((name) => join(folder, 'data', name));
  throw new InputError(
    `${folder}: is a folder without shards (*.parquet, *.jsonl); name the file of records in it`,
  );
}

/** The shards among files of a folder, sorted. Throws InputError where they are several sets. */
export function oneSet(names: readonly string[], folder: string): string[] {
  const visible = names.filter((name) => !basename(name).startsWith('.') && !isTemporary(basename(name)));
  const kinds = SHARDS.map((kind) => visible.filter((name) => extname(name).toLowerCase() === kind));
  const shards = kinds.find((kind) => kind.length > 0) ?? [];
  const sets = [...new Set(shards.map((name) => name.replace(/\d+/g, '*')))].sort();
  if (sets.length > 1)
    throw new InputError(
      `${folder}: is a folder of several sets (${sets.slice(0, 4).join(', ')}${sets.length > 4 ? ' …' : ''}); name one of them, such as ${folder.replace(/\/$/, '')}/${sets[0]}`,
    );
  return byNumber(shards);
}

/** train-2 before train-10. */
export function byNumber(names: readonly string[]): string[] {
  return [...names].sort(new Intl.Collator('en', { numeric: true }).compare);
}
