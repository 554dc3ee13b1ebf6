/**
 * What a record may name as its picture. A data set may come from strangers, and its pictures may be shown to a server:
 * a record therefore reaches only files below the folder of its own file, unless the user names a folder more, and URLs
 * only where the user says so. Nothing that stands in a data set can widen this.
 */
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { InputError } from '../../errors.ts';
import { absoluteAddress, isPictureUrl, pictureAddress, shownAddress } from './address.ts';

export interface PictureAccess {
  /** Folders in which pictures may lie, beside the one of the record's file; null: anywhere. */
  roots: readonly string[] | null;
  /** Whether pictures may be fetched from http(s) URLs. */
  urls: boolean;
}

/** What holds where nobody says otherwise. */
export const OWN_FOLDER: PictureAccess = { roots: [], urls: false };

/** Where pictures are passed on by their names and not looked at. */
export const NOT_LOOKED_AT: PictureAccess = { roots: null, urls: true };

/** Longer paths are no paths of any file system. */
const LONGEST = 4096;

/** The address of a record's picture. What lies there is looked at when it is read. Throws InputError, without a source. */
export function addressOfPath(path: string, file: string, { urls }: PictureAccess): string {
  const shown = shownAddress(path);
  if (path.length > LONGEST) throw new InputError(`${shown}: is ${path.length} characters long; no path is`);
  if (path.includes('\0'))
    throw new InputError(`${JSON.stringify(shown)}: holds a NUL character; no path does`);
  if (isPictureUrl(path)) {
    if (!urls)
      throw new InputError(
        `${shown}: is a URL; pictures are fetched only where the recipe says data.urls: true, or the command --urls`,
      );
    return path;
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(path))
    throw new InputError(
      `${shown}: addresses of the kind ${path.slice(0, path.indexOf(':') + 1)} are not read; give a path, relative to the records`,
    );
  if (sep === '/' && path.includes('\\'))
    throw new InputError(`${shown}: holds a backslash; write folders with /`);
  return absoluteAddress(dirname(file), path);
}

/**
 * Folders that pictures of the records in `file` may lie in. What a run writes about its own questions (RUN/trm/*.jsonl)
 * has their pictures in RUN/data. Undefined: anywhere.
 */
export function rootsOf(file: string, { roots }: PictureAccess): string[] | undefined {
  if (roots === null) return undefined;
  const folder = dirname(resolve(file));
  const data = join(dirname(folder), 'data');
  // a run's is a folder; a link may come with a set from strangers, and lead anywhere
  const ofRun = basename(folder) === 'trm' && !isLink(data) ? [data] : [];
  // the file itself, which in a cache of repositories is a link to elsewhere: pictures may be embedded in it
  return [folder, resolve(file), ...ofRun, ...roots.map((root) => resolve(root))];
}

/** Throws InputError where a file, all symbolic links followed, lies in none of the folders. */
export async function requireInside(file: string, roots: readonly string[]): Promise<{ real: string }> {
  const real = await realpath(file);
  for (const root of roots) if (isInside(real, await realpath(root).catch(() => null))) return { real };
  throw outside(file, real, roots);
}

/** Looks at many pictures of few folders, before any of them is read: whether they are there and may be used. */
export function pictureLooker(roots: readonly string[] | undefined): (address: string) => void {
  const reals = roots?.map(realOrNull);
  const folders = new Map<string, string | null>();
  const realOf = (file: string): string | null => {
    if (lstatSync(file).isSymbolicLink()) return realOrNull(file);
    const folder = dirname(file);
    let real = folders.get(folder);
    if (real === undefined) {
      real = realOrNull(folder);
      folders.set(folder, real);
    }
    return real && join(real, basename(file));
  };
  const known = new Set<string>();
  return (address) => {
    const at = pictureAddress(address);
    if (at.kind === 'url' || known.has(at.file)) return;
    const info = statOrNull(at.file);
    if (info === null) throw new InputError(`no such picture: ${shownAddress(at.file)}`);
    if (!info.isFile()) throw new InputError(`not a file: ${shownAddress(at.file)}`);
    if (roots === undefined || reals === undefined) return;
    const real = realOf(at.file);
    if (real === null || !reals.some((root) => isInside(real, root)))
      throw outside(at.file, real ?? at.file, roots);
    // of many rows
    if (at.kind === 'parquet') known.add(at.file);
  };
}

function statOrNull(file: string): Stats | null {
  try {
    return statSync(file);
  } catch {
    // not there, a name that is too long, a folder that may not be read
    return null;
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function realOrNull(path: string): string | null {
  try {
    return realpathSync.native(path);
  } catch {
    return null;
  }
}

function isInside(real: string, root: string | null): boolean {
  if (root === null) return false;
  const way = relative(root, real);
  return way !== '..' && !way.startsWith(`..${sep}`) && resolve(root, way) === real;
}

function outside(file: string, real: string, roots: readonly string[]): InputError {
  const led = resolve(file) === real ? '' : ` (leads to ${shownAddress(real)})`;
  return new InputError(
    `${shownAddress(file)}${led}: lies outside of ${shownAddress(roots[0])}, where these records' pictures must be; allow another folder with data.root in the recipe, or with --root`,
  );
}
