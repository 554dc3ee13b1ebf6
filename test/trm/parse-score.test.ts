/** What a judge wrote, as a score: golden rows of an independent strict parser, and what must hold of all texts. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseScore } from '../../src/trm/parse-score.ts';

interface Golden {
  id: string;
  text: string;
  strict_value_in_0_1: number | null;
}
const golden: Golden[] = readFileSync(
  new URL('../fixtures/rewards/public_trm_parse.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

const plain = (text: string) => parseScore(text, { thinks: false });
const thinking = (text: string) => parseScore(text, { thinks: true });

it.each(golden)('$id: $text is $strict_value_in_0_1', ({ text, strict_value_in_0_1: value }) => {
  expect(plain(text)).toEqual({ score: value, failure: value === null ? expect.any(String) : null });
});

describe('a decimal in [0, 1]', () => {
  const decimals = fc.integer({ min: 0, max: 1000 }).map((n) => n / 1000);

  it('is read unrounded, with white space around it, or as all of one <answer> body', () => {
    fc.assert(
      fc.property(decimals, fc.constantFrom('', ' ', '\n', '\t '), (value, space) => {
        const text = `${space}${value}${space}`;
        for (const said of [text, `<answer>${text}</answer>`, `${space}<answer>${text}</answer>${space}`])
          expect(plain(said)).toEqual({ score: value, failure: null });
      }),
    );
  });

  it('with anything else beside it is a failure that quotes what was read, on one line', () => {
    const others = fc.constantFrom(
      'a',
      '%',
      '/1',
      ',5',
      '-',
      '+',
      '.',
      'e1',
      ' 0.5 ',
      '<answer>',
      '</think>',
    );
    fc.assert(
      fc.property(decimals, others, fc.boolean(), (value, other, before) => {
        const text = before ? `${other}${value}` : `${value}${other}`;
        const { score, failure } = plain(text);
        expect(score).toBeNull();
        expect(failure).toMatch(/^not a score from 0 to 1: ".*"$/);
      }),
    );
  });
});

it('whatever is written, exactly one of score and failure is null, and a score lies in [0, 1]', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({
      unit: fc.constantFrom('0', '1', '.', ' ', '<answer>', '</answer>', '<think>', '</think>', '-'),
    }),
  );
  fc.assert(
    fc.property(texts, fc.boolean(), (text, thinks) => {
      const { score, failure } = parseScore(text, { thinks });
      expect([score, failure].filter((value) => value === null)).toHaveLength(1);
      if (score !== null) expect(score >= 0 && score <= 1).toBe(true);
    }),
  );
});

it.each(['', ' \n', '<answer></answer>'])('nothing (%j) is a failure that says so', (text) => {
  expect(plain(text)).toEqual({ score: null, failure: 'the judge said nothing' });
});

it.each(['.5', '5%', '1/2', '0,5', '1.01', '2', '00.5', '0.', '1e-1', '٠.٥', 'NaN', '0.5 0.6'])(
  '%s is no score',
  (text) => {
    expect(plain(text).score).toBeNull();
    expect(plain(`<answer>${text}</answer>`).score).toBeNull();
  },
);

describe('a judge that thinks first', () => {
  it.each([
    ['thinks in tags', '<think>0.3? No.</think>\n0.8'],
    ['thinks without the tag that its prompt ended with', 'maybe 0.3</think>0.8'],
    ['does not think', '0.8'],
    ['answers in a tag', '<think>hm</think><answer> 0.8 </answer>'],
  ])('and %s is read by what comes after', (_what, text) => {
    expect(thinking(text)).toEqual({ score: 0.8, failure: null });
  });

  it('but may not think, unless it is allowed to', () => {
    expect(plain('<think>hm</think>0.8').score).toBeNull();
  });

  it('and never ends is a failure that says so', () => {
    expect(thinking('<think>0.8').failure).toBe('the judge never came to the end of its thinking');
  });

  it('and thinks twice is a failure', () => {
    expect(thinking('<think>a</think><think>b</think>0.8').score).toBeNull();
    expect(thinking('<think>a</think>b</think>0.8').score).toBeNull();
  });
});
