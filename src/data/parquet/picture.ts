/**
 * A picture embedded in a row of a Parquet file, as Hugging Face's Image feature stores it: a struct {bytes, path}, a
 * list of one, or the bytes alone (https://huggingface.co/docs/datasets/image_dataset). Its address is `FILE#ROW`.
 * Pages that were decoded are kept while they are few, since pictures of a page are mostly asked for together.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InputError } from '../../errors.ts';
import { readError } from '../jsonl.ts';
import { openParquet, type ParquetFile } from './parquet.ts';

/** The encoded bytes of the picture in row `row` (0-based). Throws InputError `FILE#ROW: …`. */
export async function parquetPicture(file: string, row: number): Promise<Buffer> {
  const { parquet, place } = await opened(file);
  const source = `${file}#${row}`;
  if (!Number.isSafeInteger(row) || row < 0 || row >= parquet.length)
    throw new InputError(`${source}: there is no such row; the file has ${parquet.length}`);
  if (place === null) throw new InputError(`${source}: the file has no column of pictures, such as image`);
  const [from, to] = await parquet.neighbours(row, place.bytes);
  const cells = await kept(`${place.key} ${from}`, async () => {
    const rows = await parquet.rows(from, to, [place.bytes]);
    return rows.map((values) => embeddedBytes(values[place.column]));
  });
  const bytes = cells[row - from];
  if (bytes === null)
    throw new InputError(`${source}: column ${place.column} holds no picture's bytes in this row`);
  return bytes;
}

/** Where a file keeps its pictures: the column, and the leaves of bytes and of file names, if any. */
export interface PicturePlace {
  column: string;
  bytes: string;
  path: string | null;
}

const NAMES = ['image', 'images', 'picture'];

/** By the name of the column, or the only one of the form {bytes, path}; null where no column holds bytes. */
export function picturePlace({ columns, leaves }: ParquetFile): PicturePlace | null {
  const places = columns.flatMap((column): PicturePlace[] => {
    const own = leaves.filter(({ path }) => path === column || path.startsWith(`${column}.`));
    const bytes = own.find(({ path, text }) => !text && (path === column || path.endsWith('.bytes')));
    const named = own.find(({ path, text }) => text && path.endsWith('.path'));
    return bytes === undefined ? [] : [{ column, bytes: bytes.path, path: named?.path ?? null }];
  });
  for (const name of NAMES) {
    const found = places.find(({ column }) => column === name);
    if (found !== undefined) return found;
  }
  const structs = places.filter(({ bytes }) => bytes.endsWith('.bytes'));
  return structs.length === 1 ? structs[0] : null;
}

/** The bytes of one picture as a cell holds them, or null. */
export function embeddedBytes(cell: unknown): Buffer | null {
  if (cell instanceof Uint8Array)
    return cell.length > 0 ? Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength) : null;
  if (Array.isArray(cell)) return cell.length === 1 ? embeddedBytes(cell[0]) : null;
  if (cell !== null && typeof cell === 'object' && 'bytes' in cell) return embeddedBytes(cell.bytes);
  return null;
}

type Opened = { parquet: ParquetFile; place: (PicturePlace & { key: string }) | null };

const MOST_FILES = 64;
const files = new Map<string, Promise<Opened>>();

/** The footer of a file is read once, as long as the file stays as it is. */
async function opened(file: string): Promise<Opened> {
  const info = await stat(file).catch((error) => {
    throw readError(error, file);
  });
  const key = `${resolve(file)} ${info.size} ${info.mtimeMs} ${info.ino}`;
  const open = async (): Promise<Opened> => {
    const parquet = await openParquet(file);
    const place = picturePlace(parquet);
    return { parquet, place: place && { ...place, key } };
  };
  return remembered(files, key, open, () => files.size > MOST_FILES);
}

type Cells = (Buffer | null)[];

const MOST_BYTES = 256 << 20;
const pages = new Map<string, Promise<Cells>>();
const sizes = new Map<string, number>();

function kept(key: string, read: () => Promise<Cells>): Promise<Cells> {
  const measured = async () => {
    const cells = await read();
    sizes.set(
      key,
      cells.reduce((sum, cell) => sum + (cell?.length ?? 0), 0),
    );
    return cells;
  };
  return remembered(pages, key, measured, () => {
    let all = 0;
    for (const one of pages.keys()) all += sizes.get(one) ?? 0;
    return all > MOST_BYTES && pages.size > 1;
  });
}

/** The value of a key, the latest asked for last; the oldest go while there are too many. A failure is not kept. */
function remembered<T>(
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
        sizes.delete(oldest);
      }
    };
    value.then(trim, () => cache.delete(key));
  }
  return value;
}
