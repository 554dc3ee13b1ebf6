/** Counts of right answers by category. */

export interface Tally {
  n: number;
  correct: number;
  accuracy: number;
}

export function tally(hits: readonly boolean[]): Tally {
  const correct = hits.filter(Boolean).length;
  return { n: hits.length, correct, accuracy: hits.length === 0 ? 0 : correct / hits.length };
}

/**
 * Tallies by each name that `namesOf` gives a row: one, several (a question of two skills counts under both) or none. Names
 * are sorted.
 */
export function tallyBy<R>(
  rows: readonly R[],
  hits: readonly boolean[],
  namesOf: (row: R) => readonly string[],
): Record<string, Tally> {
  const groups = new Map<string, boolean[]>();
  rows.forEach((row, i) => {
    for (const name of new Set(namesOf(row))) {
      const group = groups.get(name);
      if (group === undefined) groups.set(name, [hits[i]]);
      else group.push(hits[i]);
    }
  });
  return Object.fromEntries(
    [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, of]) => [name, tally(of)]),
  );
}

/** How often each of `kinds` occurs; those that do not stand with 0. */
export function counts<K extends string>(kinds: readonly K[], found: readonly K[]): Record<K, number> {
  const result = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<K, number>;
  for (const kind of found) result[kind]++;
  return result;
}
