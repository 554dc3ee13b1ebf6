/**
 * Pictures: files to 8-bit RGB and back, by sharp (libvips). What a decoded picture looks like follows what
 * transformers' processors see: EXIF orientation applied, transparency laid onto white, CMYK by Pillow's formula,
 * embedded colour profiles not applied. Unlike there, 16-bit grey is scaled to 8 bits (Pillow cuts it off at 255).
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import type { Picture } from '../engine/types.ts';
import { InputError } from '../errors.ts';
import { readError } from './jsonl.ts';

// Pictures are small and read one by one: libvips' own threads and caches would only cost.
sharp.concurrency(1);
sharp.cache(false);

const formats = ['png', 'jpeg', 'webp', 'gif', 'tiff', 'heif', 'avif', 'bmp'];
const maxBytes = 64 << 20;
const maxPixels = 64_000_000;

/** Reads and decodes a picture; its content says the format, not its name. Throws InputError naming the file. */
export async function readPicture(file: string): Promise<Picture> {
  await requirePictureFile(file);
  const bytes = await readFile(file).catch((error) => {
    throw readError(error, file);
  });
  return decodePicture(bytes, file);
}

/** Throws InputError where there is no file, or one too large for a picture. */
export async function requirePictureFile(file: string): Promise<void> {
  const info = await stat(file).catch((error) => {
    throw readError(error, file);
  });
  if (info.isDirectory()) throw new InputError(`${file}: is a folder, not a picture`);
  if (info.size > maxBytes)
    throw new InputError(
      `${file}: ${info.size >> 20} MB; pictures may have ${maxBytes >> 20} MB, make it smaller`,
    );
}

/** Decodes a picture from bytes; `source` names it in messages. Throws InputError. */
export async function decodePicture(bytes: Uint8Array, source: string): Promise<Picture> {
  if (bytes.length === 0) throw new InputError(`${source}: the picture is empty (0 bytes)`);
  const meta = await decoding(source, () => sharp(bytes, { limitInputPixels: false }).metadata());
  if (!formats.includes(meta.format))
    throw new InputError(
      `${source}: pictures of format ${meta.format} are not read; convert it to PNG or JPEG`,
    );
  if (meta.width * meta.height > maxPixels)
    throw new InputError(
      `${source}: ${meta.width}×${meta.height} pixels; pictures may have ${maxPixels / 1e6} million, make it smaller`,
    );
  const inks = meta.space === 'cmyk';
  const { data, info } = await decoding(source, () => {
    const picture = sharp(bytes, {
      limitInputPixels: maxPixels,
      failOn: 'error',
      ignoreIcc: true,
    }).autoOrient();
    return (inks ? picture.pipelineColourspace('cmyk').toColourspace('cmyk') : picture.toColourspace('srgb'))
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
  });
  const rgb = inks ? fromInks(data, info.channels) : toRgb(data, info.channels);
  return { width: info.width, height: info.height, rgb, hash: pictureHash(info.width, info.height, rgb) };
}

/** A PNG of row-major height×width×3 bytes; the same input gives the same bytes. */
export function encodePng(
  rgb: Uint8Array,
  width: number,
  height: number,
  { compressionLevel = 6 }: { compressionLevel?: number } = {},
): Promise<Buffer> {
  if (rgb.length !== width * height * 3)
    throw new RangeError(`${rgb.length} bytes are not ${width}×${height} RGB`);
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel, adaptiveFiltering: false, palette: false })
    .toBuffer();
}

/** SHA-256 of size and content: what an engine caches by. */
export function pictureHash(width: number, height: number, rgb: Uint8Array): string {
  return createHash('sha256').update(`${width}x${height}:`).update(rgb).digest('hex');
}

async function decoding<T>(source: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ').replace(/[: ]+$/, '');
    throw new InputError(`${source}: cannot decode the picture (${reason}); is the file damaged?`, {
      cause: error,
    });
  }
}

function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const grey = channels < 3;
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    const alpha = channels % 2 === 0 ? data[from + channels - 1] : 255;
    for (let channel = 0; channel < 3; channel++)
      rgb[to++] = onWhite(data[grey ? from : from + channel], alpha);
  }
  return rgb;
}

/** Pillow's cmyk2rgb. */
function fromInks(data: Uint8Array, channels: number): Uint8Array {
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    const light = 255 - data[from + 3];
    for (let ink = 0; ink < 3; ink++) {
      const product = data[from + ink] * light + 128;
      rgb[to++] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}

/** Pillow's alpha_composite over opaque white, in its fixed point. */
function onWhite(value: number, alpha: number): number {
  const scaled = 128 * (value * alpha + 255 * (255 - alpha)) + (128 << 7);
  return ((scaled >> 8) + scaled) >> 15;
}
