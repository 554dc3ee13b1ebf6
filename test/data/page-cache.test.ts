import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { pageCache } from '../../src/data/parquet/page-cache.ts';

/** A page of `cells` cells with 10 bytes each, all in one piece of memory; counts how often it is read. */
function page(cells: number) {
  const memory = Buffer.from(new ArrayBuffer(10 * cells));
  const one = {
    memory,
    reads: 0,
    read: async () => {
      one.reads++;
      return Array.from({ length: cells }, (_, i) => memory.subarray(10 * i, 10 * i + 10));
    },
  };
  return one;
}

it('keeps pages up to a budget, the oldest go first', async () => {
  const cellOf = pageCache(100, 2);
  const [a, b, c] = [page(4), page(4), page(4)];
  await cellOf('a', 0, a.read);
  expect((await cellOf('a', 3, a.read))?.buffer).toBe(a.memory.buffer);
  await cellOf('b', 0, b.read);
  await cellOf('c', 0, c.read);
  await cellOf('b', 1, b.read);
  await cellOf('a', 1, a.read);
  expect([a.reads, b.reads, c.reads]).toEqual([2, 1, 1]);
});

it('copies a cell out of a page that is larger than the budget, which goes and drives out no other', async () => {
  const cellOf = pageCache(100, 2);
  const [small, large] = [page(2), page(11)];
  await cellOf('small', 0, small.read);
  const cells = await Promise.all([cellOf('large', 0, large.read), cellOf('large', 10, large.read)]);
  for (const cell of cells) {
    expect(cell?.length).toBe(10);
    expect(cell?.buffer).not.toBe(large.memory.buffer);
  }
  await cellOf('large', 1, large.read);
  await cellOf('small', 1, small.read);
  expect([large.reads, small.reads]).toEqual([2, 1]);
});

it('reads two pages at once and no more; a failure is not kept', async () => {
  const cellOf = pageCache(100, 2);
  let [now, most] = [0, 0];
  const read = async () => {
    most = Math.max(most, ++now);
    await setTimeout(5);
    now--;
    return [null];
  };
  await Promise.all(Array.from({ length: 8 }, (_, i) => cellOf(`${i}`, 0, read)));
  expect(most).toBe(2);
  const failed = cellOf('x', 0, async () => {
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  expect(await cellOf('x', 0, read)).toBeNull();
});
