import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intervalOf, waterFill } from '../../src/trm/intervals.ts';

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

describe('intervals', () => {
  it('[0, .1) … [.9, 1]: a tenth opens an interval, 1 belongs to the last', () => {
    const tenths = Array.from({ length: 11 }, (_, i) => i / 10);
    expect(tenths.map(intervalOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
    expect([0.0999, 0.8999, 0.95].map(intervalOf)).toEqual([0, 8, 9]);
  });
});

describe('water-filling', () => {
  const cases = fc.record({
    available: fc.array(fc.nat(60), { minLength: 10, maxLength: 10 }),
    floor: fc.nat(20),
    above: fc.nat(40),
    extra: fc.nat(500),
  });

  it.each([
    [
      'what is there, where all of it is less than the total',
      [3, 0, 5],
      { floor: 0, cap: 9, total: 99 },
      [3, 0, 5],
    ],
    ['the cap, where the total is out of reach', [30, 2, 50], { floor: 0, cap: 9, total: 99 }, [9, 2, 9]],
    ['one level, which the poor do not reach', [100, 4, 100], { floor: 0, cap: 99, total: 44 }, [20, 4, 20]],
    [
      'one more from the lowest on, where the total falls between two levels',
      [9, 1, 9, 9],
      { floor: 0, cap: 9, total: 12 },
      [4, 1, 4, 3],
    ],
    ['the floor, where the total is too small for it', [9, 1, 9], { floor: 5, cap: 9, total: 6 }, [5, 1, 5]],
  ])('gives %s', (_, available, quota, expected) => {
    expect(waterFill(available, quota)).toEqual(expected);
  });

  it('no interval gives more than it has or than the cap, nor less than the floor if it has that', () => {
    fc.assert(
      fc.property(cases, ({ available, floor, above, extra }) => {
        const cap = floor + above;
        const counts = waterFill(available, { floor, cap, total: 10 * floor + extra });
        counts.forEach((count, i) => {
          expect(count).toBeLessThanOrEqual(Math.min(available[i], cap));
          expect(count).toBeGreaterThanOrEqual(Math.min(available[i], floor));
        });
      }),
    );
  });

  it('the sum is the total, or all there is under the cap where that is less', () => {
    fc.assert(
      fc.property(cases, ({ available, floor, above, extra }) => {
        const cap = floor + above;
        const total = 10 * floor + extra;
        const most = sum(available.map((n) => Math.min(n, cap)));
        expect(sum(waterFill(available, { floor, cap, total }))).toBe(Math.min(total, most));
      }),
    );
  });

  it('intervals that have enough give alike, to one row', () => {
    fc.assert(
      fc.property(cases, ({ available, floor, above, extra }) => {
        const counts = waterFill(available, { floor, cap: floor + above, total: 10 * floor + extra });
        const rich = counts.filter((count, i) => count < available[i]);
        const top = Math.max(...counts);
        for (const count of rich) expect(top - count).toBeLessThanOrEqual(1);
      }),
    );
  });
});
