/** Failures by reason, for a person to see what went wrong and how often. */

/** Reasons that are counted by themselves, at most. */
const REASONS = 20;

export function countFailure(counts: Record<string, number>, failure: string): void {
  const reason = reasonOf(failure);
  const name = reason in counts || Object.keys(counts).length < REASONS ? reason : 'other';
  counts[name] = (counts[name] ?? 0) + 1;
}

/** The beginning of a failure, without what differs from one to the next. */
export function reasonOf(failure: string): string {
  return failure
    .split(/[:;(]/)[0]
    .replace(/\d+\.\d+/g, '…')
    .trim();
}

/** The most frequent reason and how often it was one. */
export function mostFrequent(counts: Record<string, number>): string {
  const [most] = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return most === undefined ? 'nothing was tried' : `${most[0]}, ${most[1]} times`;
}
