/** Lies that a decoder would allocate or loop by: each is refused at once. */
import { describe, expect, it } from 'vitest';
import { checkPrefixes, checkRuns, deltaEnd, thriftEnd } from '../../src/data/parquet/bounds.ts';

const bytes = (...all: number[]) => Uint8Array.from(all);
/** Unsigned LEB128. */
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];

describe('metadata', () => {
  it('of a struct with a number and a list ends where it ends', () => {
    expect(thriftEnd(bytes(0x15, 0x02, 0x19, 0x25, 0x04, 0x06, 0x00, 0xff), 0)).toBe(7);
  });

  it('with a list of two billion elements is refused', () => {
    expect(() => thriftEnd(bytes(0x19, 0xf5, ...varint(2 ** 31 - 1), 0, 0), 0)).toThrow(/list .* longer/);
  });

  it('with lists in lists without end is refused', () => {
    const nested = Array.from({ length: 5000 }, () => 0x19);
    expect(() => thriftEnd(bytes(0x19, ...nested, 0), 0)).toThrow(/nested too deeply/);
  });

  it('with a number of a million bytes is refused', () => {
    expect(() => thriftEnd(new Uint8Array(1_000_000).fill(0x80).fill(0x16, 0, 1), 0)).toThrow(/no end/);
  });

  it('that is cut off is refused', () => {
    expect(() => thriftEnd(bytes(0x18, 0x05, 1, 2), 0)).toThrow(/cut off/);
  });
});

describe('runs of levels and indices', () => {
  it('are walked and counted: a repeated one, and packed bits', () => {
    // five times 1, then eight packed: 1 0 1 0 1 0 1 0
    expect(checkRuns(bytes(10, 1, 3, 0b01010101), 0, 4, 1, 13, 1)).toBe(9);
  });

  it('that repeat a value a billion times for ten are refused', () => {
    const run = bytes(...varint(2 * 1_000_000_000), 1);
    expect(() => checkRuns(run, 0, run.length, 1, 10)).toThrow(/more levels or indices than values/);
  });

  it('of a hundred bits are refused', () => {
    expect(() => checkRuns(bytes(2, 1), 0, 2, 100, 1)).toThrow(/100 bits/);
  });
});

describe('deltas', () => {
  const header = (block: number, parts: number, count: number) => [
    ...varint(block),
    ...varint(parts),
    ...varint(count),
    0,
  ];

  it('end where their blocks end', () => {
    expect(deltaEnd(bytes(...header(128, 4, 3), 2, 8, 0, 0, 0, ...new Array(32).fill(1)), 0, 3)).toBe(42);
  });

  it.each([
    ['no block', header(0, 4, 3)],
    ['a block of four billion', header(2 ** 32 - 128, 4, 3)],
    ['no parts', header(128, 0, 3)],
    ['another number of values', header(128, 4, 2 ** 30)],
  ])('with %s are refused', (_, head) => {
    expect(() => deltaEnd(bytes(...head, 0, 0, 0, 0, 0), 0, 3)).toThrow(/impossible/);
  });

  it('of prefixes that double every text are refused', () => {
    // prefix lengths 0 and 1, where the text before is empty
    const ones = [...header(128, 4, 2), 2, 0, 0, 0, 0];
    const none = [...header(128, 4, 2), 0, 0, 0, 0, 0];
    expect(() => checkPrefixes(bytes(...ones, ...none), 0, 2)).toThrow(/impossible prefixes/);
  });
});
