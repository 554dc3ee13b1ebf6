/** Python's numbers and texts. Expected values are what Python 3.11 prints. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  pyFloat,
  pyFloatText,
  pyInt,
  pyLength,
  pyRound,
  pyText,
  pyTruncate,
} from '../../../src/eval/benchmarks/python.ts';
import { pyLiteral } from '../../../src/eval/benchmarks/python-literal.ts';

describe('float(text)', () => {
  it.each([
    ['1_000.5', 1000.5],
    ['.5', 0.5],
    ['5.', 5],
    [' \t7\n', 7],
    ['\u00a07\u2003', 7],
    ['٣.٥', 3.5],
    ['𝟛', 3],
    ['-Infinity', -Infinity],
    ['1e400', Infinity],
    ['+NaN', Number.NaN],
  ])('%j is %d', (text, value) => {
    expect(pyFloat(text)).toBe(value);
  });

  it.each([
    '',
    ' ',
    '1_',
    '_1',
    '1__0',
    '1_.5',
    '1._5',
    '1e_5',
    '1,000',
    '0x10',
    '1 2',
    '½',
    '\x1c7',
    '--1',
    'e5',
    '.',
  ])('%j is none', (text) => {
    expect(pyFloat(text)).toBeNull();
  });
});

it('int(text) takes whole numbers of any size, up to 4,300 digits', () => {
  expect(pyInt(' +0_07 ')).toBe(7n);
  expect(pyInt('٤٢')).toBe(42n);
  expect(pyInt('9'.repeat(4300))).not.toBeNull();
  for (const text of ['9'.repeat(4301), '5.0', '', '1e3', 'inf']) expect(pyInt(text)).toBeNull();
  expect(pyTruncate(-2.9)).toBe(-2n);
  expect(String(pyTruncate(1e22))).toBe('10000000000000000000000');
  expect(pyTruncate(Number.NaN)).toBeNull();
});

describe('round(x, n)', () => {
  it.each([
    [1.445, 2, 1.45],
    [1.455, 2, 1.46],
    [2.675, 2, 2.67],
    [1.005, 2, 1.0],
    [0.125, 2, 0.12],
    [0.375, 2, 0.38],
    [2.5, 0, 2],
    [-0.5, 0, -0],
    [15, -1, 20],
    [25, -1, 20],
    [1e300, 2, 1e300],
    [5e-324, 400, 5e-324],
  ])('of %d to %d places is %d', (x, places, rounded) => {
    expect(pyRound(x, places)).toBe(rounded);
  });

  it('is the nearest decimal: no further from x than any other of so many places', () => {
    const x = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(x, fc.nat(6), (value, places) => {
        const rounded = pyRound(value, places)!;
        const step = 10 ** -places;
        return Math.abs(rounded - value) <= step / 2 + 1e-9 && pyRound(rounded, places) === rounded;
      }),
    );
  });
});

it('str(float)', () => {
  const texts = [5, -0, 0.1, 1e15, 1e16, 123456789012345680, 1e22, 1e-4, 1e-5, 1.5e-7, 5e-324, Infinity];
  expect(texts.map(pyFloatText)).toEqual(
    '5.0 -0.0 0.1 1000000000000000.0 1e+16 1.2345678901234568e+17 1e+22 0.0001 1e-05 1.5e-07 5e-324 inf'.split(
      ' ',
    ),
  );
  fc.assert(fc.property(fc.double(), (x) => Object.is(pyFloat(pyFloatText(x)), x)));
});

it('str() of JSON values', () => {
  expect([null, true, 3, 2.5, 'a', [1, "it's", 'a"b'], { k: [null, '\n\u00a0é'] }].map(pyText)).toEqual([
    'None',
    'True',
    '3',
    '2.5',
    'a',
    `[1, "it's", 'a"b']`,
    `{'k': [None, '\\n\\xa0é']}`,
  ]);
  expect(pyLength('a👍🏽é')).toBe(4);
});

describe('literals', () => {
  it('are read as Python reads them', () => {
    expect(pyLiteral(`['3/11', "o'clock", 'a\\'b\\u00e9\\x41', 'x' 'y',]`)).toEqual([
      '3/11',
      "o'clock",
      "a'bé" + 'A',
      'xy',
    ]);
    expect(pyLiteral(` {'a': None, 'b': (1, -2.5e3, 1_000), 'c': {}, "d": True} `)).toEqual({
      a: null,
      b: [1, -2500, 1000],
      c: {},
      d: true,
    });
  });

  it.each([
    '',
    '[',
    "['a'",
    "['a' 1]",
    '[a]',
    "{'a'}",
    "'a\nb'",
    '1 2',
    '[,]',
    '__import__("os")',
    '['.repeat(60),
  ])('%j is none', (text) => {
    expect(() => pyLiteral(text)).toThrow(SyntaxError);
  });

  it('and what str() writes comes back', () => {
    const { tie } = fc.letrec((tie) => ({
      tie: fc.oneof(
        { maxDepth: 3 },
        fc.string({ unit: 'grapheme' }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('tie')),
      ),
    }));
    fc.assert(
      fc.property(fc.array(tie), (value) => {
        expect(pyLiteral(pyText(value))).toEqual(value);
      }),
    );
  });
});
