import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcomeReward } from '../../src/rewards/outcome.ts';
import { type ProblemType, problemTypes, rewardVariants } from '../../src/rewards/types.ts';
import { goldenRewards, publishedRewards } from './golden.ts';

const respond = (answer: string) => `<think>so</think><answer>${answer}</answer>`;
const score = (problemType: ProblemType, answer: string, solution: string) =>
  outcomeReward({ problemType, response: respond(answer), solution });

describe('golden rows', () => {
  it.each(goldenRewards.filter(({ ambiguous }) => !ambiguous))('paper: $id $type $tag', (row) => {
    const got = outcomeReward({ problemType: row.type, response: row.response, solution: row.truth });
    expect(got.formatOk).toBe(row.paper_format_ok);
    expect(got.reward).toBeCloseTo(row.paper_reward, 12);
  });

  it('paper: what is left open is settled as the golden default is', () => {
    const off = goldenRewards.filter(
      (row) =>
        Math.abs(
          outcomeReward({ problemType: row.type, response: row.response, solution: row.truth }).reward -
            row.paper_reward,
        ) > 1e-12,
    );
    expect(off.map(({ id }) => id)).toEqual([]);
  });

  it.each(goldenRewards)('published code: $id $type $tag', (row) => {
    const got = outcomeReward({
      problemType: row.type,
      response: row.response,
      solution: row.truth,
      variant: 'reference',
    });
    expect(got.formatOk).toBe(row.reference_format_ok);
    expect(got.reward).toBeCloseTo(row.reference_train_reward, 12);
  });

  it('published code: random multiple choice, OCR and free-form responses', () => {
    const got = publishedRewards.map(({ type, response, truth }) => {
      const { reward, formatOk } = outcomeReward({
        problemType: type,
        response,
        solution: truth,
        variant: 'reference',
      });
      return { type, response, truth, format_ok: formatOk, reward: expect.closeTo(reward, 10) };
    });
    expect(publishedRewards).toEqual(got);
  });

  it('accuracy counts exact matches: an equal value written otherwise earns the reward but is not exact', () => {
    for (const row of goldenRewards.filter((one) => one.type === 'numerical' && one.paper_format_ok)) {
      const { exact } = outcomeReward({ problemType: row.type, response: row.response, solution: row.truth });
      if (row.string_exact !== undefined) expect([row.id, exact]).toEqual([row.id, row.string_exact === 1]);
    }
    expect(score('numerical', '5.0', '5')).toMatchObject({ reward: 1, exact: false });
  });
});

describe('every reward', () => {
  const markup = fc.constantFrom(
    '<think>',
    '</think>',
    '<answer>',
    '</answer>',
    '\\frac{',
    '}',
    ',',
    '$',
    ' ',
    '\n',
    '1',
    '.',
    'a',
  );
  const messy = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.oneof(markup, fc.string({ unit: 'grapheme', maxLength: 4 })), { maxLength: 20 })
      .map((parts) => parts.join('')),
  );
  const response = fc.oneof(messy, messy.map(respond));

  it('lies in [0, 1] and nothing throws, on any strings', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...problemTypes),
        response,
        messy,
        fc.constantFrom(...rewardVariants),
        (problemType, said, solution, variant) => {
          const { reward, formatOk, answer } = outcomeReward({
            problemType,
            response: said,
            solution,
            variant,
          });
          expect(reward).toBeGreaterThanOrEqual(0);
          expect(reward).toBeLessThanOrEqual(1);
          expect(answer === null).toBe(!formatOk);
          if (!formatOk) expect(reward).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is 1 and exact for the true answer itself, with or without its tags', () => {
    const plain = fc.stringMatching(/^[a-z0-9]{1,8}( [a-z0-9]{1,8}){1,4}$/);
    fc.assert(
      fc.property(fc.constantFrom(...problemTypes), plain, (problemType, truth) => {
        for (const solution of [truth, `<answer>${truth}</answer>`]) {
          const { reward, exact } = score(problemType, ` ${truth}\n`, solution);
          expect([reward, exact]).toEqual([1, true]);
        }
      }),
    );
  });

  it('is the same on CRLF and other white space around the parts', () => {
    const response = '\r\n<think>so\r\n</think>\u00a0\r\n<answer>\r\n5\r\n</answer>\t';
    expect(outcomeReward({ problemType: 'numerical', response, solution: '5' })).toEqual({
      reward: 1,
      formatOk: true,
      answer: '5',
      exact: true,
    });
  });
});

describe('huge and hostile responses are scored in moderate time', () => {
  const long = 200_000;
  const hostile: [string, string][] = [
    ['unclosed tags', '<think>'.repeat(long / 4)],
    ['digits that end in a letter', respond(`${'1'.repeat(long)}x`)],
    ['open brackets', respond('('.repeat(long))],
    ['open braces', respond(`\\frac${'{'.repeat(long)}`)],
    ['minus signs', respond('-'.repeat(long))],
    ['commas', respond('1,111'.repeat(long / 5))],
    ['blanks', respond(`1${' '.repeat(long)}x`)],
    ['roots', respond('\\sqrt'.repeat(long / 5))],
    ['ys', respond('y'.repeat(long))],
    ['words', respond('the cat '.repeat(long / 8))],
  ];
  it.each(hostile)('%s', (_name, response) => {
    const start = performance.now();
    for (const variant of rewardVariants)
      for (const problemType of problemTypes)
        outcomeReward({ problemType, response, solution: 'the cat sat on 12 mats', variant });
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
