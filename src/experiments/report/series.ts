/** Series over steps: put side by side on a common axis, thinned for drawing, averaged over seeds, smoothed. */
import { type Summary, summarise } from '../stats.ts';

export type Points = { step: number; value: number | null }[];

/** One line of a chart: a quantity over steps, of one or several seeds. */
export interface Line {
  name: string;
  colour: string;
  seeds: Points[];
}

export interface DrawnLine {
  name: string;
  colour: string;
  /** Each seed as logged (thinned). */
  seeds: (number | null)[][];
  /** Mean and sd over seeds. */
  logged: (Summary | null)[];
  /** The running mean of `logged`. */
  smooth: (number | null)[];
}

export interface Drawn {
  steps: number[];
  /** Steps put together into one point. */
  bin: number;
  /** Points in the running mean; 1 means no smoothing. */
  window: number;
  lines: DrawnLine[];
}

const MAX_POINTS = 200;

export function draw(lines: readonly Line[]): Drawn {
  const logged = lines.flatMap((line) => line.seeds.flatMap((points) => points.map((point) => point.step)));
  const all = [...new Set(logged)].sort((a, b) => a - b);
  const bin = Math.max(1, Math.ceil(all.length / MAX_POINTS));
  const place = new Map(all.map((step, i) => [step, Math.floor(i / bin)]));
  const size = Math.ceil(all.length / bin);
  const steps = Array.from({ length: size }, (_, i) => average(all.slice(i * bin, (i + 1) * bin)));
  const window = size >= 20 ? 5 : 1;
  return {
    steps,
    bin,
    window,
    lines: lines.map((line) => {
      const seeds = line.seeds.map((points) => binned(points, place, size));
      const over = steps.map((_, i) => summarise(seeds.map((seed) => seed[i])));
      const smooth = runningMean(
        over.map((point) => point?.mean ?? null),
        window,
      );
      return { name: line.name, colour: line.colour, seeds, logged: over, smooth };
    }),
  };
}

function binned(points: Points, place: Map<number, number>, size: number): (number | null)[] {
  const bins = Array.from({ length: size }, (): number[] => []);
  for (const { step, value } of points) {
    if (value !== null && Number.isFinite(value)) bins[place.get(step) as number].push(value);
  }
  return bins.map((values) => (values.length > 0 ? average(values) : null));
}

/** The mean of the values in a centred window; gaps stay gaps and count for nothing. */
export function runningMean(values: readonly (number | null)[], window: number): (number | null)[] {
  const half = Math.floor(window / 2);
  return values.map((value, i) => {
    if (value === null) return null;
    const near = values.slice(Math.max(0, i - half), i + half + 1).filter((v) => v !== null);
    return average(near);
  });
}

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
