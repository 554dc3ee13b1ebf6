/** The machine as the operating system describes it: processor features, memory, disk. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import type { Facts } from './report.ts';

/** Vector extensions that matter to matrix products, by the operating system's own name. */
const FEATURES: Record<string, string> = {
  avx: 'avx',
  avx2: 'avx2',
  fma: 'fma',
  avx_vnni: 'avx_vnni',
  avx512f: 'avx512',
  avx512_vnni: 'avx512_vnni',
  avx512_bf16: 'avx512_bf16',
  amx_tile: 'amx',
  amx_bf16: 'amx_bf16',
  neon: 'neon',
  asimd: 'neon',
  asimddp: 'dotprod',
  i8mm: 'i8mm',
  bf16: 'bf16',
  sve: 'sve',
  sve2: 'sve2',
  // macOS on Intel
  'avx1.0': 'avx',
};

export function cpu(): Facts['cpu'] {
  const cpus = os.cpus();
  const known = flags().flatMap((flag) => FEATURES[flag.toLowerCase()] ?? []);
  return {
    model: cpus[0]?.model.trim() || 'unknown',
    cores: cpus.length,
    features: [...new Set(known)],
  };
}

/** Windows does not tell: an empty list. */
function flags(): string[] {
  if (os.platform() === 'linux') {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
    return line?.[1].trim().split(/\s+/) ?? [];
  }
  if (os.platform() === 'darwin') {
    if (os.arch() === 'arm64') return ['neon'];
    const names = ['machdep.cpu.features', 'machdep.cpu.leaf7_features'];
    return execFileSync('sysctl', ['-n', ...names], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
  }
  return [];
}

/** Bytes; a container's limit counts as its total. */
export function memory(): Facts['memory'] {
  const limit = process.constrainedMemory() ?? 0;
  const total = limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
  return { total, available: Math.min(total, process.availableMemory?.() ?? os.freemem()) };
}

export async function disk(folder: string): Promise<Facts['disk']> {
  const { bavail, bsize } = await statfs(folder);
  return { folder, free: bavail * bsize, writable: isWritable(folder) };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
