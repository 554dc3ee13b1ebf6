/**
 * Where a picture is, as one string: the path of a file, `FILE.parquet#N` for the picture embedded in row N (0-based) of
 * a Parquet file, or an http(s) URL. Everything that reads, writes or names pictures takes addresses apart here.
 */
import { basename, relative, resolve } from 'node:path';
import { shortened } from '../one-line.ts';
import { withoutSecrets } from '../servers/server-name.ts';

export type PictureAddress =
  | { kind: 'file'; file: string }
  | { kind: 'parquet'; file: string; row: number }
  | { kind: 'url'; url: string };

export function pictureAddress(address: string): PictureAddress {
  if (isPictureUrl(address)) return { kind: 'url', url: address };
  const [, file, row] = /^(.+\.parquet)#(\d{1,15})$/is.exec(address) ?? [];
  return file === undefined ? { kind: 'file', file: address } : { kind: 'parquet', file, row: Number(row) };
}

export function isPictureUrl(address: string): boolean {
  return /^https?:/i.test(address);
}

/** An address as a record of `folder` gives it, made absolute. */
export function absoluteAddress(folder: string, path: string): string {
  return isPictureUrl(path) ? path : resolve(folder, path);
}

/** An absolute address as a record of `folder` gives it. */
export function relativeAddress(folder: string, address: string): string {
  return isPictureUrl(address) ? address : relative(folder, address);
}

/** What stays of an address where the folder does not count. */
export function addressName(address: string): string {
  return isPictureUrl(address) ? address : basename(address);
}

/** An address in a message: on one line, not too long, without what may be a secret in a URL. */
export function shownAddress(address: string): string {
  return shortened(isPictureUrl(address) ? withoutSecrets(address) : address, 400);
}
