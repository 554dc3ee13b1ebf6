/**
 * Pictures: encoded bytes to 8-bit RGB and back, by sharp (libvips). What a decoded picture looks like follows what
 * transformers' processors see by Pillow: EXIF orientation applied, transparency laid onto white, CMYK by Pillow's formula,
 * embedded colour profiles not applied, the first frame of an animation. Unlike there, 16-bit grey is scaled to 8 bits
 * (Pillow cuts it off at 255). Pictures may come from strangers: docs/pictures.md says what is refused, and why.
 */
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import type { Picture } from '../../engine/types.ts';
import { InputError } from '../../errors.ts';
import { limited } from '../limited.ts';
import { shortened } from '../one-line.ts';
import { shownAddress } from './address.ts';
import { pictureBytes } from './bytes.ts';
import { MAX_PIXELS, type PictureFormat, pictureHeader, pngChunks, requireSize } from './header.ts';

// Pictures are small and read one by one: libvips' own threads and caches would only cost.
sharp.concurrency(1);
sharp.cache(false);

/** sharp's name of each format. */
const SHARP_NAMES: Record<PictureFormat, string> = {
  png: 'png',
  jpeg: 'jpeg',
  webp: 'webp',
  gif: 'gif',
  tiff: 'tiff',
  avif: 'heif',
};

/** A picture that takes longer is made to. */
const TIMEOUT_S = 30;

/** Decoding takes some bytes a pixel: large pictures are decoded one after another. */
const LARGE = 8_000_000;
const small = limited(4);
const large = limited(1);

/**
 * Reads and decodes the picture at an address; its content says the format, not its name. `roots`: as pictureBytes takes
 * them. Throws InputError naming the picture.
 */
export async function readPicture(address: string, roots?: readonly string[]): Promise<Picture> {
  return decodePicture(await pictureBytes(address, roots), shownAddress(address));
}

/** Decodes a picture from bytes; `source` names it in messages. Throws InputError. */
export async function decodePicture(bytes: Uint8Array, source: string): Promise<Picture> {
  return (await decodeWhole(bytes, source)).picture;
}

/** A picture, and what is left out in it: the file's format, how EXIF turns it (1: not at all), its frames. */
export interface DecodedPicture {
  picture: Picture;
  format: PictureFormat;
  orientation: number;
  frames: number;
}

/** Decodes a picture from bytes and says how they hold it. Throws InputError. */
export async function decodeWhole(bytes: Uint8Array, source: string): Promise<DecodedPicture> {
  const encoded = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { format, width, height, frames } = pictureHeader(encoded, source);
  const slots = width * height > LARGE ? large : small;
  return slots(async () => {
    const input = format === 'png' ? withoutAncillary(encoded) : encoded;
    const meta = await decoding(source, () => sharp(input, { limitInputPixels: false }).metadata());
    if (meta.format !== SHARP_NAMES[format])
      throw new InputError(`${source}: is ${format} by its beginning and ${meta.format} by the rest`);
    requireSize({ width: meta.width, height: meta.height, frames }, source);
    const inks = meta.space === 'cmyk';
    const { data, info } = await decoding(source, () => {
      const picture = sharp(input, {
        limitInputPixels: MAX_PIXELS,
        failOn: 'error',
        ignoreIcc: true,
      })
        .timeout({ seconds: TIMEOUT_S })
        .autoOrient();
      return (
        inks ? picture.pipelineColourspace('cmyk').toColourspace('cmyk') : picture.toColourspace('srgb')
      )
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
    });
    const rgb = inks ? fromInks(data, info.channels) : toRgb(data, info.channels);
    const hash = pictureHash(info.width, info.height, rgb);
    const picture = { width: info.width, height: info.height, rgb, hash };
    return { picture, format, orientation: meta.orientation ?? 1, frames };
  });
}

/** Chunks of a PNG beside the critical ones that change how it looks. */
const SEEN = new Set(['tRNS', 'eXIf']);

/**
 * A PNG without texts, profiles and times: none of them is looked at, and each can be a few bytes that unpack into
 * gigabytes. A chunk that is cut off stays, so that the picture is found to be damaged.
 */
function withoutAncillary(png: Buffer): Buffer {
  const kept: Buffer[] = [png.subarray(0, 8)];
  let end = 8;
  for (const { type, at, length } of pngChunks(png)) {
    end = at + length;
    const critical = (type.charCodeAt(0) & 0x20) === 0;
    if (critical || SEEN.has(type)) kept.push(png.subarray(at, end));
    if (type === 'IEND') return Buffer.concat(kept);
  }
  return Buffer.concat([...kept, png.subarray(end)]);
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
    const reason = shortened((error as Error).message).replace(/[: ]+$/, '');
    if (/^timeout/i.test(reason))
      throw new InputError(`${source}: takes longer than ${TIMEOUT_S} s to decode; save it anew`);
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
