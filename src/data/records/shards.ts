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
  checkNumbers(found, pattern, (name) => matches(basename(pattern), name));
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
  checkNumbers(shards, folder);
  return byNumber(shards);
}

const NUMBERED = /^(.*-)(\d{1,6})-of-(\d{1,6})(\.[^/]*)?$/;

/** `train-00003-of-00005.parquet` in parts. */
interface Numbered {
  stem: string;
  number: string;
  total: string;
  kind: string;
}

const nameOf = ({ stem, number, total, kind }: Numbered): string => `${stem}${number}-of-${total}${kind}`;

/**
 * Shards that say how many they are (`train-00003-of-00005.parquet`) must agree on it, and all be there unless some of
 * them are not `asked` for. Throws InputError.
 */
export function checkNumbers(
  names: readonly string[],
  what: string,
  asked: (name: string) => boolean = () => true,
): void {
  const sets = new Map<string, Numbered[]>();
  for (const name of names) {
    const [, stem, number, total, kind = ''] = NUMBERED.exec(name) ?? [];
    if (stem === undefined) continue;
    const key = `${stem}*${kind}`;
    sets.set(key, [...(sets.get(key) ?? []), { stem, number, total, kind }]);
  }
  for (const shards of sets.values()) {
    const totals = [...new Set(shards.map(({ total }) => total))].sort();
    const patterns = totals.map((total) => nameOf({ ...shards[0], number: '*', total }));
    if (patterns.length > 1)
      throw new InputError(`${what}: shards of several sets (${patterns.join(', ')}); name one of them`);
    const whole = wholeSet(shards);
    const there = new Set(shards.map(({ number }) => Number(number)));
    const missing = whole.filter(({ number }) => !there.has(Number(number))).map(nameOf);
    if (missing.length > 0 && whole.every((shard) => asked(nameOf(shard))))
      throw new InputError(
        `${what}: ${missing.length} of ${whole.length} shards missing: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ' …' : ''}`,
      );
  }
}

/** All shards of the set that some are of. Most writers count from 0, some from 1. */
function wholeSet(shards: readonly Numbered[]): Numbered[] {
  const total = Number(shards[0].total);
  const numbers = shards.map(({ number }) => Number(number));
  const first = numbers.includes(total) && !numbers.includes(0) ? 1 : 0;
  const width = shards[0].number.length;
  return Array.from({ length: total }, (_, i) => ({
    ...shards[0],
    number: String(first + i).padStart(width, '0'),
  }));
}

/** train-2 before train-10. */
export function byNumber(names: readonly string[]): string[] {
  return [...names].sort(new Intl.Collator('en', { numeric: true }).compare);
}
