/** `sophia doctor`: what this machine is, what really runs on it, what is missing for training here. */
import { execFile } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { findChromium } from './browser.ts';
import { cpu, disk, memory } from './hardware.ts';
import { diagnose, type Probe, type Provider, type Report } from './report.ts';

/** A provider that has not answered by then counts as not running. */
const PROBE_LIMIT_MS = 60_000;

/** Examines this machine for training in `folder`. Takes some seconds: it tries each provider and measures it. */
export async function examine(folder: string): Promise<Report> {
  const threads = os.availableParallelism();
  // One after the other: they measure.
  const one = await tryProvider('cpu', 1);
  const all = threads > 1 ? await tryProvider('cpu', threads) : one;
  const webgpu = await tryProvider('webgpu', threads);
  const cuda = await tryProvider('cuda', threads);
  return diagnose({
    node: { version: process.versions.node, ok: isRecent(process.versions.node) },
    platform: { os: os.platform(), release: os.release(), arch: os.arch() },
    cpu: cpu(),
    threads,
    sgemm_gflops: { one_thread: one.runs ? one.gflops : null, all_threads: all.runs ? all.gflops : null },
    providers: { cpu: all, webgpu, cuda },
    memory: memory(),
    disk: await disk(folder),
    pictures: await picturesFail(),
    browser: findChromium(),
  });
}

/** What package.json's `engines` asks for: Node 20.19 or newer. */
export function isRecent(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  return major > 20 || (major === 20 && minor >= 19);
}

/** Runs a small graph on a provider in a process of its own, so that one that crashes or hangs does no harm. */
export function tryProvider(provider: Provider, threads: number): Promise<Probe> {
  const script = fileURLToPath(new URL('./probe.js', import.meta.url));
  return new Promise((resolve) => {
    const options = { timeout: PROBE_LIMIT_MS, killSignal: 'SIGKILL' as const };
    execFile(process.execPath, [script, provider, String(threads)], options, (error, stdout) => {
      const answer = /^\{.*\}$/m.exec(stdout);
      if (answer) resolve(JSON.parse(answer[0]));
      else if (error?.killed) resolve({ runs: false, why: `no answer in ${PROBE_LIMIT_MS / 1000} s` });
      else
        resolve({
          runs: false,
          why: `it ended the process (${error?.signal ?? `exit code ${error?.code}`})`,
        });
    });
  });
}

/** Writes and reads a PNG of one pixel; null if that works, else why not. */
async function picturesFail(): Promise<string | null> {
  try {
    const { default: sharp } = await import('sharp');
    const rgb = [200, 100, 50];
    const raw = { width: 1, height: 1, channels: 3 } as const;
    const png = await sharp(Uint8Array.from(rgb), { raw }).png().toBuffer();
    const back = await sharp(png).raw().toBuffer();
    return rgb.every((value, i) => back[i] === value) ? null : 'a PNG was read back with other colours';
  } catch (error) {
    return (error as Error).message.trim().split('\n')[0];
  }
}
