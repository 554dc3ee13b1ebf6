/**
 * A picture embedded in a row of a Parquet file, as Hugging Face's Image feature stores it: a struct {bytes, path}, a
 * list of one, or the bytes alone (https://huggingface.co/docs/datasets/image_dataset). Its address is `FILE#ROW`.
 * Pages that were decoded are kept while they are few (page-cache.ts).
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InputError } from '../../errors.ts';
import { readError } from '../jsonl.ts';
import { pageCache, remembered } from './page-cache.ts';
import { openParquet, type ParquetFile } from './parquet.ts';

/** Up to 256 MB of decoded pages stay, and two are decoded at a time: a page may have up to 1 GB. */
const cellOf = pageCache(256 << 20, 2);

/** The encoded bytes of the picture in row `row` (0-based). Throws InputError `FILE#ROW: …`. */
export async function parquetPicture(file: string, row: number): Promise<Buffer> {
  const { parquet, place } = await opened(file);
  const source = `${file}#${row}`;
  if (!Number.isSafeInteger(row) || row < 0 || row >= parquet.length)
    throw new InputError(`${source}: there is no such row; the file has ${parquet.length}`);
  if (place === null) throw new InputError(`${source}: the file has no column of pictures, such as image`);
  const [from, to] = await parquet.neighbours(row, place.bytes);
  const bytes = await cellOf(`${place.key} ${from}`, row - from, async () => {
    const rows = await parquet.rows(from, to, [place.bytes]);
    return rows.map((values) => embeddedBytes(values[place.column]));
  });
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
