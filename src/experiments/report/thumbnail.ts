/** A picture small enough to stand in a page with others, as a data URL. */
import sharp from 'sharp';
import { decodePicture } from '../../data/pictures/images.ts';
import { InputError } from '../../errors.ts';
import type { Picture } from './input.ts';

const MOST_PIXELS_A_SIDE = 320;
/** Up to this size drawings are kept to the pixel. */
const SMALL = 128;

/** Null for what cannot be decoded: whatever a file says of itself, only what was drawn anew gets into a page. */
export async function thumbnail(bytes: Uint8Array, source: string): Promise<Picture | null> {
  const decoded = await decodePicture(bytes, source).catch((error) => {
    if (error instanceof InputError) return null;
    throw error;
  });
  if (decoded === null) return null;
  const { width, height, rgb } = decoded;
  const raw = sharp(rgb, { raw: { width, height, channels: 3 } });
  const side = Math.max(width, height);
  if (side <= SMALL) return { url: dataUrl('png', await raw.png().toBuffer()), width, height };
  const fitted = raw.resize(MOST_PIXELS_A_SIDE, MOST_PIXELS_A_SIDE, {
    fit: 'inside',
    withoutEnlargement: true,
  });
  const { data, info } = await fitted.jpeg({ quality: 75 }).toBuffer({ resolveWithObject: true });
  return { url: dataUrl('jpeg', data), width: info.width, height: info.height };
}

const dataUrl = (type: string, bytes: Buffer) => `data:image/${type};base64,${bytes.toString('base64')}`;
