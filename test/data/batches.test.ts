import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inBatches } from '../../src/data/batches.ts';

async function* stream<T>(items: T[], end: () => void = () => {}) {
  yield* items;
  end();
}

async function collect<T>(batches: AsyncGenerator<T[]>): Promise<{ got: T[][]; error: unknown }> {
  const got: T[][] = [];
  try {
    for await (const batch of batches) got.push(batch);
  } catch (error) {
    return { got, error };
  }
  return { got, error: null };
}

const sum = (batch: readonly number[]) => batch.reduce((a, b) => a + b, 0);
const joins = (batch: readonly number[], item: number) => batch.length < 4 && sum(batch) + item <= 10;

it('batches put together are the stream; each is within the rule and as large as it can be', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(12)), async (items) => {
      const { got, error } = await collect(inBatches(stream(items), { joins, patienceMs: null }));
      expect(error).toBeNull();
      expect(got.flat()).toEqual(items);
      got.forEach((batch, i) => {
        expect(batch.length).toBeGreaterThan(0);
        for (let k = 1; k < batch.length; k++) expect(joins(batch.slice(0, k), batch[k])).toBe(true);
        if (i + 1 < got.length) expect(joins(batch, got[i + 1][0])).toBe(false);
      });
    }),
  );
});

it('a stream that fails gives what came before, then its error', async () => {
  const failing = stream([1, 2, 3], () => {
    throw new Error('broken');
  });
  const { got, error } = await collect(inBatches(failing, { joins, patienceMs: null }));
  expect(got).toEqual([[1, 2, 3]]);
  expect(error).toEqual(new Error('broken'));
});

it('with patience, a batch goes out as it is while the next item is waited for', async () => {
  let goOn = () => {};
  async function* slow() {
    yield 1;
    yield 2;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    yield 3;
  }
  const batches = inBatches(slow(), { joins, patienceMs: 1 });
  expect((await batches.next()).value).toEqual([1, 2]);
  goOn();
  expect((await batches.next()).value).toEqual([3]);
  expect((await batches.next()).done).toBe(true);
});
