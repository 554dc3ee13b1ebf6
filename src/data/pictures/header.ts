/**
 * What a picture's first bytes say before anything is decoded: its format (by content, whatever the file is called), its
 * size in pixels and how many frames it has. PNG: W3C PNG 3; JPEG: ITU-T T.81; GIF: GIF89a; WebP: RFC 9649; TIFF: TIFF 6.0;
 * AVIF: ISO/IEC 23008-12 (HEIF).
 */
import { InputError } from '../../errors.ts';

export type PictureFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'avif';

export interface PictureHeader {
  format: PictureFormat;
  /** As stored, before EXIF turns it. */
  width: number;
  height: number;
  /** Frames of an animation, pages of a TIFF; 1 otherwise. */
  frames: number;
}

/** Largest encoded picture. */
export const MAX_BYTES = 64 << 20;
/** Largest picture: about twice what a phone takes. */
export const MAX_PIXELS = 64_000_000;
/** Pixels of all frames together: whoever is shown the file may decode them all. */
export const MAX_FRAME_PIXELS = 1_000_000_000;
const MAX_FRAMES = 10_000;
/** Passes of a progressive JPEG, each of which touches every pixel; encoders write about ten. */
const MAX_SCANS = 100;

/** Throws InputError `SOURCE: …`: no picture, of a format that is not read, damaged, or too large. */
export function pictureHeader(bytes: Buffer, source: string): PictureHeader {
  if (bytes.length === 0) throw new InputError(`${source}: the picture is empty (0 bytes)`);
  const format = (Object.keys(SIGNATURES) as PictureFormat[]).find((name) => SIGNATURES[name](bytes));
  if (format === undefined) throw new InputError(`${source}: ${notRead(bytes)}`);
  let header: Omit<PictureHeader, 'format'>;
  try {
    header = READERS[format](bytes);
  } catch (error) {
    // a read beyond the end, or a complaint of ours
    const reason = error instanceof Damage ? error.message : 'its header is cut off';
    throw new InputError(`${source}: cannot decode the picture (${format}: ${reason}); is the file damaged?`);
  }
  requireSize(header, source);
  return { format, ...header };
}

/** Throws InputError `SOURCE: …` for a picture with too many pixels. */
export function requireSize({ width, height, frames }: Omit<PictureHeader, 'format'>, source: string): void {
  if (width * height > MAX_PIXELS)
    throw new InputError(
      `${source}: ${width}×${height} pixels; pictures may have ${MAX_PIXELS / 1e6} million, make it smaller`,
    );
  if (frames > MAX_FRAMES || width * height * frames > MAX_FRAME_PIXELS)
    throw new InputError(
      `${source}: an animation of ${frames > MAX_FRAMES ? `more than ${MAX_FRAMES}` : frames} frames of ${width}×${height} pixels; give one picture`,
    );
}

class Damage extends Error {}

const ascii = (bytes: Buffer, from: number, to: number) => bytes.toString('latin1', from, to);

const SIGNATURES: Record<PictureFormat, (bytes: Buffer) => boolean> = {
  png: (bytes) => ascii(bytes, 0, 8) === '\x89PNG\r\n\x1a\n',
  jpeg: (bytes) => ascii(bytes, 0, 3) === '\xff\xd8\xff',
  webp: (bytes) => ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP',
  gif: (bytes) => /^GIF8[79]a$/.test(ascii(bytes, 0, 6)),
  tiff: (bytes) => /^(II\*\0|MM\0\*)$/.test(ascii(bytes, 0, 4)),
  avif: (bytes) => brands(bytes).some((brand) => brand === 'avif' || brand === 'avis'),
};

const READERS: Record<PictureFormat, (bytes: Buffer) => Omit<PictureHeader, 'format'>> = {
  png: pngHeader,
  jpeg: jpegHeader,
  webp: webpHeader,
  gif: gifHeader,
  tiff: tiffHeader,
  avif: avifHeader,
};

