/**
 * Rows that turn out in training to be unusable: a picture that is there and cannot be decoded. Such a row is left out of
 * its step, said and counted; where there are too many, the data is bad and the run stops. What was left out before a
 * checkpoint stands in metrics.jsonl, so that a run that goes on counts as if it had not stopped.
 */
import { type BadRowRule, mostBad } from '../data/records/bad-rows.ts';
import { InputError, RunError } from '../errors.ts';
import type { Stage } from './stage.ts';

/** So many are said one by one. */
const SAID = 5;

export interface BadRowCount {
  /**
   * Leaves a row of a step out. Throws what is no InputError, an error that allows no single row to be left out, and
   * RunError where it is one too many.
   */
  note(error: unknown, step: number): void;
  /** Rows left out since this was asked last. */
  take(): number;
}

/**
 * `rows`: of the data; `asked`: rows that a step asks for; `before`: left out in the steps done. At most a share `maxBad` of
 * the data may be left out in the first epoch, then of all rows asked for.
 */
export function badRowCount(
  { name, warn, howToResume }: Pick<Stage, 'name' | 'warn' | 'howToResume'>,
  { maxBad, rows, asked, before }: Pick<BadRowRule, 'maxBad'> & Record<'rows' | 'asked' | 'before', number>,
): BadRowCount {
  let all = before;
  let taken = before;
  return {
    note(error, step) {
      const allowed = mostBad(maxBad, Math.max(rows, step * asked));
      if (!(error instanceof InputError) || allowed === 0) throw error;
      all += 1;
      if (all > allowed)
        throw new RunError(
          `${name}, step ${step}: ${all} rows could not be used, and data.max_bad: ${maxBad} allows ${allowed}; the last: ${error.message}. Mend the data and go on with: ${howToResume}`,
        );
      if (all <= SAID) warn(`${name}, step ${step}: left out: ${error.message}`);
      else if (all === SAID + 1) warn(`${name}, step ${step}: more rows left out; metrics.jsonl counts them`);
    },
    take() {
      const since = all - taken;
      taken = all;
      return since;
    },
  };
}

/** Rows left out so far, by a stage's metrics. */
export function leftOutBefore(metrics: readonly { bad_rows?: number }[]): number {
  return metrics.reduce((sum, { bad_rows = 0 }) => sum + bad_rows, 0);
}
