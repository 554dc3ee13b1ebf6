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
  /** Cores that other processes kept busy meanwhile, median; null where nobody can tell. */
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
  reached: boolean | null;
}

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
    for (let rep = 0; rep < reps; rep++) {
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

export function resultOf({ what, seconds, cpuSeconds, target }: Row, { ours, peers }: Measurements): Result {
  const cell = ({ contestant, series }: Measurements['ours'][number]): Cell => {
    const reps = [...series.values()][0].map((_, rep) => (name: string) => series.get(name)![rep]);
    const all = reps.map(seconds);
    const loads: (number | null)[] = [];
    for (const pair of reps)
      seconds((name) => {
        const measured = pair(name);
        loads.push(measured.others);
        return measured;
      });
    return {
      threads: contestant.facts.threads,
      best_s: round(Math.min(...all)),
      median_s: round(median(all)),
      cpu_s: cpuSeconds ? round(Math.min(...reps.map(cpuSeconds))) : null,
      others: medianOf(loads),
    };
  };
  const fastest = (cells: Cell[]) => cells.reduce((a, b) => (b.best_s < a.best_s ? b : a));
  const [our, peer] = [fastest(ours.map(cell)), fastest(peers.map(cell))];
  const ratio = round(peer.best_s / our.best_s);
  const cpu_ratio = our.cpu_s === null || peer.cpu_s === null ? null : round(peer.cpu_s / our.cpu_s);
  return {
    what,
    ours: our,
    peer,
    ratio,
    cpu_ratio,
    target,
    reached: target === null ? null : ratio >= target,
  };
}

function medianOf(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : round(median(known));
}
