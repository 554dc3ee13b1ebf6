/** Pictures of every kind against Pillow; pictures that are none, or made to do harm; damaged ones. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { pictureUrl } from '../../src/data/pictures/data-url.ts';
import { pictureHeader } from '../../src/data/pictures/header.ts';
import { decodePicture, readPicture } from '../../src/data/pictures/images.ts';
import { InputError } from '../../src/errors.ts';
import { mutatedPictures } from './mutated-pictures.ts';

const fixtures = join(import.meta.dirname, '../fixtures/pictures');
const golden: Record<string, [width: number, height: number, rgb: string]> = JSON.parse(
  readFileSync(join(fixtures, 'golden.json'), 'utf8'),
);
const refusal = (bytes: Buffer) => decodePicture(bytes, 'p').catch((error) => error);

describe('a picture', () => {
  it.each(Object.keys(golden))('%s looks as Pillow shows it to transformers, to the byte', async (name) => {
    const [width, height, rgb] = golden[name];
    const picture = await readPicture(join(fixtures, name));
    expect([picture.width, picture.height]).toEqual([width, height]);
    expect(Buffer.from(picture.rgb).equals(Buffer.from(rgb, 'base64'))).toBe(true);
  });

  it.each(['animated.gif', 'animated.webp', 'animated.png', 'turned-6.jpg', 'cmyk.tif'])(
    '%s is shown to a server as it is shown to a model: as a PNG of what is decoded',
    async (name) => {
      const url = await pictureUrl(join(fixtures, name));
      const [type, data] = url.split(',');
      expect(type).toBe('data:image/png;base64');
      const shown = await decodePicture(Buffer.from(data, 'base64'), 'shown');
      expect(shown).toEqual(await readPicture(join(fixtures, name)));
    },
  );

  it.each([
    ['animated.gif', 'gif', 3],
    ['animated.webp', 'webp', 3],
    ['animated.png', 'png', 3],
    ['pages.tif', 'tiff', 3],
    ['jpeg-by-name.jpg', 'png', 1],
    ['png-by-name.png', 'jpeg', 1],
  ])('%s is %s by its content, with %d frames', (name, format, frames) => {
    expect(pictureHeader(readFileSync(join(fixtures, name)), name)).toMatchObject({ format, frames });
  });
});

describe('what is no picture is refused by its content with one line:', () => {
  it.each([
    [
      'a text',
      Buffer.from('a cat on a mat'),
      /^p: cannot decode the picture: by its content it is none \(PNG, JPEG, /,
    ],
    ['an SVG', Buffer.from('\ufeff<?xml version="1.0"?>\n<svg width="9" height="9"/>'), /format SVG are not/],
    ['an SVG in gzip', Buffer.from([0x1f, 0x8b, 8, 0]), /format gzip are not read/],
    ['a web page', Buffer.from('<!DOCTYPE html><title>404</title>'), /format HTML are not read/],
    ['a PDF', Buffer.from('%PDF-1.7'), /format PDF are not read/],
    ['a BMP', Buffer.from('BM\x36\0\0\0'), /format BMP are not read; convert it to PNG or JPEG$/],
    ['a HEIC', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), /format HEIC are not read/],
    ['a JPEG XL', Buffer.from('\xff\x0a\0\0', 'latin1'), /format JPEG XL are not read/],
    ['a BigTIFF', Buffer.from('II\x2b\0\x08\0\0\0', 'latin1'), /format BigTIFF are not read/],
  ])('%s', async (_, bytes, message) => {
    const error = await refusal(bytes);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  });
});

describe.runIf(process.platform === 'linux')('a picture that is made to do harm', () => {
  it('is refused, or read without being unpacked, in little time and memory (a process of its own)', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      join(import.meta.dirname, 'read-bombs.ts'),
    ]);
    const said: Record<string, { said: string; readable: boolean; ms: number; grownMb: number }> =
      JSON.parse(stdout);
    expect(Object.keys(said).length).toBeGreaterThan(20);
    for (const [name, bomb] of Object.entries(said)) {
      expect(bomb.said, name).toMatch(bomb.readable ? /^4×4$/ : /^InputError: p: [^\n]+$/);
      expect(bomb.grownMb, name).toBeLessThan(64);
      expect(bomb.ms, name).toBeLessThan(10_000);
    }
  }, 120_000);
});

describe('a damaged picture', () => {
  it('is read, or refused with one line, whatever was changed in it', async () => {
    const ends = { read: 0, refused: 0 };
    for (const { bytes, what } of mutatedPictures(fixtures, 8, 1)) {
      const error = await decodePicture(bytes, 'p').then(
        () => null,
        (caught) => caught,
      );
      ends[error === null ? 'read' : 'refused'] += 1;
      if (error === null) continue;
      expect(error, what).toBeInstanceOf(InputError);
      expect(error.message, what).toMatch(/^p: [^\n]+$/);
    }
    expect(Math.min(ends.read, ends.refused)).toBeGreaterThan(20);
  });
});
