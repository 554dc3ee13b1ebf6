import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { narrow as narrowed, OVERFLOW } from '../../src/models/narrow.ts';
import { widen } from '../../src/models/widen.ts';

describe.each([
  ['float16', 'F16'],
  ['bfloat16', 'BF16'],
] as const)('%s', (_, dtype) => {
  const overflow = OVERFLOW[dtype];
  const every = Array.from({ length: 65536 }, (_, half) => half);
  const values = new Float32Array(every.length);
  widen(dtype, new Uint8Array(Uint16Array.from(every).buffer), values);
  const wide = (half: number): number => values[half];
  const narrow = (value: number): number => narrowed(dtype, Float32Array.of(value))[0];

  it('comes back from float32 as it was, every one of the 65,536', () => {
    const wrong = every.filter((half) => {
      const value = wide(half);
      return Number.isNaN(value) ? !Number.isNaN(wide(narrow(value))) : narrow(value) !== half;
    });
    expect(wrong).toEqual([]);
  });

  it('between two of them is rounded to the nearer, half-way to the even one', () => {
    const positive = every.filter((half) => half < 0x7fff && Number.isFinite(wide(half + 1)));
    const wrong = positive.filter((half) => {
      const middle = (wide(half) + wide(half + 1)) / 2;
      const [below, above] = neighbours(middle);
      return (
        narrow(middle) !== half + (half % 2) ||
        narrow(-middle) !== 0x8000 + half + (half % 2) ||
        narrow(below) !== half ||
        narrow(above) !== half + 1
      );
    });
    expect(wrong).toEqual([]);
  });

  it('keeps the order of numbers', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
        expect(wide(narrow(Math.min(a, b)))).toBeLessThanOrEqual(wide(narrow(Math.max(a, b))));
      }),
    );
  });

  it('becomes infinite from the overflow limit on, and NaN stays NaN', () => {
    expect(wide(narrow(overflow))).toBe(Infinity);
    expect(wide(narrow(-overflow))).toBe(-Infinity);
    expect(Number.isFinite(wide(narrow(neighbours(overflow)[0])))).toBe(true);
    expect(wide(narrow(Infinity))).toBe(Infinity);
    expect(wide(narrow(Number.NaN))).toBeNaN();
  });
});

/** The float32s below and above a positive float32. */
function neighbours(value: number): [number, number] {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const float = (b: number) => new Float32Array(Uint32Array.of(b).buffer)[0];
  return [float(bits - 1), float(bits + 1)];
}
