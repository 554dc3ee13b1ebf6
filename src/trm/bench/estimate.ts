/**
 * A figure with its 95 % interval: the percentile bootstrap over questions (Efron & Tibshirani 1993, chapter 13).
 * Questions are resampled, not responses: those to one question share its picture and its difficulty.
 */
import { keyed } from '../../worlds/random.ts';
import type { Questions } from './rows.ts';

export interface Estimate {
  /** Null where there is nothing to measure it on. */
  value: number | null;
  /** Null where there are fewer than two questions, or many resamples have no value. */
  low: number | null;
  high: number | null;
}

export interface Resampling {
  seed: number;
  /** How many resamples. */
  resamples: number;
}

export type Statistic<R> = (questions: Questions<R>) => number | null;

/** Every statistic is computed on the same resamples. */
export function estimates<R, K extends string>(
  questions: Questions<R>,
  statistics: Record<K, Statistic<R>>,
  { seed, resamples }: Resampling,
): Record<K, Estimate> {
  const names = Object.keys(statistics) as K[];
  const drawn = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  const random = keyed('bench', 'bootstrap', seed);
  for (let b = 0; b < resamples && questions.length > 1; b++) {
    const sample = questions.map(() => random.pick(questions));
    for (const name of names) {
      const value = statistics[name](sample);
      if (value !== null) drawn[name].push(value);
    }
  }
  return Object.fromEntries(
    names.map((name) => {
      const values = drawn[name].sort((a, b) => a - b);
      const enough = values.length > 0 && values.length >= 0.9 * resamples;
      const value = statistics[name](questions);
      const [low, high] =
        enough && value !== null ? [quantile(values, 0.025), quantile(values, 0.975)] : [null, null];
      return [name, { value, low, high }];
    }),
  ) as Record<K, Estimate>;
}

/** One statistic alone. */
export function estimate<R>(
  questions: Questions<R>,
  statistic: Statistic<R>,
  resampling: Resampling,
): Estimate {
  return estimates(questions, { statistic }, resampling).statistic;
}

/** Of an ascending list, linear between its items. */
function quantile(ascending: readonly number[], q: number): number {
  const at = q * (ascending.length - 1);
  const below = ascending[Math.floor(at)];
  return below + (at % 1) * (ascending[Math.ceil(at)] - below);
}
