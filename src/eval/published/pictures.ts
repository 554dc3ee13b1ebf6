/** Pictures of published rows as encoded bytes: embedded, as base64, or a file below the data folder. */
import { join } from 'node:path';
import { shortened } from '../../data/one-line.ts';
import { MAX_BYTES } from '../../data/pictures/header.ts';
import { readRegularFile } from '../../data/pictures/regular-file.ts';
import { InputError } from '../../errors.ts';
import type { Part } from '../benchmarks/benchmark.ts';

type Published = Extract<Part, { picture: unknown }>['picture'];

export interface PictureFolders {
  /** Of the published files: paths are relative to it. */
  folder: string;
  /** Folders in which pictures may lie beside it. */
  roots: readonly string[];
}

/** Throws InputError `SOURCE: …`: no base64, no such file, one that lies outside the folders. */
export async function encodedPicture(
  picture: Published,
  { folder, roots }: PictureFolders,
  source: string,
): Promise<Uint8Array> {
  if (picture instanceof Uint8Array) return picture;
  return 'base64' in picture
    ? fromBase64(picture.base64, source)
    : fileBelow(join(folder, picture.path), [folder, ...roots], source);
}

/** base64 takes 4 characters for 3 bytes. */
const MOST_CHARACTERS = Math.ceil(MAX_BYTES / 3) * 4;

function fromBase64(text: string, source: string): Uint8Array {
  const digits = text.replace(/^data:image\/[\w.+-]+;base64,/, '').replace(/\s+/g, '');
  if (digits.length > MOST_CHARACTERS)
    throw new InputError(`${source}: the picture has more than ${MAX_BYTES >> 20} MB`);
  if (digits === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits))
    throw new InputError(
      `${source}: the picture is not base64 (${shortened(digits, 40) || 'an empty cell'}); is the file cut off?`,
    );
  return Buffer.from(digits, 'base64');
}

/** Symbolic links are followed before it is looked where a file lies. */
async function fileBelow(file: string, roots: readonly string[], source: string): Promise<Uint8Array> {
  try {
    return await readRegularFile(file, { maxBytes: MAX_BYTES, roots });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${source}: ${error.message}`, { cause: error });
  }
}
