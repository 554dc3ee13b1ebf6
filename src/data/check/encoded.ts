/** What a picture's header says of it, and whether all of it can be decoded. */

import { shownAddress } from '../pictures/address.ts';
import { pictureBytes } from '../pictures/bytes.ts';
import { pictureHeader } from '../pictures/header.ts';
import { readPicture } from '../pictures/images.ts';

export interface PictureSize {
  width: number;
  height: number;
  bytes: number;
}

/**
 * Width and height by the header alone; nothing is decoded. `roots`: as pictureBytes takes them. Throws InputError naming
 * the picture.
 */
export async function pictureSize(address: string, roots?: readonly string[]): Promise<PictureSize> {
  const bytes = await pictureBytes(address, roots);
  const { width, height } = pictureHeader(bytes, shownAddress(address));
  return { width, height, bytes: bytes.length };
}

/** Decodes all of it. Throws InputError naming the picture. */
export async function requireDecodable(address: string, roots?: readonly string[]): Promise<void> {
  await readPicture(address, roots);
}
