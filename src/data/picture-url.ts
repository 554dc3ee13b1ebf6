/** A picture's file as a data URL: how chats with an OpenAI-compatible server carry pictures. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { decodePicture, encodePng, requirePictureFile } from './images.ts';
import { readError } from './jsonl.ts';

/** What every server can be expected to open, by sharp's names. */
const COMMON: Record<string, string> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
};

/**
 * The file's own bytes where its content is of a common format; else, and where EXIF says to turn it, which many servers
 * do not, a PNG of what `readPicture` makes of it. Throws InputError naming the file: not there, or not to be decoded.
 */
export async function pictureUrl(file: string): Promise<string> {
  await requirePictureFile(file);
  const bytes = await readFile(file).catch((error) => {
    throw readError(error, file);
  });
  const picture = await decodePicture(bytes, file);
  const { format, orientation = 1 } = await sharp(bytes).metadata();
  const type = orientation === 1 ? COMMON[format] : undefined;
  if (type !== undefined) return dataUrl(type, bytes);
  return dataUrl(COMMON.png, await encodePng(picture.rgb, picture.width, picture.height));
}

function dataUrl(type: string, bytes: Buffer): string {
  return `data:${type};base64,${bytes.toString('base64')}`;
}
