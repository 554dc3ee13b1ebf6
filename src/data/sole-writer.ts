/**
 * Keeps two processes from writing one file. Each leaves a note of its own name beside the file, FILE.lock-PID, and then
 * looks for others': of two that come at once at least one sees the other and gives way, so both never go on. The note of
 * a process that was killed means nothing, since no such process lives. Holds on one machine.
 */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../errors.ts';
import { writeError } from './atomic.ts';

/** Files that this process writes. */
const mine = new Set<string>();

/** Runs `write` as the only one who writes `file`, whose folder is there. Throws InputError where somebody else does. */
export async function asSoleWriter<T>(file: string, write: () => Promise<T>): Promise<T> {
  const target = resolve(file);
  if (mine.has(target)) throw new InputError(`${file}: is being written already`);
  mine.add(target);
  const note = `${target}.lock-${process.pid}`;
  try {
    await writeFile(note, '').catch((error) => {
      throw writeError(error, file);
    });
    for (const { path, pid } of await notesBeside(target)) {
      if (isAlive(pid))
        throw new InputError(
          `${file}: process ${pid} is writing it; wait for its end (if that is another program, remove ${path})`,
        );
      await rm(path, { force: true });
    }
    return await write();
  } finally {
    await rm(note, { force: true });
    mine.delete(target);
  }
}

/** Other processes' notes. */
async function notesBeside(target: string): Promise<{ path: string; pid: number }[]> {
  const start = `${basename(target)}.lock-`;
  return (await readdir(dirname(target)))
    .filter((name) => name.startsWith(start) && /^\d+$/.test(name.slice(start.length)))
    .map((name) => ({ path: join(dirname(target), name), pid: Number(name.slice(start.length)) }))
    .filter(({ pid }) => pid !== process.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
