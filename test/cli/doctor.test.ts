/** `sophia doctor` through the built binary, on whatever machine the tests run. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/engine/local/doctor/report.ts';

const binary = fileURLToPath(new URL('../../bin/sophia.js', import.meta.url));

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function doctor(args: string[], environment: NodeJS.ProcessEnv = {}, cwd = os.tmpdir()): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...environment } };
    const child = execFile(process.execPath, [binary, 'doctor', ...args], options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe('sophia doctor --json', () => {
  let ended: Ended;
  let report: Report;
  beforeAll(async () => {
    ended = await doctor(['--json']);
    report = JSON.parse(ended.stdout);
  });

  it('prints one JSON document and nothing on standard error, and ends with 0 where training can run', () => {
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(report.ready).toBe(true);
  });

  it("tells this machine's Node, system, processor and cores", () => {
    expect(report.node).toEqual({ version: process.versions.node, ok: true });
    expect(report.platform).toMatchObject({ os: os.platform(), arch: os.arch() });
    expect(report.cpu.cores).toBe(os.cpus().length);
    expect(report.threads).toBe(os.availableParallelism());
  });

  it.runIf(os.platform() === 'linux' && os.arch() === 'x64')(
    'names avx2 only where the kernel does',
    async () => {
      const known = / avx2 /.test(await readFile('/proc/cpuinfo', 'utf8'));
      expect(report.cpu.features.includes('avx2')).toBe(known);
    },
  );

  it('measures matrix products that the CPU provider really computed', () => {
    expect(report.providers.cpu.runs).toBe(true);
    for (const gflops of Object.values(report.sgemm_gflops)) {
      // A slow single-board computer reaches 1, no CPU of today 100,000.
      expect(gflops).toBeGreaterThan(0.5);
      expect(gflops).toBeLessThan(1e5);
    }
  });

  it('says of every provider that it runs, or why it does not and how to get it', () => {
    for (const [name, probe] of Object.entries(report.providers)) {
      if (probe.runs) continue;
      expect(probe.why).toMatch(/\S/);
      const finding = report.findings.find(({ what }) => what === name);
      expect(finding).toMatchObject({ needed: false, why: probe.why, remedy: expect.stringMatching(/\S/) });
    }
  });

  it('tells memory and the disk of the working folder', async () => {
    expect(report.memory.total).toBeLessThanOrEqual(os.totalmem());
    expect(report.memory.available).toBeGreaterThan(0);
    expect(report.memory.available).toBeLessThanOrEqual(report.memory.total);
    expect(report.disk).toMatchObject({ folder: await realpath(os.tmpdir()), writable: true });
    expect(report.disk.free).toBeGreaterThan(0);
  });
});

it('sophia doctor finds the browser that CHROME_PATH names, and prints a page for people', async () => {
  const folder = await mkdtemp(join(os.tmpdir(), 'doctor-'));
  try {
    const browser = join(folder, 'my-chromium');
    await writeFile(browser, '');
    const { code, stdout, stderr } = await doctor([], { CHROME_PATH: browser }, folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^browser +${browser}$`, 'm'));
    expect(stdout).toMatch(/^sgemm +[\d.]+ GFLOP\/s with 1 thread, [\d.]+ GFLOP\/s with all$/m);
    expect(stdout).toMatch(/^This machine can run sophia train\.$/m);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it.runIf(os.platform() === 'linux')(
  'sophia doctor ends with 1 and one line where training cannot run',
  async () => {
    // /proc takes no files.
    const { code, stdout, stderr } = await doctor(['--json'], {}, '/proc');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sophia train cannot run here yet, it lacks: disk\n$/);
    expect(JSON.parse(stdout)).toMatchObject({ ready: false, disk: { folder: '/proc', free: 0 } });
  },
);
