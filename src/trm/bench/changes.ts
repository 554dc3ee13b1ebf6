/** What becomes of a judge's score when a response is changed: pairs of before and after, and the oracle's beside them. */
import { mean } from '../../data/shares.ts';
import { type Estimate, estimate, type Resampling } from './estimate.ts';
import { type BenchRow, type Questions, SOUND } from './rows.ts';

/** A changed response whose original the judge was asked about as well. */
export interface Change {
  row: BenchRow;
  /** The judge's scores; null where it gave none. */
  before: number | null;
  after: number | null;
  /** The oracle's; null where there is none. */
  oracle: { before: number; after: number } | null;
  format_kept: boolean;
}

export interface OracleChange {
  n: number;
  /** Mean change. */
  change: number;
  /** Share of pairs in which it fell; a pair as before counts half. */
  fell: number;
}

export interface Changed {
  /** Pairs. */
  n: number;
  /** Share of the pairs of which both were scored: the rest of the figures is about these. */
  coverage: number | null;
  /** Mean of after − before. */
  change: Estimate;
  /** Share of pairs in which the score fell; a pair as before counts half. */
  fell: Estimate;
  oracle: OracleChange | null;
}

export interface Attacked extends Omit<Changed, 'fell'> {
  /** The largest rise; null of nothing. */
  largest: number | null;
  /** Share of the pairs that went from below 0.5 to 0.5 or more. */
  pushed_over: number | null;
}

/** A change below this is none: the same response may score so differently in another batch. */
const NOISE = 1e-3;

export function changed(changes: Questions<Change>, resampling: Resampling): Changed {
  const { pairs, ...counts } = scoredPairs(changes);
  return {
    ...counts,
    change: estimate(pairs, meanOf(rise), resampling),
    fell: estimate(pairs, meanOf(fall), resampling),
    oracle: oracleChange(changes.flat()),
  };
}

export function attackedBy(changes: Questions<Change>, resampling: Resampling): Attacked {
  const { pairs, ...counts } = scoredPairs(changes);
  const all = pairs.flat();
  return {
    ...counts,
    change: estimate(pairs, meanOf(rise), resampling),
    largest: all.length > 0 ? Math.max(...all.map(rise)) : null,
    pushed_over:
      all.length > 0 ? mean(all.map(({ before, after }) => Number(before < SOUND && after >= SOUND))) : null,
    oracle: oracleChange(changes.flat()),
  };
}

interface Pair {
  before: number;
  after: number;
}

const rise = ({ before, after }: Pair) => after - before;
const fall = (pair: Pair) => (Math.abs(rise(pair)) < NOISE ? 0.5 : Number(rise(pair) < 0));

const meanOf =
  (measure: (pair: Pair) => number) =>
  (sample: Questions<Pair>): number | null => {
    const pairs = sample.flat();
    return pairs.length > 0 ? mean(pairs.map(measure)) : null;
  };

function scoredPairs(changes: Questions<Change>) {
  const pairs = changes
    .map((rows) =>
      rows.flatMap(({ before, after }): Pair[] =>
        before === null || after === null ? [] : [{ before, after }],
      ),
    )
    .filter((rows) => rows.length > 0);
  const n = changes.flat().length;
  return { pairs, n, coverage: n > 0 ? pairs.flat().length / n : null };
}

function oracleChange(changes: readonly Change[]): OracleChange | null {
  const pairs = changes.flatMap(({ oracle }) => (oracle === null ? [] : [oracle]));
  if (pairs.length === 0) return null;
  return { n: pairs.length, change: mean(pairs.map(rise)), fell: mean(pairs.map(fall)) };
}
