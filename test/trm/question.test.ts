/** Which questions are held out. */
import { describe, expect, it } from 'vitest';
import { firstTimes, heldOutQuestions } from '../../src/trm/question.ts';
import { textRecord } from '../train/small-policy.ts';

const asked = (i: number, folder: string, file = `${i}.png`) => ({
  ...textRecord(i, 'how many?'),
  options: ['A. 1', 'B. 2'],
  picture: `${folder}/${file}`,
});
const split = (folder: string, seed = 0) =>
  Array.from({ length: 200 }, (_, i) => heldOutQuestions(seed, 0.3)(asked(i, folder)));

describe('questions held out', () => {
  it('are the same wherever their pictures lie, about the share, and others with another seed', () => {
    const here = split('/data/images');
    expect(split('/elsewhere/data/images')).toEqual(here);
    expect(split('/data/images', 1)).not.toEqual(here);
    const held = here.filter((is) => is).length;
    expect(held).toBeGreaterThan(35);
    expect(held).toBeLessThan(85);
  });

  it('are told apart by problem, options and picture, not by their number', () => {
    const isHeldOut = heldOutQuestions(0, 0.5);
    const question = asked(1, '/a');
    const differ = (make: (i: number) => Parameters<typeof isHeldOut>[0]) =>
      new Set(Array.from({ length: 40 }, (_, i) => isHeldOut(make(i)))).size;
    expect(differ((i) => ({ ...question, problem: `number ${i}` }))).toBe(2);
    expect(differ((i) => ({ ...question, options: [String(i)] }))).toBe(2);
    expect(differ((i) => ({ ...question, picture: `/a/${i}.png` }))).toBe(2);
    expect(differ((i) => ({ ...question, problem_id: i }))).toBe(1);
  });
});

it('the same response to pictures of one name in two folders is no duplicate', () => {
  const isNew = firstTimes();
  expect([isNew(asked(1, '/a'), 'r'), isNew(asked(1, '/b'), 'r'), isNew(asked(1, '/a'), 'r')]).toEqual([
    true,
    true,
    false,
  ]);
});
