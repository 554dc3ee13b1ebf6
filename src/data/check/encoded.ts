/** A picture's encoded bytes by its address, and what its header says of it. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { InputError } from '../../errors.ts';
import { decodePicture, requirePictureFile } from '../images.ts';
import { readError } from '../jsonl.ts';
import { embeddedAt, parquetPicture } from '../parquet-picture.ts';

/** Throws InputError naming the picture. */
export async function encodedPicture(address: string): Promise<Buffer> {
  const embedded = embeddedAt(address);
  if (embedded !== null) return parquetPicture(embedded.file, embedded.row);
  await requirePictureFile(address);
  return readFile(address).catch((error) => {
    throw readError(error, address);
  });
}

export interface PictureSize {
  width: number;
  height: number;
  bytes: number;
}

/** Width and height by the header alone; nothing is decoded. Throws InputError naming the picture. */
export async function pictureSize(address: string): Promise<PictureSize> {
  const bytes = await encodedPicture(address);
  try {
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { width, height, bytes: bytes.length };
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ').replace(/[: ]+$/, '');
    throw new InputError(`${address}: cannot decode the picture (${reason}); is the file damaged?`);
  }
}

/** Decodes all of it. Throws InputError naming the picture. */
export async function requireDecodable(address: string): Promise<void> {
  await decodePicture(await encodedPicture(address), address);
}
