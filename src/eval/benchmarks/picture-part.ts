/**
 * The picture of a published row. Parquet from the hub: `{bytes, path}`, or the bytes. VLMEvalKit's TSV: base64 in the column
 * `image` (image_base.py of open-compass/VLMEvalKit, commit e8e78f05), where a short text is the index of the row that holds
 * the picture; the loader replaces it. A row without `image` has a path in `image_path`.
 */
import { createHash } from 'node:crypto';
import { InputError } from '../../errors.ts';
import type { Part, Row } from './benchmark.ts';
import { isMissing } from './cells.ts';

type Picture = Extract<Part, { picture: unknown }>;

/** Throws InputError `SOURCE: image: …`. */
export function picturePart(row: Row, source: string): Picture {
  const { image } = row;
  if (image instanceof Uint8Array) return { picture: image };
  if (typeof image === 'string' && image !== '') return { picture: { base64: image } };
  const { bytes, path } = (typeof image === 'object' && image !== null ? image : {}) as Row;
  if (bytes instanceof Uint8Array) return { picture: bytes };
  const file = [path, row.image_path, row.imgname].find((value) => !isMissing(value));
  if (typeof file === 'string') return { picture: { path: file } };
  throw new InputError(`${source}: image: is missing; the published files hold a picture in every row`);
}

/** The name under which the published files know the picture, or else a hash of it. */
export function pictureName(row: Row, { picture }: Picture): string {
  const { image } = row;
  const named = (typeof image === 'object' && image !== null ? (image as Row).path : null) ?? row.imgname;
  if (typeof named === 'string' && named !== '') return named;
  const content =
    picture instanceof Uint8Array ? picture : 'base64' in picture ? picture.base64 : picture.path;
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
