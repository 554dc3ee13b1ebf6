import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseResponse, solutionAnswer } from '../../src/rewards/format.ts';
import { gradeAnswer } from '../../src/rewards/mathruler/grade.ts';
import { multipleChoiceReward } from '../../src/rewards/multiple-choice.ts';
import { numericalReward } from '../../src/rewards/numerical.ts';
import { editDistance, ocrReward } from '../../src/rewards/ocr.ts';
import { porterStem } from '../../src/rewards/porter.ts';
import { freeFormReward, rougeTokens } from '../../src/rewards/rouge.ts';
import { strip, words } from '../../src/rewards/whitespace.ts';
import { mathrulerGrades, nltkStems } from './golden.ts';

describe('the format gate', () => {
  it('lets one think and one answer pass, white space around and between', () => {
    expect(parseResponse(' <think>a\nb</think>\n<answer> 5 </answer> ')).toEqual({
      think: 'a\nb',
      answer: ' 5 ',
    });
    expect(parseResponse('<think></think><answer></answer>')).toEqual({ think: '', answer: '' });
  });

  it.each([
    '<answer>5</answer><think>a</think>',
    '<think>a</think>so<answer>5</answer>',
    '<think>a</think><answer>5</answer>.',
    'x<think>a</think><answer>5</answer>',
    '<think>a</think><answer>5</answer><answer>5</answer>',
    '<think>a<think>b</think><answer>5</answer>',
    '<think>a</think></think><answer>5</answer>',
    '<think>a</think><answer>5',
    '<Think>a</Think><answer>5</answer>',
    '',
  ])('shuts on %j', (response) => {
    expect(parseResponse(response)).toBeNull();
  });

  it('takes a solution with or without its tags', () => {
    expect([solutionAnswer('<answer>5</answer>'), solutionAnswer('5')]).toEqual(['5', '5']);
  });
});

describe('numerical', () => {
  it.each([
    ['5', '5.0'],
    ['05', '5'],
    ['.5', '0.50'],
    ['+5.', '5'],
    ['-0', '0.0'],
    ['12345678901234567890.1', '12345678901234567890.10'],
    ['1/2', '1/2'],
  ])('%s is %s', (a, b) => {
    expect([numericalReward(a, b), numericalReward(b, a)]).toEqual([1, 1]);
  });

  it.each([
    ['1/2', '0.5'],
    ['1,000', '1000'],
    ['50%', '50'],
    ['５', '5'],
    ['1e3', '1000'],
    ['5 cm', '5'],
    ['.', '0'],
    ['-5', '5'],
    ['', '0'],
    ['0.1', '0.10000000000000000001'],
    ['12345678901234567890', '12345678901234567891'],
  ])('%s is not %s', (a, b) => {
    expect([numericalReward(a, b), numericalReward(b, a)]).toEqual([0, 0]);
  });

  it('agrees with numbers on any two decimals that doubles tell apart', () => {
    const decimal = fc
      .tuple(fc.integer({ min: -999, max: 999 }), fc.nat(99))
      .map(([whole, part]) => `${whole}.${part}`);
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        expect(numericalReward(a, b)).toBe(Number(a) === Number(b) ? 1 : 0);
      }),
    );
  });
});

describe('multiple choice', () => {
  it.each([
    [' A ', 'A', 1],
    ['B,A', 'A, B', 1],
    ['A,A,B', 'A,B', 1],
    ['a', 'A', 0],
    ['A,B', 'AB', 0],
    ['A', 'A,A', 0],
    ['A B', 'A,B', 0],
    ['A.', 'A', 0],
    ['', 'A', 0],
  ])('%j for %j earns %d', (answer, truth, reward) => {
    expect(multipleChoiceReward(answer, truth)).toBe(reward);
  });
});

describe('OCR', () => {
  it('is 1 − WER on white-space words, not below 0', () => {
    expect(ocrReward('hello', 'hello world')).toBe(0.5);
    expect(ocrReward('a\nb  c', 'a b\tc')).toBe(1);
    expect(ocrReward('x y z', 'a')).toBe(0);
  });

  it('is right about an empty truth only with an empty answer', () => {
    expect([ocrReward(' ', ''), ocrReward('a', '')]).toEqual([1, 0]);
  });

  it('rests on a metric: edit distance is symmetric, 0 on equals, within length bounds', () => {
    const sequence = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 });
    fc.assert(
      fc.property(sequence, sequence, sequence, (a, b, c) => {
        const d = editDistance(a, b);
        expect(d).toBe(editDistance(b, a));
        expect(d === 0).toBe(a.join() === b.join());
        expect(d).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(d).toBeLessThanOrEqual(editDistance(a, c) + editDistance(c, b));
      }),
    );
  });
});

describe('free-form', () => {
  it('stems as NLTK does', () => {
    expect(nltkStems.map(({ word }) => ({ word, stem: porterStem(word) }))).toEqual(nltkStems);
  });

  it('tokenises as rouge_score does: lower case, [a-z0-9]+, words above three characters stemmed', () => {
    expect(rougeTokens("It's RUNNING, café-style 2nd; was")).toEqual([
      'it',
      's',
      'run',
      'caf',
      'style',
      '2nd',
      'was',
    ]);
  });

  it('is the mean of ROUGE-1, 2 and L', () => {
    // Unigrams 2/2, bigrams 0, longest common subsequence 1 of 2.
    expect(freeFormReward('a b', 'b a')).toBeCloseTo((1 + 0 + 0.5) / 3, 12);
    expect(freeFormReward('!', '!')).toBe(0);
  });

  it('is symmetric', () => {
    const text = fc
      .array(fc.constantFrom('cat', 'cats', 'sat', 'mats', 'the'), { maxLength: 9 })
      .map((w) => w.join(' '));
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(freeFormReward(a, b)).toBeCloseTo(freeFormReward(b, a), 12);
      }),
    );
  });
});

describe('mathruler', () => {
  it('grades as mathruler 0.1.0 does', () => {
    const got = mathrulerGrades.map(({ answer, truth }) => ({
      answer,
      truth,
      equal: gradeAnswer(answer, truth),
    }));
    expect(got).toEqual(mathrulerGrades);
  });
});

describe('white space is Python’s', () => {
  it('strips U+001C and U+0085, not U+FEFF', () => {
    expect(strip('\x1c\x85 a \u3000')).toBe('a');
    expect(strip('\ufeffa')).toBe('\ufeffa');
    expect(words(' a\u00a0b\n')).toEqual(['a', 'b']);
  });
});
