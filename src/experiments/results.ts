/** The results of an experiment as plain rows: one variant a row, the scores of every seed in it. */
import type { Scores } from '../data/run-folder.ts';
import { type Summary, summarise } from './stats.ts';

/** `id`: the evaluation split drawn like the training data; `ood`: the shifted one. Null where it was not run. */
export interface SeedScores {
  seed: number;
  id: Scores | null;
  ood: Scores | null;
}

export interface ResultRow {
  variant: string;
  seeds: SeedScores[];
}

export type Split = 'id' | 'ood';
export const SPLITS: readonly Split[] = ['id', 'ood'];
export const SPLIT_NAMES: Record<Split, string> = { id: 'In distribution', ood: 'Out of distribution' };

/** A headline figure: where it stands in scores.json and what it says. */
export interface Measure {
  key: 'accuracy' | 'reliability_conditioned_accuracy' | 'flawed_right' | 'quality';
  name: string;
  meaning: string;
}

export const MEASURES: readonly Measure[] = [
  { key: 'accuracy', name: 'accuracy', meaning: 'share of answers that are right (exact match)' },
  {
    key: 'reliability_conditioned_accuracy',
    name: 'right and sound',
    meaning:
      'share of answers that are right and whose reasoning is sound (score ≥ 0.5): reliability-conditioned accuracy',
  },
  {
    key: 'flawed_right',
    name: 'flawed-right',
    meaning: 'share of the right answers whose reasoning is flawed (score < 0.5)',
  },
  { key: 'quality', name: 'thinking quality', meaning: 'mean score of the reasoning, 0 to 1' },
];

const VARIANT_NAMES: Record<string, string> = {
  'cold-start': 'Cold start',
  start: 'Start',
  grpo: 'GRPO',
  'trust-grpo': 'Trust-GRPO',
};

/** What every variant starts from: the cold start of a model made from nothing, or the given checkpoint. */
export function isStart(variant: string): boolean {
  return variant === 'cold-start' || variant === 'start';
}

export function variantName(variant: string): string {
  return VARIANT_NAMES[variant] ?? variant;
}

export function figure(row: ResultRow, split: Split, key: Measure['key']): Summary | null {
  return summarise(row.seeds.map((seed) => seed[split]?.[key]));
}

/** How many answers stand behind one seed's figures, and how they were decoded, said once for the whole table. */
export function evaluationNote(rows: readonly ResultRow[]): string {
  const sizes = SPLITS.flatMap((split) => {
    const n = distinct(rows.flatMap((row) => row.seeds.flatMap((seed) => seed[split]?.n ?? [])));
    return n.length === 0 ? [] : [`${n.join(' or ')} ${split.toUpperCase()}`];
  });
  const all = rows.flatMap((row) =>
    row.seeds.flatMap((seed) => SPLITS.flatMap((split) => seed[split] ?? [])),
  );
  const temperatures = distinct(all.map((scores) => scores.temperature));
  const decoding =
    temperatures.length === 1 && temperatures[0] === 0
      ? 'greedy'
      : `temperature ${temperatures.join(' or ')}`;
  const seeds = distinct(rows.flatMap((row) => row.seeds.map((seed) => seed.seed)));
  const over = seeds.length > 1 ? `mean ± sd over ${seeds.length} seeds` : `one seed (${seeds[0] ?? '–'})`;
  return [over, ...(all.length > 0 ? [`n ${sizes.join(' and ')}`, decoding] : [])].join(', ');
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
