/**
 * One file of a repository into the cache: what came of an interrupted download is kept and gone on from by byte range,
 * and a file is put in its place only once its size and its hash are those that the repository lists.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { RunError } from '../../errors.ts';
import { syncFolder, writeAll, writeError } from '../atomic.ts';
import { Failed } from '../servers/http-failure.ts';
import { asSoleWriter } from '../sole-writer.ts';
import { type HubClient, SILENCE_MS } from './client.ts';

export interface HubFile {
  path: string;
  size: number;
  /** SHA-256 of a large file, or git's SHA-1 of a small one. */
  hash: string;
}

export const sizeOf = (file: string): Promise<number | null> =>
  stat(file).then(
    (info) => (info.isFile() ? info.size : null),
    () => null,
  );

/** Brings `file` to `target`, through the blob of its hash. Throws RunError, InputError. */
export async function download(
  client: HubClient,
  url: string,
  file: HubFile,
  blobs: string,
  target: string,
  source: string,
): Promise<void> {
  const blob = join(blobs, file.hash);
  try {
    await mkdir(blobs, { recursive: true });
    await mkdir(dirname(target), { recursive: true });
    if ((await sizeOf(blob)) !== file.size)
      await asSoleWriter(blob, () => fetchBlob(client, url, file, blob, source));
    await rm(target, { force: true });
    // some file systems have no links
    await symlink(relative(dirname(target), blob), target).catch(() => copyFile(blob, target));
  } catch (error) {
    throw writeError(error, target);
  }
}

async function fetchBlob(
  client: HubClient,
  url: string,
  file: HubFile,
  blob: string,
  source: string,
): Promise<void> {
  const part = `${blob}.incomplete`;
  // a second time from nothing: what was kept may have been damaged
  for (let time = 0; time < 2; time++) {
    await client.retried(source, () => fetchRest(client, url, file, part));
    if ((await hashOf(part, file)) === file.hash) {
      await rename(part, blob);
      return syncFolder(dirname(blob));
    }
    await rm(part, { force: true });
  }
  throw new RunError(`${source}: what the hub sends is not the file that it lists (another hash); try later`);
}

/** Goes on where the last attempt stopped. Throws Failed, or what the connection throws. */
async function fetchRest(client: HubClient, url: string, { size }: HubFile, part: string): Promise<void> {
  let have = (await sizeOf(part)) ?? 0;
  if (have > size) {
    await rm(part, { force: true });
    have = 0;
  }
  if (have === size && size > 0) return;
  const silence = new AbortController();
  const stop = () => silence.abort(new Failed(`nothing came for ${SILENCE_MS / 1000} s`, true));
  let timer = setTimeout(stop, SILENCE_MS);
  const handle = await open(part, 'a+');
  try {
    const headers = { 'accept-encoding': 'identity', ...(have > 0 ? { range: `bytes=${have}-` } : {}) };
    const response = await client.fetch(url, { headers, signal: silence.signal });
    if (response.status === 416) {
      await handle.truncate(0);
      throw new Failed('the server refused to go on where the download had stopped', true);
    }
    if (!response.ok) throw await client.refused(response);
    const start = response.status === 206 ? startOf(response.headers.get('content-range')) : 0;
    if (start !== have && start !== 0) throw new Failed('the server sent another part of the file', true);
    if (start !== have) await handle.truncate(0);
    let at = start;
    for await (const chunk of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
      at += chunk.length;
      if (at > size) throw new Failed('the server sent more than the file holds', false);
      await writeAll(handle, chunk);
    }
    if (at < size) throw new Failed('the connection was dropped', true);
    await handle.sync();
  } finally {
    clearTimeout(timer);
    await handle.close();
  }
}

function startOf(range: string | null): number {
  const [, start] = /^bytes (\d+)-/.exec(range ?? '') ?? [];
  return start === undefined ? -1 : Number(start);
}

async function hashOf(part: string, { size, hash }: HubFile): Promise<string> {
  const git = hash.length === 40;
  const digest: Hash = createHash(git ? 'sha1' : 'sha256');
  if (git) digest.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(part, { highWaterMark: 1 << 20 })) digest.update(chunk);
  return digest.digest('hex');
}
