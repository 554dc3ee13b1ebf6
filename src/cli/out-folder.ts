/** Where a command puts a folder of results: never over something that is there. */
import { readdirSync } from 'node:fs';

/** Whether something of somebody's stands there: a file, or a folder that is not empty. */
export function isUsed(path: string): boolean {
  try {
    return readdirSync(path).length > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** The path, or the first of PATH-2, PATH-3 … that is free. */
export function freeFolder(path: string): string {
  for (let i = 1; ; i++) {
    const dir = i === 1 ? path : `${path}-${i}`;
    if (!isUsed(dir)) return dir;
  }
}
