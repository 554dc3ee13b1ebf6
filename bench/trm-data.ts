/**
 * Makes a run with 100,000 responses (trm-rollouts.ts) and takes them through the stages of the TRM's data by the built
 * command: wall time and peak resident memory (VmHWM, so Linux only) of each stage's process.
 *
 *     npm run build && npx tsx bench/trm-data.ts [--responses 100000] [--keep DIR]
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeMadeRun } from './trm-rollouts.ts';

const { values } = parseArgs({
  options: { responses: { type: 'string', default: '100000' }, keep: { type: 'string' } },
});
const binary = fileURLToPath(new URL('../bin/sophia.js', import.meta.url));

interface Stage {
  seconds: number;
  peakMB: number;
  counts: Record<string, unknown>;
}

/** Runs a stage; its memory is looked at every 20 ms, and what it says of its peak never falls. */
function stage(cwd: string, args: string[]): Promise<Stage> {
  const started = performance.now();
  const child = spawn(process.execPath, [binary, 'trm', ...args, '--json'], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let [stdout, peakKB] = ['', 0];
  child.stdout.on('data', (text) => (stdout += text));
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakKB = Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? peakKB);
    } catch {
      // it has ended
    }
  }, 20);
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      clearInterval(timer);
      if (code !== 0) return reject(new Error(`sophia trm ${args.join(' ')}: exit code ${code}`));
      resolve({
        seconds: (performance.now() - started) / 1000,
        peakMB: peakKB / 1024,
        counts: JSON.parse(stdout),
      });
    });
  });
}

const dir = values.keep ?? (await mkdtemp(join(tmpdir(), 'sophia-trm-data-')));
try {
  const made = await writeMadeRun(join(dir, 'run'), Math.ceil(Number(values.responses) / 8));
  process.stdout.write(`${made} responses made\n`);
  const stages: [name: string, out: string, args: string[]][] = [
    ['collect', 'collected.jsonl', ['--run', 'run']],
    ['annotate', 'annotated.jsonl', ['--in', 'collected.jsonl', '--judge', 'oracle']],
    ['curate', 'curated.jsonl', ['--in', 'annotated.jsonl']],
  ];
  process.stdout.write(
    '| stage | rows in | rows out | file | wall time | peak memory |\n|---|---|---|---|---|---|\n',
  );
  for (const [name, out, args] of stages) {
    const { seconds, peakMB, counts } = await stage(dir, [name, ...args, '--out', out]);
    const megabytes = (await stat(join(dir, out))).size / 1e6;
    const rowsOut = counts.kept ?? counts.rows ?? counts.read;
    process.stdout.write(
      `| ${name} | ${counts.read} | ${rowsOut} | ${megabytes.toFixed(0)} MB | ${seconds.toFixed(0)} s | ${peakMB.toFixed(0)} MB |\n`,
    );
    if (name === 'curate') process.stdout.write(`${JSON.stringify(counts)}\n`);
  }
} finally {
  if (values.keep === undefined) await rm(dir, { recursive: true, force: true });
}
