/**
 * A picture embedded in a row of a Parquet file, as Hugging Face's Image feature stores it: a struct {bytes, path}, a
 * list of one, or the bytes alone (https://huggingface.co/docs/datasets/image_dataset).
 */
import { resolve } from 'node:path';
import { InputError } from '../errors.ts';
import { openParquet, type ParquetFile } from './parquet.ts';

const names = ['image', 'images', 'picture'];

/** The encoded bytes of the picture in row `row` (0-based). Throws InputError `FILE#ROW: …`. */
export async function parquetPicture(file: string, row: number): Promise<Buffer> {
  const parquet = await openParquet(file);
  if (!Number.isSafeInteger(row) || row < 0 || row >= parquet.length)
    throw new InputError(`${file}#${row}: there is no such row; the file has ${parquet.length}`);
  const column = pictureColumn(parquet);
  if (column === null)
    throw new InputError(`${file}#${row}: the file has no column image, images or picture`);
  const [values] = await parquet.rows(row, row + 1, [column]);
  const bytes = embeddedBytes(values[column]);
  if (bytes === null)
    throw new InputError(`${file}#${row}: column ${column} holds no picture's bytes in this row`);
  return bytes;
}

/** The column that holds pictures, or null. */
export function pictureColumn({ columns }: Pick<ParquetFile, 'columns'>): string | null {
  return names.find((name) => columns.includes(name)) ?? null;
}

/** The bytes of one picture as a cell holds them, or null. */
export function embeddedBytes(cell: unknown): Buffer | null {
  if (cell instanceof Uint8Array) return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength);
  if (Array.isArray(cell)) return cell.length === 1 ? embeddedBytes(cell[0]) : null;
  if (cell !== null && typeof cell === 'object' && 'bytes' in cell) return embeddedBytes(cell.bytes);
  return null;
}

/** The address of the picture in row `row` of `file`. */
export function embeddedAddress(file: string, row: number): string {
  return `${resolve(file)}#${row}`;
}
