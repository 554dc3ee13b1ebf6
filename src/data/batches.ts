/** A stream cut into batches of neighbours. */
import { setTimeout } from 'node:timers/promises';

export interface BatchRule<T> {
  /** Whether an item may join those that are together already; asked from the second one on. */
  joins: (batch: readonly T[], item: T) => boolean;
  /** A batch goes out as it is when nothing has come for so long; null: it waits (a file's batches are then always the same). */
  patienceMs: number | null;
}

/** Where the stream fails, what had come before goes out first. */
export async function* inBatches<T>(stream: AsyncIterable<T>, rule: BatchRule<T>): AsyncGenerator<T[]> {
  const items = stream[Symbol.asyncIterator]();
  let batch: T[] = [];
  let coming = settled(items.next());
  try {
    for (;;) {
      const came = batch.length === 0 ? await coming : await withPatience(coming, rule.patienceMs);
      const more = came !== null && 'value' in came;
      if (batch.length > 0 && !(more && rule.joins(batch, came.value))) {
        yield batch;
        batch = [];
      }
      if (more) {
        batch.push(came.value);
        coming = settled(items.next());
      } else if (came !== null && 'error' in came) throw came.error;
      else if (came !== null) return;
    }
  } finally {
    // not awaited: a stream that waits for standard input answers only when something comes
    void items.return?.();
  }
}

type Came<T> = { value: T } | { error: unknown } | { ended: true };

/** A promise that does not fail while nobody waits for it. */
function settled<T>(next: Promise<IteratorResult<T>>): Promise<Came<T>> {
  return next.then(
    (result): Came<T> => (result.done ? { ended: true } : { value: result.value }),
    (error): Came<T> => ({ error }),
  );
}

async function withPatience<T>(coming: Promise<T>, patienceMs: number | null): Promise<T | null> {
  if (patienceMs === null) return coming;
  const stop = new AbortController();
  const late = setTimeout(patienceMs, null, { signal: stop.signal }).catch(() => null);
  try {
    return await Promise.race([coming, late]);
  } finally {
    stop.abort();
  }
}