/** Formats that are known and not read, by how they begin. */
const OTHERS: [name: string, test: (start: string) => boolean][] = [
  ['BMP', (start) => start.startsWith('BM')],
  ['PDF', (start) => start.startsWith('%PDF')],
  ['PostScript', (start) => start.startsWith('%!')],
  ['JPEG XL', (start) => start.startsWith('\xff\x0a') || start.startsWith('\0\0\0\x0cJXL ')],
  ['JPEG 2000', (start) => start.startsWith('\0\0\0\x0cjP  ') || start.startsWith('\xff\x4f\xff\x51')],
  ['HEIC', (start) => start.slice(4, 8) === 'ftyp' && /hei|hev|mif1|msf1/.test(start)],
  ['BigTIFF', (start) => /^(II\+\0|MM\0\+)/.test(start)],
  ['PSD', (start) => start.startsWith('8BPS')],
  ['icon', (start) => start.startsWith('\0\0\x01\0')],
  ['PNM', (start) => /^P[1-7]\s/.test(start)],
  ['SVG', (start) => /<svg[\s>]/i.test(start)],
  ['HTML', (start) => /^\s*<(!doctype html|html)/i.test(start)],
  ['gzip', (start) => start.startsWith('\x1f\x8b')],
];

function notRead(bytes: Buffer): string {
  const start = ascii(bytes, 0, 1024).replace(/^\xef\xbb\xbf/, '');
  const other = OTHERS.find(([, test]) => test(start))?.[0];
  return other === undefined
    ? 'cannot decode the picture: by its content it is none (PNG, JPEG, WebP, GIF, TIFF and AVIF are read)'
    : `pictures of format ${other} are not read; convert it to PNG or JPEG`;
}

function pngHeader(bytes: Buffer) {
  if (ascii(bytes, 12, 16) !== 'IHDR' || bytes.readUInt32BE(8) !== 13) throw new Damage('no IHDR');
  let frames = 1;
  for (const { type, at } of pngChunks(bytes)) if (type === 'acTL') frames = bytes.readUInt32BE(at + 8);
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20), frames };
}

/** Chunks of a PNG that are there whole: their type, where they begin and how long they are with all that belongs to them. */
export function* pngChunks(bytes: Buffer): Generator<{ type: string; at: number; length: number }> {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at) + 12;
    if (at + length > bytes.length) return;
    yield { type: ascii(bytes, at + 4, at + 8), at, length };
    at += length;
  }
}

function jpegHeader(bytes: Buffer) {
  let size: { width: number; height: number } | null = null;
  let scans = 0;
  let at = 2;
  for (;;) {
    // entropy-coded data, and anything else between markers, is passed over
    at = bytes.indexOf(0xff, at);
    if (at === -1 || at + 1 >= bytes.length) break;
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    at += 2;
    if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (marker === 0xd9) break;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker) && size === null)
      size = { height: bytes.readUInt16BE(at + 3), width: bytes.readUInt16BE(at + 5) };
    if (marker === 0xda) {
      if (size === null) throw new Damage('no frame header');
      scans += 1;
      if (scans > MAX_SCANS) throw new Damage(`more than ${MAX_SCANS} scans`);
    }
    if (at + 2 > bytes.length) break;
    at += bytes.readUInt16BE(at);
  }
  if (size === null) throw new Damage('no frame header');
  if (size.width * size.height === 0) throw new Damage('no width or height');
  return { ...size, frames: 1 };
}

function webpHeader(bytes: Buffer) {
  const type = ascii(bytes, 12, 16);
  if (type === 'VP8 ') {
    if (bytes.readUIntBE(23, 3) !== 0x9d012a) throw new Damage('no start code');
    return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff, frames: 1 };
  }
  if (type === 'VP8L') {
    const bits = bytes.readUInt32LE(21);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, frames: 1 };
  }
  if (type !== 'VP8X') throw new Damage('no VP8 chunk');
  let frames = 0;
  for (let at = 12; at + 8 <= bytes.length && frames <= MAX_FRAMES; ) {
    if (ascii(bytes, at, at + 4) === 'ANMF') frames += 1;
    const length = bytes.readUInt32LE(at + 4);
    at += 8 + length + (length % 2);
  }
  const width = bytes.readUIntLE(24, 3) + 1;
  return { width, height: bytes.readUIntLE(27, 3) + 1, frames: Math.max(1, frames) };
}

