/** So many pieces of work at once, and an end to waiting for them. */
import { setMaxListeners } from 'node:events';
import pLimit from 'p-limit';

/** Runs pieces of work, those that find no place in the order they came. */
export type Limited = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

/**
 * At most `concurrency` pieces at once. Where `signal` is aborted, the promise rejects with its reason at once, whether
 * the work has been begun or not; ending what has been begun is the work's own business.
 */
export function limited(concurrency: number): Limited {
  const limit = pLimit(concurrency);
  return (work, signal) =>
    orAborted(
      limit(async () => {
        signal?.throwIfAborted();
        return work();
      }),
      signal,
    );
}

/** Why a signal was aborted. */
export function abortReason({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}

/** The promise, or a rejection with the signal's reason if that comes first. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  // one deadline for many pieces is no leak
  setMaxListeners(0, signal);
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
