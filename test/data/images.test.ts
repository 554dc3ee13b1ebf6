import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp, { type Colour, type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodePicture, encodePng, readPicture } from '../../src/data/pictures/images.ts';
import { InputError } from '../../src/errors.ts';
import { qwen, temporaryFolder } from './folder.ts';

const solid = (width: number, height: number, background: Colour, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background } });
const noise = Uint8Array.from({ length: 64 * 48 * 3 }, (_, index) => (index * 7919 + (index >> 3)) % 256);
const firstPixel = async (image: Sharp) => [
  ...(await decodePicture(await image.toBuffer(), 'p')).rgb.slice(0, 3),
];

describe('readPicture', () => {
  it.each(['shapes.png', 'text.png', 'photo.jpg'])(
    'decodes %s (transparent, grey, JPEG) to the RGB that Pillow and transformers see, to the byte',
    async (name) => {
      const ours = await readPicture(join(qwen, 'images', name));
      const golden = await readPicture(join(qwen, 'images', name.replace(/\.\w+$/, '.rgb.png')));
      expect(ours).toEqual(golden);
    },
  );

  it('hashes size and content: sha256 of `WIDTHxHEIGHT:` and the bytes', async () => {
    const file = join(temporaryFolder(), 'not-a-png.jpg');
    writeFileSync(file, await encodePng(noise, 64, 48));
    const picture = await readPicture(file);
    expect(picture.hash).toBe(createHash('sha256').update('64x48:').update(noise).digest('hex'));
    const turned = await decodePicture(await encodePng(noise, 48, 64), 'p');
    expect(turned.hash).not.toBe(picture.hash);
  });

  it('applies EXIF orientation', async () => {
    const jpeg = await solid(4, 2, '#f00').withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await decodePicture(jpeg, 'p')).toMatchObject({ width: 2, height: 4 });
  });

  it('brings palette, 16-bit, grey, CMYK and other formats to 8-bit RGB', async () => {
    expect(await firstPixel(solid(4, 4, '#102030').png({ palette: true }))).toEqual([16, 32, 48]);
    expect(await firstPixel(solid(4, 4, '#f08040').toColourspace('rgb16').png())).toEqual([240, 128, 64]);
    expect(await firstPixel(solid(4, 4, '#808080').toColourspace('grey16').png())).toEqual([128, 128, 128]);
    expect(await firstPixel(solid(4, 4, '#00f').gif())).toEqual([0, 0, 255]);
    expect(await firstPixel(solid(4, 4, '#00f').webp({ lossless: true }))).toEqual([0, 0, 255]);
    expect(await firstPixel(solid(4, 4, '#00f').tiff({ compression: 'lzw' }))).toEqual([0, 0, 255]);
    const [red, green, blue] = await firstPixel(solid(4, 4, '#f00').toColourspace('cmyk').jpeg());
    expect(red).toBeGreaterThan(200);
    expect(Math.max(green, blue)).toBeLessThan(60);
  });

  it('mixes the inks of a CMYK picture as Pillow does', async () => {
    // 8×8 pixels of C 144, M 73, Y 227, K 30, written by Pillow 13, which reads them as RGB 98, 161, 25
    const jpeg =
      '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoKCgYICwwLCgwJCgoK/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAkHCP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsAAD8AnbbAbzCP/9k=';
    const { rgb } = await decodePicture(Buffer.from(jpeg, 'base64'), 'p');
    expect([...rgb]).toEqual(Array.from({ length: 64 }, () => [98, 161, 25]).flat());
  });

  it('lays transparency onto white', async () => {
    expect(await firstPixel(solid(2, 2, { r: 255, g: 0, b: 0, alpha: 0 }, 4).png())).toEqual([255, 255, 255]);
    expect(
      await firstPixel(solid(2, 2, { r: 0, g: 0, b: 0, alpha: 0.5 }, 4).toColourspace('b-w').png()),
    ).toEqual([127, 127, 127]);
  });

  it('leaves embedded colour profiles unapplied, as Pillow does', async () => {
    const png = await solid(2, 2, '#f00').withIccProfile('p3').png().toBuffer();
    const { data } = await sharp(png, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
    expect([...(await decodePicture(png, 'p')).rgb]).toEqual([...data]);
    expect(data[0]).toBeLessThan(250);
  });

  it.each([
    ['cut in the middle', (png: Buffer) => png.subarray(0, png.length >> 1)],
    ['cut near its end', (png: Buffer) => png.subarray(0, png.length - 20)],
    ['cut in its header', (png: Buffer) => png.subarray(0, 20)],
    ['with a flipped byte', (png: Buffer) => png.fill(png[200] ^ 0xff, 200, 201)],
    ['that is something else', () => Buffer.from('hello')],
    ['that is empty', () => Buffer.alloc(0)],
    ['that is an SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
    [
      'that says it has 60000×60000 pixels',
      (png: Buffer) => png.fill(Buffer.from([0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]), 16, 24),
    ],
  ])('refuses a picture %s with one line naming the file', async (_, spoil) => {
    const file = join(temporaryFolder(), 'bad.png');
    writeFileSync(file, spoil(await encodePng(noise, 64, 48)));
    const error = await readPicture(file).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message.startsWith(`${file}: `)).toBe(true);
    expect(error.message).not.toContain('\n');
  });

  it('refuses a JPEG that lacks its end', async () => {
    const jpeg = readFileSync(join(qwen, 'images/photo.jpg'));
    await expect(decodePicture(jpeg.subarray(0, jpeg.length - 400), 'p.jpg')).rejects.toThrow(
      /^p\.jpg: cannot decode/,
    );
  });

  it('says so when there is no such picture, or a folder in its place', async () => {
    const folder = temporaryFolder();
    await expect(readPicture(join(folder, 'a.png'))).rejects.toThrow(/a\.png: cannot read: no such file/);
    await expect(readPicture(folder)).rejects.toThrow(InputError);
  });
});

describe('encodePng', () => {
  it('decodes to the very same bytes, and encodes the same picture the same way', async () => {
    const side = fc.integer({ min: 1, max: 20 });
    await fc.assert(
      fc.asyncProperty(
        side,
        side,
        fc.integer({ min: 0, max: 9 }),
        fc.infiniteStream(fc.nat(255)),
        async (w, h, level, bytes) => {
          const rgb = Uint8Array.from({ length: w * h * 3 }, () => bytes.next().value);
          const png = await encodePng(rgb, w, h, { compressionLevel: level });
          const { width, height, rgb: back } = await decodePicture(png, 'p');
          expect({ width, height, back: [...back] }).toEqual({ width: w, height: h, back: [...rgb] });
          expect(await encodePng(rgb, w, h, { compressionLevel: level })).toEqual(png);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('refuses bytes that do not fit the size', () => {
    expect(() => encodePng(new Uint8Array(5), 1, 1)).toThrow(RangeError);
  });
});
