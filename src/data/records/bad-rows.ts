/**
 * Rows that cannot be used, of data that is never all good: they are left out and said, up to a share of all rows; beyond
 * it, it is the data that is bad and not a row of it.
 */
import { InputError } from '../../errors.ts';

export interface BadRowRule {
  /** Largest share of the rows that may be left out, 0…1; 0: the first bad row is an error. */
  maxBad: number;
  /** Takes a line for the person who runs this. */
  say: (line: string) => void;
}

/** What holds where every row counts: evaluation, and wherever nobody says otherwise. */
export const STRICT: BadRowRule = { maxBad: 0, say: () => {} };

/** So many are said one by one. */
const SAID = 5;

/** How many of `rows` rows may be bad. Rounded down, so that of fewer than 1/maxBad rows none may. */
export function mostBad(maxBad: number, rows: number): number {
  // 0.01 · 700 is 7.000000000000001, 0.29 · 100 is 28.999999999999996
  return Math.floor(maxBad * rows + 1e-9);
}

export interface LeftOut {
  /** Leaves a row out; throws what is no InputError, and that where no row may be left out. */
  note(error: unknown): void;
  /** When all rows were looked at, `good` of them usable. Says what was left out; throws InputError if it is too much. */
  settle(file: string, good: number): number;
}

export function leaveOut({ maxBad, say }: BadRowRule): LeftOut {
  const first: string[] = [];
  let bad = 0;
  return {
    note(error) {
      if (!(error instanceof InputError) || maxBad === 0) throw error;
      bad += 1;
      if (first.length < SAID) first.push(error.message);
    },
    settle(file, good) {
      const rows = good + bad;
      const allowed = mostBad(maxBad, rows);
      if (bad > allowed && allowed === 0) throw new InputError(first[0]);
      if (bad > allowed)
        throw new InputError(
          `${file}: ${bad} of ${rows} rows cannot be used, and data.max_bad: ${maxBad} allows ${allowed}; the first: ${first[0]}`,
        );
      for (const message of first) say(`left out: ${message}`);
      if (bad > 0)
        say(`${file}: ${bad} of ${rows} rows left out${bad > SAID ? ', of which the first are said' : ''}`);
      return bad;
    },
  };
}
