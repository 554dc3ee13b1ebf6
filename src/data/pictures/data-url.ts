/** A picture as a data URL: how chats with an OpenAI-compatible server carry pictures. */

import { shownAddress } from './address.ts';
import { pictureBytes } from './bytes.ts';
import type { PictureFormat } from './header.ts';
import { decodeWhole, encodePng } from './images.ts';

/** What every server can be expected to open. */
const COMMON: Partial<Record<PictureFormat, string>> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
};

/** `roots`: as pictureBytes takes them. Throws InputError naming the picture: not there, or not to be decoded. */
export async function pictureUrl(address: string, roots?: readonly string[]): Promise<string> {
  return pictureDataUrl(await pictureBytes(address, roots), shownAddress(address));
}

/**
 * The picture's own bytes where its content is of a common format; else a PNG of what `decodePicture` makes of it, also
 * where EXIF says to turn it, which many servers do not, and for animations, of which some show another frame or all.
 * Throws InputError `SOURCE: …` for what is not to be decoded.
 */
export async function pictureDataUrl(bytes: Uint8Array, source: string): Promise<string> {
  const { picture, format, orientation, frames } = await decodeWhole(bytes, source);
  const type = orientation === 1 && frames === 1 ? COMMON[format] : undefined;
  if (type !== undefined) return dataUrl(type, bytes);
  return dataUrl('image/png', await encodePng(picture.rgb, picture.width, picture.height));
}

function dataUrl(type: string, bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  return `data:${type};base64,${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}`;
}
