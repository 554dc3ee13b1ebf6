/** Measures both sides in turns, so that whatever else the machine does hits both alike. */
import { type Measured, median, round } from '../timing.ts';
import type { Contestant } from './contestant.ts';
import { quiet } from './machine.ts';

/** A piece of work and what it is called on each side. */
export interface Pair {
  name: string;
  ours: string;
  peer: string;
}

/** A line of the table: seconds made of the measurements of one repetition. */
export interface Row {
  what: string;
  seconds: (pair: (name: string) => Measured) => number;
  /** CPU seconds alike; none for a part of a measurement. */
  cpuSeconds?: (pair: (name: string) => Measured) => number;
  /** What the ratio is to reach. */
  target: number | null;
}

/** The thread count of a side that was fastest. */
export interface Cell {
  threads: number;
  best_s: number;
  median_s: number;
  cpu_s: number | null;
  /** Cores that other processes kept busy during the fastest repetition; null where nobody can tell. */
  others: number | null;
}

export interface Result {
  what: string;
  ours: Cell;
  peer: Cell;
  /** The peer's best time over ours: above 1 we are faster. */
  ratio: number;
  cpu_ratio: number | null;
  target: number | null;
  /** Null without a target, and where the machine was too busy to tell. */
  reached: boolean | null;
}

/** With more cores than this at work for others, a wall time says little. */
export const BUSY_CORES = 0.2;
/** Quiet repetitions that each side is to have, and how many times as many as asked for may be spent on that. */
const QUIET_REPS = 2;
const MOST = 3;

type Series = Map<string, Measured[]>;

export interface Measurements {
  ours: { contestant: Contestant; series: Series }[];
  peers: { contestant: Contestant; series: Series }[];
}

export async function measureInTurns(
  ours: Contestant[],
  peers: Contestant[],
  pairs: readonly Pair[],
  { reps, waitS, tell }: { reps: number; waitS: number; tell: (line: string) => void },
): Promise<Measurements> {
  const made = (side: 'ours' | 'peer') => (contestant: Contestant) => ({
    contestant,
    side,
    series: new Map<string, Measured[]>(),
  });
  const all = [...ours.map(made('ours')), ...peers.map(made('peer'))];
  for (const pair of pairs) {
    tell(pair.name);
    // the first time warms up
    for (const { contestant, side } of all) await contestant.measure(pair[side]);
    for (let rep = 0; rep < reps || (rep < MOST * reps && lacksQuiet(all, pair.name)); rep++) {
      for (const { contestant, side, series } of rep % 2 === 0 ? all : [...all].reverse()) {
        await quiet(waitS);
        const measured = await contestant.measure(pair[side]);
        series.set(pair.name, [...(series.get(pair.name) ?? []), measured]);
      }
    }
  }
  const of = (side: 'ours' | 'peer') => all.filter((entry) => entry.side === side);
  return { ours: of('ours'), peers: of('peer') };
}

/** Whether other processes were at work during either side's best. */
export function disturbed({ ours, peer }: Pick<Result, 'ours' | 'peer'>): boolean {
  return (ours.others ?? 0) > BUSY_CORES || (peer.others ?? 0) > BUSY_CORES;
}

/** Whether a side has yet to be measured undisturbed. */
function lacksQuiet(all: { series: Series }[], pair: string): boolean {
  const quietReps = (series: Series) =>
    series.get(pair)!.filter(({ others }) => others === null || others <= BUSY_CORES).length;
  return all.some(({ series }) => quietReps(series) < QUIET_REPS);
}

export function resultOf(row: Row, { ours, peers }: Measurements): Result {
  const { what, target } = row;
  const fastest = (cells: Cell[]) => cells.reduce((a, b) => (b.best_s < a.best_s ? b : a));
  const [our, peer] = [ours, peers].map((side) =>
    fastest(side.map(({ contestant, series }) => cellOf(row, contestant.facts.threads, series))),
  );
  const ratio = round(peer.best_s / our.best_s);
  const cpu_ratio = our.cpu_s === null || peer.cpu_s === null ? null : round(peer.cpu_s / our.cpu_s);
  const result = { what, ours: our, peer, ratio, cpu_ratio, target };
  const decided = target !== null && !disturbed(result);
  return { ...result, reached: decided ? ratio >= target : null };
}

function cellOf({ seconds, cpuSeconds }: Row, threads: number, series: Series): Cell {
  const used = new Set<string>();
  seconds((name) => {
    used.add(name);
    return series.get(name)![0];
  });
  const length = Math.min(...[...used].map((name) => series.get(name)!.length));
  const reps = Array.from({ length }, (_, rep) => {
    const pair = (name: string) => series.get(name)![rep];
    const loads = [...used].flatMap((name) => pair(name).others ?? []);
    return {
      s: seconds(pair),
      cpu_s: cpuSeconds?.(pair) ?? null,
      others: loads.length === 0 ? null : Math.max(...loads),
    };
  });
  const best = reps.reduce((a, b) => (b.s < a.s ? b : a));
  const cpu = reps.flatMap(({ cpu_s }) => (cpu_s === null ? [] : [cpu_s]));
  return {
    threads,
    best_s: round(best.s),
    median_s: round(median(reps.map(({ s }) => s))),
    cpu_s: cpu.length === 0 ? null : round(Math.min(...cpu)),
    others: best.others,
  };
}
