/** Pictures made to take what a machine has: each a few kilobytes, or at most a megabyte. */
import { deflateSync, crc32 as zlibCrc } from 'node:zlib';
import sharp from 'sharp';
import { encodePng } from '../../src/data/pictures/images.ts';

export const chunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length);
  body.copy(out, 4);
  out.writeUInt32BE(crc(body), out.length - 4);
  return out;
};

function crc(bytes: Buffer): number {
  if (zlibCrc) return zlibCrc(bytes);
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let k = 0; k < 8; k++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

const u32 = (...values: number[]) => {
  const out = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) out.writeUInt32BE(value, 4 * i);
  return out;
};

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

function png(width: number, height: number, idat: Buffer, ...more: Buffer[]): Buffer {
  const header = Buffer.concat([u32(width, height), Buffer.from([8, 2, 0, 0, 0])]);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    ...more,
    chunk('IDAT', idat),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Zeros that take a thousandth of their length. */
const zeros = (megabytes: number) => deflateSync(Buffer.alloc(megabytes << 20), { level: 1 });

/** A little-endian TIFF of one directory: [tag, type, value] each, the pixels after it. */
function tiff(entries: [number, number, number][], data = Buffer.alloc(64)): Buffer {
  const directory = Buffer.alloc(2 + 12 * entries.length + 4);
  directory.writeUInt16LE(entries.length);
  entries.forEach(([tag, type, value], i) => {
    const at = 2 + 12 * i;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(1, at + 4);
    if (type === 3) directory.writeUInt16LE(value, at + 8);
    else directory.writeUInt32LE(value, at + 8);
  });
  return Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), directory, data]);
}

const strip = (over: Record<number, number>): [number, number, number][] => {
  const all: Record<number, number> = {
    256: 4,
    257: 4,
    258: 8,
    259: 1,
    262: 1,
    273: 200,
    277: 1,
    278: 4,
    279: 16,
    ...over,
  };
  return Object.entries(all).map(([tag, value]) => [Number(tag), value > 65535 ? 4 : 3, value]);
};

function gif(width: number, height: number, frames: number): Buffer {
  const screen = Buffer.alloc(13);
  screen.write('GIF89a', 'latin1');
  screen.writeUInt16LE(width, 6);
  screen.writeUInt16LE(height, 8);
  screen[10] = 0x80;
  const frame = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
  return Buffer.concat([
    screen,
    Buffer.from([0, 0, 0, 255, 255, 255]),
    ...Array(frames).fill(frame),
    Buffer.from([0x3b]),
  ]);
}

