/** Tells a checkpoint from what is trained into the same folder later. */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Names, sizes and times of the folders' weights and settings, as a hash. */
export function fingerprint(folders: readonly (string | undefined)[]): string {
  const hash = createHash('sha256');
  for (const folder of folders) {
    if (folder === undefined) continue;
    for (const name of readdirSync(folder).sort()) {
      const { size, mtimeMs } = statSync(join(folder, name));
      if (/\.(safetensors|json|jinja)$/.test(name)) hash.update(`${name} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}