/** Readers enlarge the picture where a frame reaches beyond it. */
function gifHeader(bytes: Buffer) {
  let width = bytes.readUInt16LE(6);
  let height = bytes.readUInt16LE(8);
  const tableLength = (flags: number) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let at = 13 + tableLength(bytes[10]);
  const skipBlocks = () => {
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at] + 1;
    at += 1;
  };
  let frames = 0;
  while (at < bytes.length && frames <= MAX_FRAMES) {
    const kind = bytes[at];
    if (kind === 0x21) {
      at += 2;
      skipBlocks();
    } else if (kind === 0x2c && at + 10 < bytes.length) {
      frames += 1;
      width = Math.max(width, bytes.readUInt16LE(at + 1) + bytes.readUInt16LE(at + 5));
      height = Math.max(height, bytes.readUInt16LE(at + 3) + bytes.readUInt16LE(at + 7));
      at += 11 + tableLength(bytes[at + 9]);
      skipBlocks();
    } else break;
  }
  if (frames === 0) throw new Damage('no frame');
  return { width, height, frames };
}

const TIFF_TYPES: Record<number, number> = { 1: 1, 3: 2, 4: 4 };

function tiffHeader(bytes: Buffer) {
  const little = bytes[0] === 0x49;
  const u16 = (at: number) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (at: number) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const tagsAt = (directory: number): Map<number, number> => {
    const tags = new Map<number, number>();
    for (let i = 0, at = directory + 2; i < u16(directory); i++, at += 12) {
      const size = TIFF_TYPES[u16(at + 2)];
      if (size === undefined) continue;
      // of lists, the first value
      const from = size * u32(at + 4) > 4 ? u32(at + 8) : at + 8;
      tags.set(u16(at), size === 1 ? bytes[from] : size === 2 ? u16(from) : u32(from));
    }
    return tags;
  };
  const first = u32(4);
  const tags = tagsAt(first);
  const [width, height] = [tags.get(256), tags.get(257)];
  if (!width || !height) throw new Damage('no width or height');
  const samples = tags.get(277) ?? 1;
  const bits = tags.get(258) ?? 1;
  if (samples > 5 || bits > 32) throw new Damage(`${samples} samples of ${bits} bits a pixel`);
  const [tileWidth, tileHeight] = [tags.get(322) ?? 1, tags.get(323) ?? 1];
  if (tileWidth * tileHeight > MAX_PIXELS) throw new Damage(`tiles of ${tileWidth}×${tileHeight} pixels`);
  let frames = 0;
  for (let at = first; at !== 0 && frames <= MAX_FRAMES && at + 2 <= bytes.length; frames++) {
    const next = at + 2 + 12 * u16(at);
    at = next + 4 <= bytes.length ? u32(next) : 0;
  }
  return { width, height, frames };
}

/** Major and compatible brands of an ISO base media file; none where it is no such file. */
function brands(bytes: Buffer): string[] {
  if (ascii(bytes, 4, 8) !== 'ftyp') return [];
  const end = Math.min(bytes.readUInt32BE(0), bytes.length, 256);
  const found = [ascii(bytes, 8, 12)];
  for (let at = 16; at + 4 <= end; at += 4) found.push(ascii(bytes, at, at + 4));
  return found;
}

/** Every image in the file has its size in a property `ispe`; the largest is the picture, whatever it is put together from. */
function avifHeader(bytes: Buffer) {
  let [width, height] = [0, 0];
  let at = -1;
  for (;;) {
    at = bytes.indexOf('ispe', at + 1, 'latin1');
    if (at === -1 || at + 16 > bytes.length) break;
    // a box of 20 bytes, version 0
    if (at < 4 || bytes.readUInt32BE(at - 4) !== 20) continue;
    const [w, h] = [bytes.readUInt32BE(at + 8), bytes.readUInt32BE(at + 12)];
    if (w * h > width * height) [width, height] = [w, h];
  }
  if (width * height === 0) throw new Damage('no size');
  return { width, height, frames: 1 };
}
