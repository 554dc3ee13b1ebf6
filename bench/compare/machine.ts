/** What a comparison ran on, and how fast that multiplies matrices. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cpu } from '../../src/engine/local/doctor/hardware.ts';
import type { Probe } from '../../src/engine/local/doctor/report.ts';
import { busySeconds } from '../timing.ts';

export interface Machine {
  model: string;
  cores: number;
  /** Vector extensions: avx2, avx512 … */
  features: string[];
  memory_gb: number;
  /** Load averages when the comparison began. */
  load: number[];
}

export function machine(): Machine {
  const { model, cores, features } = cpu();
  const load = os.loadavg().map((value) => Number(value.toFixed(2)));
  return { model, cores, features, memory_gb: Math.round(os.totalmem() / 1e9), load };
}

export function ownVersions(): Record<string, string> {
  const version = (file: string) =>
    JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).version as string;
  return {
    sophiavl: `${version('package.json')}${commit()}`,
    node: process.versions.node,
    'onnxruntime-node': version('node_modules/onnxruntime-node/package.json'),
  };
}

function commit(): string {
  try {
    const options = { cwd: fileURLToPath(new URL('.', import.meta.url)), encoding: 'utf8' as const };
    return ` (${execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], options).trim()})`;
  } catch {
    return '';
  }
}

/** Matrix products' GFLOP/s on the CPU, by the measurement of `sophia doctor`. */
export async function sgemmGflops(threads: number): Promise<number> {
  const script = fileURLToPath(new URL('../../src/engine/local/doctor/probe.ts', import.meta.url));
  const args = ['--import', 'tsx', script, 'cpu', String(threads)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const probe = JSON.parse(/^\{.*\}$/m.exec(stdout)![0]) as Probe;
  if (!probe.runs) throw new Error(`the CPU provider does not run: ${probe.why}`);
  return probe.gflops;
}

const LOOK_MS = 300;
const QUIET_CORES = 0.2;

/** Waits until next to nothing runs on this machine, but no longer than told. */
export async function quiet(limitS: number): Promise<void> {
  const until = performance.now() + 1000 * limitS;
  while (performance.now() < until) {
    const before = busySeconds();
    if (before === null) return;
    await sleep(LOOK_MS);
    if ((1000 * (busySeconds()! - before)) / LOOK_MS < QUIET_CORES) return;
  }
}
