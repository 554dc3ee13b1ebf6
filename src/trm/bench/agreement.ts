/** Agreement of a judge's scores with the known quality of the same responses. */
import { mean } from '../../data/shares.ts';
import { INTERVALS, intervalOf } from '../intervals.ts';
import { kendall, pearson, spearman } from '../rank-statistics.ts';
import { type Estimate, estimates, type Resampling } from './estimate.ts';
import type { BenchRow, Questions } from './rows.ts';

/** A response that the judge has scored. */
export interface Scored extends BenchRow {
  judged: number;
}

/** Responses whose judged score lies in [from, to), the last bin's end included. */
export interface CalibrationBin {
  from: number;
  to: number;
  n: number;
  /** Mean judged score and mean known quality; null where there are no responses. */
  judged: number | null;
  known: number | null;
}

export interface Agreement {
  /** Responses scored. */
  n: number;
  spearman: Estimate;
  /** τ-b */
  kendall: Estimate;
  pearson: Estimate;
  /** Mean absolute difference. */
  mae: Estimate;
  /** Mean of judged − known. */
  bias: Estimate;
  /** Expected calibration error: mean over responses of |mean judged − mean known| of their bin. */
  calibration_error: Estimate;
  calibration: CalibrationBin[];
}

export function agreement(questions: Questions<Scored>, resampling: Resampling): Agreement {
  const of =
    (measure: (judged: number[], known: number[]) => number | null) => (sample: Questions<Scored>) => {
      const rows = sample.flat();
      return rows.length === 0
        ? null
        : measure(
            rows.map((row) => row.judged),
            rows.map((row) => row.known),
          );
    };
  const differences = (measure: (difference: number) => number) =>
    of((judged, known) => mean(judged.map((score, i) => measure(score - known[i]))));
  return {
    n: questions.flat().length,
    ...estimates(
      questions,
      {
        spearman: of(spearman),
        kendall: of(kendall),
        pearson: of(pearson),
        mae: differences(Math.abs),
        bias: differences((difference) => difference),
        calibration_error: (sample) => calibrationError(calibration(sample.flat())),
      },
      resampling,
    ),
    calibration: calibration(questions.flat()),
  };
}

/** Ten bins of the judged score. */
export function calibration(rows: readonly Pick<Scored, 'judged' | 'known'>[]): CalibrationBin[] {
  const bins = Array.from({ length: INTERVALS }, () => ({ n: 0, judged: 0, known: 0 }));
  for (const { judged, known } of rows) {
    const bin = bins[intervalOf(judged)];
    bin.n += 1;
    bin.judged += judged;
    bin.known += known;
  }
  return bins.map(({ n, judged, known }, i) => ({
    from: i / INTERVALS,
    to: (i + 1) / INTERVALS,
    n,
    judged: n > 0 ? judged / n : null,
    known: n > 0 ? known / n : null,
  }));
}

/** Null of no responses. */
export function calibrationError(bins: readonly CalibrationBin[]): number | null {
  const total = bins.reduce((sum, { n }) => sum + n, 0);
  if (total === 0) return null;
  return (
    bins.reduce((sum, { n, judged, known }) => sum + (n > 0 ? n * Math.abs(judged! - known!) : 0), 0) / total
  );
}
