/**
 * Files and folders that are written whole or not at all: a temporary sibling is filled, synced to disk and renamed
 * into place (rename within a folder is atomic on POSIX file systems). A process killed half-way leaves only such a
 * sibling, which the next write of the same target removes.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { threadId } from 'node:worker_threads';
import { RunError } from '../errors.ts';

const reasons: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space and run again',
  EDQUOT: 'your disk quota is used up; free some space and run again',
  EFBIG: 'the file would be larger than this system allows; raise the limit (ulimit -f) and run again',
  EACCES: 'permission denied; choose a folder you may write to',
  EPERM: 'not permitted; choose a folder you may write to',
  EROFS: 'the file system is read-only; choose another folder',
  ENOTDIR: 'a part of this path is a file, not a folder; choose another path',
  EEXIST: 'a part of this path is a file, not a folder; choose another path',
  EISDIR: 'there is a folder of this name; choose another path',
  ENAMETOOLONG: 'the name is too long; choose a shorter one',
  EMFILE: 'too many open files; raise the limit (ulimit -n) and run again',
  ENFILE: 'too many open files on this machine; close some programs and run again',
  EIO: 'the disk reports an error',
};

/**
 * A failed write as one RunError line that names the target, also where somebody has said it of a temporary file
 * already; anything that the system has no part in comes back as it is.
 */
export function writeError(error: unknown, target: string): unknown {
  const system = error instanceof RunError ? error.cause : error;
  const { code, syscall } = (system ?? {}) as NodeJS.ErrnoException;
  if (!(system instanceof Error) || code === undefined || syscall === undefined) return error;
  return new RunError(`${target}: cannot write: ${reasons[code] ?? system.message}`, { cause: system });
}

/** Writes `file` whole or not at all; makes its folder. Throws RunError (disk full, not allowed …). */
export async function writeFileWhole(
  file: string,
  data: string | Uint8Array | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): Promise<void> {
  const target = resolve(file);
  const temporary = temporaryName(target, 'tmp');
  try {
    await mkdir(dirname(target), { recursive: true });
    await removeStale(target);
    const handle = await open(temporary, 'wx');
    try {
      const chunks = typeof data === 'string' || data instanceof Uint8Array ? [data] : data;
      for await (const chunk of chunks) await writeAll(handle, chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw writeError(error, file);
  } finally {
    mine.delete(temporary);
  }
}

/**
 * Fills a temporary folder and moves it to `dir`, replacing what stood there. If `fill` throws, `dir` is as before
 * and nothing is left behind. Throws RunError for system errors, whatever else `fill` throws unchanged.
 */
export async function writeFolder(dir: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(dir);
  const temporary = temporaryName(target, 'tmp');
  const previous = temporaryName(target, 'old');
  try {
    await mkdir(dirname(target), { recursive: true });
    await restoreFolder(target);
    await removeStale(target);
    await mkdir(temporary);
    await fill(temporary);
    await syncTree(temporary);
    // Two renames, since a folder cannot be renamed over a full one: restoreFolder mends a kill between them.
    const replaced = await exists(target);
    if (replaced) await rename(target, previous);
    try {
      await rename(temporary, target);
    } catch (error) {
      if (replaced) await rename(previous, target);
      throw error;
    }
    await syncFolder(dirname(target));
    if (replaced) await rm(previous, { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw writeError(error, dir);
  } finally {
    mine.delete(temporary);
    mine.delete(previous);
  }
}

/** Puts back the previous version of a folder whose replacement was killed between its two renames. */
export async function restoreFolder(dir: string): Promise<void> {
  const target = resolve(dir);
  if (await exists(target)) return;
  for (const { path, kind, owned } of await siblings(target))
    if (kind === 'old' && !owned) return rename(path, target);
}

/** True for names of temporary siblings (to be skipped when a folder is listed). */
export function isTemporary(name: string): boolean {
  return namePattern.test(name);
}

/** The target a temporary sibling's name stands for, or null. */
export function temporaryTarget(name: string): string | null {
  return namePattern.exec(name)?.groups?.target ?? null;
}

const namePattern = /^\.(?<target>.+)\.(?<kind>tmp|old)-(?<pid>\d+)-(?<thread>\d+)-[0-9a-f]{8}$/;
const mine = new Set<string>();
const dayMs = 24 * 3600 * 1000;

function temporaryName(target: string, kind: 'tmp' | 'old'): string {
  const name = `.${basename(target)}.${kind}-${process.pid}-${threadId}-${randomBytes(4).toString('hex')}`;
  const path = join(dirname(target), name);
  mine.add(path);
  return path;
}

async function siblings(target: string): Promise<{ path: string; kind: string; owned: boolean }[]> {
  const folder = dirname(target);
  const found = [];
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    const groups = namePattern.exec(name)?.groups;
    if (groups === undefined || groups.target !== basename(target)) continue;
    const path = join(folder, name);
    found.push({
      path,
      kind: groups.kind,
      owned: await isOwned(path, Number(groups.pid), Number(groups.thread)),
    });
  }
  return found;
}

/** Whether somebody alive may still be writing this. Process ids are reused, hence the limit of a day. */
async function isOwned(path: string, pid: number, thread: number): Promise<boolean> {
  if (mine.has(path)) return true;
  if (pid === process.pid) return thread !== threadId;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const info = await lstat(path).catch(() => null);
  return info !== null && Date.now() - info.mtimeMs < dayMs;
}

async function removeStale(target: string): Promise<void> {
  for (const { path, owned } of await siblings(target))
    if (!owned) await rm(path, { recursive: true, force: true });
}

/** Writes all of a chunk, from a position of the file or where it stands. */
export async function writeAll(
  handle: FileHandle,
  chunk: string | Uint8Array,
  position?: number,
): Promise<void> {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  for (let at = 0; at < bytes.length; ) {
    // Linux writes at most 2 GiB a call, and a nearly full disk may take only a part.
    const length = Math.min(bytes.length - at, 1 << 26);
    const to = position === undefined ? null : position + at;
    const { bytesWritten } = await handle.write(bytes, at, length, to);
    at += bytesWritten;
  }
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) {
      const handle = await open(path, 'r+');
      await handle.sync().finally(() => handle.close());
    }
  }
  await syncFolder(folder);
}

/** Puts renames within a folder on disk. */
export async function syncFolder(folder: string): Promise<void> {
  // Some file systems cannot sync folders; the rename itself is still atomic there.
  const handle = await open(folder, 'r').catch(() => null);
  await handle
    ?.sync()
    .catch(() => {})
    .finally(() => handle.close());
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
