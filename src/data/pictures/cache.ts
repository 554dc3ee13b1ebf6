/**
 * Pictures that were fetched, kept by their URL, so that a second epoch asks nobody. Only whole pictures are kept: what
 * failed is asked for again the next time.
 */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeFileWhole } from '../atomic.ts';
import { limited } from '../limited.ts';
import { shownAddress } from './address.ts';
import { type FetchOptions, fetchPicture } from './fetch.ts';
import { MAX_BYTES, pictureHeader } from './header.ts';
import { readRegularFile } from './regular-file.ts';

/** `$XDG_CACHE_HOME/sophiavl/pictures`, by default under ~/.cache. */
export function pictureCacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sophiavl', 'pictures');
}

/** Downloads under way at once. */
const slots = limited(8);
const underWay = new Map<string, Promise<Buffer>>();

/** The picture of a URL, fetched once. Throws InputError naming the URL: not to be had, or no picture. */
export function fetchedPicture(
  url: string,
  { folder = pictureCacheFolder(), ...options }: Partial<FetchOptions> & { folder?: string } = {},
): Promise<Buffer> {
  const file = cacheFile(folder, url);
  const asked = underWay.get(file);
  if (asked !== undefined) return asked;
  const bytes = cachedOrFetched(url, file, { maxBytes: MAX_BYTES, ...options }).finally(() =>
    underWay.delete(file),
  );
  underWay.set(file, bytes);
  return bytes;
}

/** The picture of a URL if it was fetched before. */
export async function cachedPicture(url: string, folder = pictureCacheFolder()): Promise<Buffer | null> {
  return readCached(cacheFile(folder, url));
}

async function cachedOrFetched(url: string, file: string, options: FetchOptions): Promise<Buffer> {
  const cached = await readCached(file);
  if (cached !== null) return cached;
  const bytes = await slots(() => fetchPicture(url, options));
  pictureHeader(bytes, shownAddress(url));
  // a cache that cannot be written costs time and nothing else
  await writeFileWhole(file, bytes).catch(() => {});
  return bytes;
}

async function readCached(file: string): Promise<Buffer | null> {
  try {
    const bytes = await readRegularFile(file, { maxBytes: MAX_BYTES });
    pictureHeader(bytes, file);
    return bytes;
  } catch {
    return null;
  }
}

/** A fragment says nothing to a server. */
function cacheFile(folder: string, url: string): string {
  const hash = createHash('sha256').update(url.replace(/#.*$/s, '')).digest('hex');
  return join(folder, hash.slice(0, 2), hash);
}