/** Each with whether it may be read: what is harmless once it is not unpacked. */
export async function bombs(): Promise<Record<string, { bytes: Buffer; readable: boolean }>> {
  const many = zeros(128);
  const small = await encodePng(new Uint8Array(4 * 4 * 3).fill(80), 4, 4);
  const after = (more: Buffer) => Buffer.concat([small.subarray(0, 33), more, small.subarray(33)]);
  const text = (type: string, keyword: string) =>
    after(chunk(type, Buffer.concat([Buffer.from(`${keyword}\0\0`, 'latin1'), many])));
  const bad = (bytes: Buffer) => ({ bytes, readable: false });
  const fine = (bytes: Buffer) => ({ bytes, readable: true });
  const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#123' } })
    .jpeg({ progressive: true })
    .toBuffer();
  const sof = jpeg.indexOf(Buffer.from([0xff, 0xc2]));
  const grown = Buffer.from(jpeg);
  grown.writeUInt16BE(65535, sof + 5);
  grown.writeUInt16BE(65535, sof + 7);
  const sos = jpeg.indexOf(Buffer.from([0xff, 0xda]));
  const scan = jpeg.subarray(sos, jpeg.indexOf(Buffer.from([0xff]), sos + 2 + jpeg.readUInt16BE(sos + 2)));
  const scans = Buffer.concat([jpeg.subarray(0, sos), ...Array(5000).fill(scan), Buffer.from([0xff, 0xd9])]);
  const webp = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#1238' } })
    .webp({ lossless: true })
    .toBuffer();
  const canvas = (size: number, frames: number) => {
    const vp8x = Buffer.alloc(18);
    vp8x.write('VP8X', 'latin1');
    vp8x.writeUInt32LE(10, 4);
    vp8x[8] = 0x02;
    vp8x.writeUIntLE(size - 1, 12, 3);
    vp8x.writeUIntLE(size - 1, 15, 3);
    const picture = webp.subarray(webp.indexOf('VP8L'));
    const anmf = Buffer.alloc(24);
    anmf.write('ANMF', 'latin1');
    anmf.writeUInt32LE(16 + picture.length, 4);
    anmf.writeUIntLE(7, 14, 3);
    anmf.writeUIntLE(7, 17, 3);
    const anim = Buffer.from('ANIM\x06\0\0\0\0\0\0\0\0\0', 'latin1');
    const body = Buffer.concat([
      Buffer.from('WEBP', 'latin1'),
      vp8x,
      anim,
      ...Array(frames).fill(Buffer.concat([anmf, picture])),
    ]);
    const head = Buffer.alloc(8);
    head.write('RIFF', 'latin1');
    head.writeUInt32LE(body.length, 4);
    return Buffer.concat([head, body]);
  };
  const laughs = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "${'ha'.repeat(50)}">${Array.from(
    { length: 9 },
    (_, i) => `<!ENTITY ${'bcdefghij'[i]} "${`&${'abcdefghi'[i]};`.repeat(10)}">`,
  ).join('')}]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&j;</text></svg>`;
  return {
    'png of 60000×60000 pixels': bad(png(60000, 60000, zeros(64))),
    'png of 1×2³¹ pixels': bad(png(1, 2 ** 31 - 1, zeros(1))),
    'png whose data goes on for 128 MB': fine(png(4, 4, many)),
    'png with 128 MB of compressed text': fine(text('zTXt', 'Comment')),
    'png with 128 MB of profile': fine(text('iCCP', 'icc')),
    'png with 128 MB of international text': fine(
      after(chunk('iTXt', Buffer.concat([Buffer.from('Comment\0\x01\0\0\0', 'latin1'), many]))),
    ),
    'png of 20,000 frames': bad(after(chunk('acTL', u32(20_000, 0)))),
    'jpeg of 65535×65535 pixels': bad(grown),
    'jpeg of 5,000 scans': bad(scans),
    'gif of 65535×65535 pixels': bad(gif(65535, 65535, 1)),
    'gif of 200,000 frames': bad(gif(500, 500, 200_000)),
    'webp of 16384×16384 pixels': bad(canvas(16384, 1)),
    'webp of 8000×8000 pixels and 100 frames': bad(canvas(8000, 100)),
    'tiff of 60000×60000 pixels': bad(tiff(strip({ 256: 60000, 257: 60000 }))),
    'tiff with strips of 4 GB': bad(tiff(strip({ 279: 4_000_000_000 }))),
    'tiff with 4 billion rows a strip, compressed': bad(
      tiff(strip({ 256: 7000, 257: 7000, 278: 4_000_000_000, 259: 8, 279: 2000 }), zeros(1)),
    ),
    'tiff with tiles of 65000×65000': bad(
      tiff([
        [256, 3, 16],
        [257, 3, 16],
        [258, 3, 8],
        [259, 3, 8],
        [262, 3, 1],
        [277, 3, 1],
        [322, 3, 65008],
        [323, 3, 65008],
        [324, 4, 200],
        [325, 4, 64],
      ]),
    ),
    'tiff of 60000 samples a pixel': bad(tiff(strip({ 277: 60000 }))),
    'svg of a billion laughs': bad(Buffer.from(laughs)),
    'svg with a picture in it': bad(Buffer.from('<svg><image href="file:///etc/hostname"/></svg>')),
    pdf: bad(Buffer.from('%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj')),
  };
}
