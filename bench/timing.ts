/** Measures pieces of work: wall time, this process's CPU time, and how busy the machine was with other things meanwhile. */
import { readFileSync } from 'node:fs';

/** What is measured; it may return what it has found out about itself, seconds of its phases for example. */
export type Work = () => Promise<unknown>;

export interface Measured {
  s: number;
  /** CPU seconds of this process, all its threads. */
  cpu_s: number;
  /** Mean number of cores that other processes kept busy; null where the system does not tell. */
  others: number | null;
  /** What the work returned, where that is an object and no list. */
  detail?: Record<string, unknown>;
}

/** Does the work, a short one several times on end; the seconds are those of one time. */
export async function measure(work: Work, repeat = 1): Promise<Measured> {
  const used = process.cpuUsage();
  const busy = busySeconds();
  const start = performance.now();
  let detail: unknown;
  for (let i = 0; i < repeat; i++) detail = await work();
  const s = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(used);
  const cpu_s = (user + system) / 1e6;
  const others = busy === null ? null : round(Math.max(0, (busySeconds()! - busy - cpu_s) / s));
  const isObject = typeof detail === 'object' && detail !== null && !Array.isArray(detail);
  const once = { s: s / repeat, cpu_s: cpu_s / repeat };
  return { ...once, others, ...(isObject ? { detail: detail as Record<string, unknown> } : {}) };
}

export interface Timing {
  best_s: number;
  median_s: number;
  /** CPU seconds of this process in the repetition that used least. */
  cpu_s: number;
  reps: number;
  /** Cores kept busy by others, in each repetition. */
  others: (number | null)[];
  /** Of the fastest repetition. */
  detail?: Record<string, unknown>;
}

/** Repeats the work; the first time does not count. */
export async function timed(work: Work, reps: number, repeat = 1): Promise<Timing> {
  await work();
  const all: Measured[] = [];
  for (let i = 0; i < reps; i++) all.push(await measure(work, repeat));
  return summary(all);
}

export function summary(all: readonly Measured[]): Timing {
  const sorted = [...all].sort((a, b) => a.s - b.s);
  const { detail } = sorted[0];
  return {
    best_s: round(sorted[0].s),
    median_s: round(median(all.map((m) => m.s))),
    cpu_s: round(Math.min(...all.map((m) => m.cpu_s))),
    reps: all.length,
    others: all.map((m) => m.others),
    ...(detail ? { detail } : {}),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Seconds that all cores together have been busy since the machine started (Linux: /proc/stat in ticks of 10 ms). */
export function busySeconds(): number | null {
  try {
    const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return (user + nice + system + irq + softirq + steal) / 100;
  } catch {
    return null;
  }
}

export function round(value: number): number {
  return Number(value.toPrecision(4));
}
