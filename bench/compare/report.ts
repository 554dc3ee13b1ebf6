/** A comparison as plain data and as Markdown. */
import type { Watched } from '../watch.ts';
import type { Machine } from './machine.ts';
import type { Cell, Result } from './rounds.ts';

export interface Report {
  title: string;
  peer: string;
  date: string;
  command: string;
  machine: Machine;
  versions: Record<string, string>;
  reps: number;
  /** The machine's rate in plain matrix products; null where it does not matter. */
  sgemm_gflops: number | null;
  sizes: SizeReport[];
}

export interface SizeReport {
  size: string;
  parameters: number;
  results: Result[];
  watched: Watched;
  update: UpdateRate | null;
}

/** How fast an update computes, and what share that is of plain matrix products' rate. */
export interface UpdateRate {
  ours_gflops: number;
  peer_gflops: number;
  share: number;
  target: number | null;
  reached: boolean | null;
}

export function markdown(report: Report): string {
  const { machine, versions, sizes, peer } = report;
  const features = machine.features.join(', ') || 'features unknown';
  const used = Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const lines = [
    `### ${report.title}`,
    '',
    `${report.date}, ${machine.model}, ${machine.cores} cores (${features}), ${machine.memory_gb} GB, load ${machine.load[0]} before; ${used}.`,
    `\`${report.command}\`: best of ${report.reps} (median), in turns. Other load: cores that other processes kept busy beside each side (median).`,
    ...(sizes.some(({ results }) => results.some(disturbed)) ? ['', DISTURBED] : []),
    '',
    `| size | | sophiavl | ${peer} | ratio | ratio of CPU seconds | target | other load |`,
    '|---|---|---|---|---|---|---|---|',
  ];
  for (const { size, results } of sizes)
    for (const result of results) lines.push(`| ${[size, ...line(result)].join(' | ')} |`);
  lines.push('');
  for (const { size, parameters, watched, update } of sizes) {
    const { main_longest_delay_ms: delay, main_busy, worker } = watched;
    lines.push(
      `- ${size} (${parameters.toLocaleString('en')} parameters), threads in a step: main held up for ${Math.round(delay)} ms at most, busy ${percent(main_busy)}; worker ${percent(worker.sessions)} in sessions, ${percent(worker.javascript)} in JavaScript, ${percent(worker.garbage)} collecting garbage.`,
    );
    if (!update) continue;
    const { ours_gflops, peer_gflops, share, target, reached } = update;
    const aim = target === null ? '' : `; target ${goal(percent(target), reached)}`;
    lines.push(
      `- ${size}: an update runs at ${Math.round(ours_gflops)} GFLOP/s (${peer}: ${Math.round(peer_gflops)}), ${percent(share)} of the ${Math.round(report.sgemm_gflops!)} GFLOP/s of plain matrix products${aim}.`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Above this, wall times say little. */
const BUSY_CORES = 0.2;
const DISTURBED = `**The machine was not quiet: where other load is above ${BUSY_CORES}, go by CPU seconds.**`;

function disturbed({ ours, peer }: Result): boolean {
  return (ours.others ?? 0) > BUSY_CORES || (peer.others ?? 0) > BUSY_CORES;
}

function line({ what, ours, peer, ratio, cpu_ratio, target, reached }: Result): string[] {
  return [
    what,
    cell(ours),
    cell(peer),
    times(ratio),
    cpu_ratio === null ? '–' : times(cpu_ratio),
    goal(target === null ? null : `${target}×`, reached),
    `${load(ours)} / ${load(peer)}`,
  ];
}

function load({ others }: Cell): string {
  return others === null ? '?' : others.toFixed(1);
}

function cell({ threads, best_s, median_s }: Cell): string {
  return `${seconds(best_s)} (${seconds(median_s)}), ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

function seconds(s: number): string {
  return s < 0.1 ? `${(1000 * s).toPrecision(3)} ms` : `${s.toPrecision(3)} s`;
}

function goal(target: string | null, reached: boolean | null): string {
  return target === null ? '–' : `≥ ${target}, ${reached ? 'reached' : '**missed**'}`;
}

const times = (ratio: number) => `${ratio.toFixed(2)}×`;
const percent = (share: number) => `${Math.round(100 * share)} %`;
