/** A picture as a data URL: how chats with an OpenAI-compatible server carry pictures. */
import { decodeWhole, encodePng } from './images.ts';
import { shownAddress } from './picture-address.ts';
import { pictureBytes } from './picture-bytes.ts';
import type { PictureFormat } from './picture-header.ts';

/** What every server can be expected to open. */
const COMMON: Partial<Record<PictureFormat, string>> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
};

/**
 * The picture's own bytes where its content is of a common format; else a PNG of what `readPicture` makes of it, also where
 * EXIF says to turn it, which many servers do not, and for animations, of which some show another frame or all. `roots`:
 * as pictureBytes takes them. Throws InputError naming the picture: not there, or not to be decoded.
 */
export async function pictureUrl(address: string, roots?: readonly string[]): Promise<string> {
  const bytes = await pictureBytes(address, roots);
  const { picture, format, orientation, frames } = await decodeWhole(bytes, shownAddress(address));
  const type = orientation === 1 && frames === 1 ? COMMON[format] : undefined;
  if (type !== undefined) return dataUrl(type, bytes);
  return dataUrl('image/png', await encodePng(picture.rgb, picture.width, picture.height));
}

function dataUrl(type: string, bytes: Buffer): string {
  return `data:${type};base64,${bytes.toString('base64')}`;
}
