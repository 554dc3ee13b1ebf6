/** What `sophia doctor` concludes from what it found. */
import { describe, expect, it } from 'vitest';
import { isRecent } from '../../src/engine/local/doctor/examine.ts';
import { diagnose, type Facts } from '../../src/engine/local/doctor/report.ts';

const runs = { runs: true, gflops: 100 } as const;
const fails = { runs: false, why: 'no device' } as const;

/** A machine that has everything. */
const complete: Facts = {
  node: { version: '22.12.0', ok: true },
  platform: { os: 'linux', release: '6.1', arch: 'x64' },
  cpu: { model: 'a processor', cores: 4, features: ['avx2'] },
  threads: 4,
  sgemm_gflops: { one_thread: 50, all_threads: 180 },
  providers: { cpu: runs, webgpu: runs, cuda: runs },
  memory: { total: 16e9, available: 12e9 },
  disk: { folder: '/home/reader', free: 50e9, writable: true },
  pictures: null,
  browser: '/usr/bin/chromium',
};

describe('a machine is ready exactly when nothing needed is missing', () => {
  it('finds nothing on a machine that has everything', () => {
    expect(diagnose(complete)).toEqual({ ready: true, ...complete, findings: [] });
  });

  it.each<[what: string, facts: Partial<Facts>]>([
    ['Node', { node: { version: '18.20.0', ok: false } }],
    ['cpu', { providers: { ...complete.providers, cpu: fails } }],
    ['memory', { memory: { total: 2e9, available: 1e9 } }],
    ['disk', { disk: { ...complete.disk, writable: false } }],
    ['disk', { disk: { ...complete.disk, free: 1e8 } }],
    ['pictures', { pictures: 'Could not load the "sharp" module' }],
  ])('is not ready without %s, and says how to get it', (what, facts) => {
    const report = diagnose({ ...complete, ...facts });
    expect(report.ready).toBe(false);
    expect(report.findings).toEqual([
      {
        what,
        needed: true,
        why: expect.stringMatching(/\S/),
        remedy: expect.stringMatching(/^[A-Z].*[^.]$/),
      },
    ]);
  });

  it.each<[what: string, facts: Partial<Facts>]>([
    ['memory', { memory: { total: 16e9, available: 1e9 } }],
    ['webgpu', { providers: { ...complete.providers, webgpu: fails } }],
    ['cuda', { providers: { ...complete.providers, cuda: fails } }],
    ['browser', { browser: null }],
  ])('stays ready without %s, and says how to get it', (what, facts) => {
    const report = diagnose({ ...complete, ...facts });
    expect(report.ready).toBe(true);
    expect(report.findings).toEqual([
      {
        what,
        needed: false,
        why: expect.stringMatching(/\S/),
        remedy: expect.stringMatching(/^[A-Z].*[^.]$/),
      },
    ]);
  });
});

it.each([
  ['18.20.8', false],
  ['20.18.3', false],
  ['20.19.0', true],
  ['20.20.2', true],
  ['22.0.0', true],
  ['24.1.0', true],
])('Node %s is recent enough: %s', (version, recent) => {
  expect(isRecent(version)).toBe(recent);
});
