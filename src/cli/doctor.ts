/** `sophia doctor`: prints what this machine is, what runs on it and what is missing. */
import type { Command } from 'commander';
import { examine } from '../engine/local/doctor/examine.ts';
import type { Probe, Report } from '../engine/local/doctor/report.ts';
import { RunError } from '../errors.ts';

export function register(program: Command): void {
  program
    .command('doctor')
    .description('tell whether this machine can train, how fast it computes and what is missing')
    .option('--json', 'one JSON document on standard output')
    .action(async ({ json }: { json?: boolean }) => {
      const report = await examine(process.cwd());
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : page(report));
      const missing = report.findings.filter((finding) => finding.needed).map((finding) => finding.what);
      if (!report.ready)
        throw new RunError(`sophia train cannot run here yet, it lacks: ${missing.join(', ')}`);
    });
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
const speed = (gflops: number | null) => (gflops === null ? '–' : `${gflops} GFLOP/s`);
const outcome = (probe: Probe) => (probe.runs ? `runs (${speed(probe.gflops)})` : 'does not run here');

function page(report: Report): string {
  const { node, platform, cpu, sgemm_gflops, providers, memory, disk, pictures, browser } = report;
  const rows: [string, string][] = [
    ['Node', `${node.version}${node.ok ? '' : ' (too old: 20.19 is needed)'}`],
    ['system', `${platform.os} ${platform.release}, ${platform.arch}`],
    ['processor', cpu.model],
    ['features', cpu.features.join(' ') || 'not told by this system'],
    ['threads', `${report.threads} used of ${cpu.cores} cores`],
    ['sgemm', `${speed(sgemm_gflops.one_thread)} with 1 thread, ${speed(sgemm_gflops.all_threads)} with all`],
    ...Object.entries(providers).map(([name, probe]): [string, string] => [name, outcome(probe)]),
    ['memory', `${gigabytes(memory.total)}, ${gigabytes(memory.available)} available`],
    ['disk', `${gigabytes(disk.free)} free in ${disk.folder}`],
    ['pictures', pictures === null ? 'sharp works' : 'sharp does not work'],
    ['browser', browser ?? 'none'],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(10)} ${value}`);
  const list = (needed: boolean, title: string) => {
    const found = report.findings.filter((finding) => finding.needed === needed);
    if (found.length > 0) lines.push('', title);
    for (const { what, why, remedy } of found) lines.push(`- ${what}: ${why}. ${remedy}.`);
  };
  list(true, 'Missing:');
  list(false, 'Missing, but training does without:');
  if (report.ready) lines.push('', 'This machine can run sophia train.');
  return `${lines.join('\n')}\n`;
}
