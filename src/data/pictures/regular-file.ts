/**
 * A file read whole by its path, where the path is a stranger's: only a regular file of bounded size, and only one that
 * lies where it may. All is asked of the handle that is read from, so that nothing can be put in the file's place meanwhile.
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { InputError } from '../../errors.ts';
import { readError } from '../jsonl.ts';
import { requireInside } from './access.ts';
import { shownAddress } from './address.ts';

export interface RegularFile {
  maxBytes: number;
  /** Folders of which one must hold it, symbolic links followed; left out: anywhere. */
  roots?: readonly string[];
}

/** Opening a pipe does not wait for somebody who writes. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Throws InputError naming the file. */
export async function readRegularFile(file: string, { maxBytes, roots }: RegularFile): Promise<Buffer> {
  const shown = shownAddress(file);
  try {
    // opening alone makes some devices do things
    requireRegular(shown, await stat(file));
    const handle = await open(file, FLAGS);
    try {
      const info = await handle.stat({ bigint: true });
      requireRegular(shown, info);
      if (roots !== undefined) {
        const { real } = await requireInside(file, roots);
        const there = await stat(real, { bigint: true });
        if (there.dev !== info.dev || there.ino !== info.ino)
          throw new InputError(`${shown}: was replaced while it was being read`);
      }
      if (info.size > maxBytes)
        throw new InputError(
          `${shown}: ${info.size >> 20n} MB; pictures may have ${maxBytes >> 20} MB, make it smaller`,
        );
      return await readAll(handle, Number(info.size));
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw pathError(error, shown) ?? readError(error, shown);
  }
}

/** Throws InputError naming the file where `readRegularFile` would, whatever its size; for who opens it by himself. */
export async function requireRegularFile(file: string, roots?: readonly string[]): Promise<void> {
  const shown = shownAddress(file);
  try {
    requireRegular(shown, await stat(file));
    if (roots !== undefined) await requireInside(file, roots);
  } catch (error) {
    throw pathError(error, shown) ?? readError(error, shown);
  }
}

function requireRegular(shown: string, info: { isFile(): boolean; isDirectory(): boolean }): void {
  if (info.isDirectory()) throw new InputError(`${shown}: is a folder, not a picture`);
  if (!info.isFile())
    throw new InputError(`${shown}: is no regular file (a pipe or a device), not a picture`);
}

async function readAll(handle: import('node:fs/promises').FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await handle.read(bytes, at, size - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** What is wrong with the path itself. */
function pathError(error: unknown, shown: string): InputError | null {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENAMETOOLONG: 'the name is too long',
    ELOOP: 'symbolic links lead in a circle',
    ERR_INVALID_ARG_VALUE: 'no path can have this name',
  };
  const reason = code === undefined ? undefined : reasons[code];
  return reason === undefined ? null : new InputError(`${shown}: cannot read: ${reason}`);
}
