/**
 * The one way from a picture's address (picture-address.ts) to its encoded bytes. Whatever reads, shows or hashes a
 * picture goes through here, so that the limits hold everywhere.
 */
import { InputError } from '../../errors.ts';
import { parquetPicture } from '../parquet/picture.ts';
import { pictureAddress, shownAddress } from './address.ts';
import { fetchedPicture } from './cache.ts';
import { MAX_BYTES } from './header.ts';
import { readRegularFile, requireRegularFile } from './regular-file.ts';

/**
 * The encoded bytes. `roots`: folders of which one must hold the file, symbolic links followed; left out: anywhere, for
 * a picture that the user has named. Throws InputError naming the picture.
 */
export async function pictureBytes(address: string, roots?: readonly string[]): Promise<Buffer> {
  const at = pictureAddress(address);
  if (at.kind === 'file') return readRegularFile(at.file, { maxBytes: MAX_BYTES, roots });
  if (at.kind === 'url') return fetchedPicture(at.url);
  await requireRegularFile(at.file, roots);
  const bytes = await parquetPicture(at.file, at.row);
  if (bytes.length > MAX_BYTES)
    throw new InputError(
      `${shownAddress(address)}: ${bytes.length >> 20} MB; pictures may have ${MAX_BYTES >> 20} MB, make it smaller`,
    );
  return bytes;
}
