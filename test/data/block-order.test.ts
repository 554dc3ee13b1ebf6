/** The order of records that are read in blocks: a permutation each epoch, and few blocks at a time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemOrder, order, orderedItems, WINDOW } from '../../src/data/records/order.ts';

const blocks = fc.array(fc.nat(700), { minLength: 1, maxLength: 40 }).filter((all) => all.some((n) => n > 0));
const sum = (all: number[]) => all.reduce((a, b) => a + b, 0);

describe('order by blocks', () => {
  it('gives every record once an epoch, whatever the blocks', () => {
    fc.assert(
      fc.property(blocks, fc.integer(), fc.nat(5), (sizes, seed, epoch) => {
        const length = sum(sizes);
        const item = itemOrder({ length, blocks: sizes }, seed);
        const seen = new Uint8Array(length);
        for (let k = 0; k < length; k++) seen[item(epoch * length + k)] += 1;
        expect(seen.every((times) => times === 1)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('depends on seed and position alone, not on what was asked before', () => {
    fc.assert(
      fc.property(
        blocks,
        fc.integer(),
        fc.array(fc.nat(50_000), { maxLength: 20 }),
        (sizes, seed, places) => {
          const shape = { length: sum(sizes), blocks: sizes };
          const item = itemOrder({ ...shape }, seed);
          const fresh = places.map((k) => itemOrder({ ...shape }, seed)(k));
          expect(places.map(item)).toEqual(fresh);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('opens every block once an epoch, and no more blocks at a time than a window takes', () => {
    const sizes = Array<number>(200).fill(100);
    const item = itemOrder({ length: 20_000, blocks: sizes }, 1);
    const last = new Map<number, number>();
    const first = new Map<number, number>();
    for (let k = 0; k < 20_000; k++) {
      const block = Math.floor(item(k) / 100);
      if (!first.has(block)) first.set(block, k);
      last.set(block, k);
    }
    const spans = [...last].map(([block, k]) => k - first.get(block)!);
    expect(Math.max(...spans)).toBeLessThan(WINDOW + 100);
    expect(first.size).toBe(200);
  });

  it('shuffles within windows and between them, another way each epoch and seed', () => {
    const shape = { length: 4000, blocks: Array<number>(40).fill(100) };
    const orders = [0, 1].flatMap((seed) => {
      const item = itemOrder({ ...shape }, seed);
      return [0, 1].map((epoch) => Array.from({ length: 4000 }, (_, k) => item(4000 * epoch + k)).join());
    });
    expect(new Set(orders).size).toBe(4);
    const item = itemOrder({ ...shape }, 0);
    const neighbours = Array.from({ length: 3999 }, (_, k) => Math.abs(item(k + 1) - item(k)));
    expect(neighbours.filter((distance) => distance === 1).length).toBeLessThan(40);
  });

  it('without blocks is the permutation that it always was', () => {
    // written down before there were blocks
    expect([...order(3, 1, 10)]).toEqual(GOLDEN);
    const item = itemOrder({ length: 10 }, 3);
    const before = orderedItems(3, 10);
    for (let k = 0; k < 50; k++) expect(item(k)).toBe(before(k));
  });
});

const GOLDEN = [7, 9, 0, 6, 8, 1, 2, 5, 3, 4];
