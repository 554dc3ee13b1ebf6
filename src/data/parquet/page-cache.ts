/** Decoded pages of pictures that stay at hand, since pictures of a page are mostly asked for together. */
import { limited } from '../limited.ts';

type Cells = readonly (Buffer | null)[];

/** Cell `index` of the page called `key`, which `read` decodes where it is not at hand. */
export type CellOf = (key: string, index: number, read: () => Promise<Cells>) => Promise<Buffer | null>;

/**
 * Keeps pages of `mostBytes` together, and has `concurrency` of them read at once. Of a page that has more by itself the
 * cell asked for is copied, and the page goes.
 */
export function pageCache(mostBytes: number, concurrency: number): CellOf {
  const decoding = limited(concurrency);
  const pages = new Map<string, Promise<Page>>();
  const sizes = new WeakMap<Promise<Page>, number>();
  const tooMany = () => {
    let all = 0;
    for (const page of pages.values()) all += sizes.get(page) ?? 0;
    return all > mostBytes;
  };
  return async (key, index, read) => {
    const make = () => {
      const page = decoding(async () => {
        const cells = await read();
        return { cells, bytes: bytesHeld(cells) };
      });
      const sized = page.then((decoded) => {
        if (decoded.bytes <= mostBytes) sizes.set(sized, decoded.bytes);
        else if (pages.get(key) === sized) pages.delete(key);
        return decoded;
      });
      return sized;
    };
    const { cells, bytes } = await remembered(pages, key, make, tooMany);
    const cell = cells[index];
    return cell !== null && bytes > mostBytes ? Buffer.from(cell) : cell;
  };
}

interface Page {
  cells: Cells;
  bytes: number;
}

/** Cells are views of what was decoded, and hold all of it. */
function bytesHeld(cells: Cells): number {
  const buffers = new Set(cells.map((cell) => cell?.buffer));
  let bytes = 0;
  for (const buffer of buffers) bytes += buffer?.byteLength ?? 0;
  return bytes;
}

/** The value of a key, the latest asked for last; the oldest go while there are too many. A failure is not kept. */
export function remembered<T>(
  cache: Map<string, Promise<T>>,
  key: string,
  make: () => Promise<T>,
  tooMany: () => boolean,
): Promise<T> {
  const known = cache.get(key);
  const value = known ?? make();
  cache.delete(key);
  cache.set(key, value);
  if (known === undefined) {
    const trim = () => {
      while (tooMany()) {
        const [oldest] = cache.keys();
        cache.delete(oldest);
      }
    };
    value.then(trim, () => cache.delete(key));
  }
  return value;
}
