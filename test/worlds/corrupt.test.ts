/** Corruptions of the seeing world's responses: each does what it says, and the oracle says how much worse it is. */
import { describe, expect, it } from 'vitest';
import { parseResponse } from '../../src/rewards/format.ts';
import { keyed } from '../../src/worlds/random.ts';
import {
  madeUpListing,
  oracle,
  questionRecord,
  responseText,
  type SeeingWorld,
  seeingCorruptions,
  soundTrace,
} from '../../src/worlds/seeing/index.ts';

type Name = keyof typeof seeingCorruptions;

const world = (index: number) => questionRecord({ seed: 1, split: 'trm', index }).world!;
const sound = (of: SeeingWorld) => responseText(soundTrace(of));
/** Corruptions of the sound responses to sixty questions, with the oracle's verdicts. */
function each(name: Name) {
  return Array.from({ length: 60 }, (_, index) => {
    const of = world(index);
    const response = seeingCorruptions[name](of, sound(of), keyed('test', index))!;
    return { of, response, before: oracle(of, sound(of)), after: oracle(of, response) };
  });
}
const verdicts = ({ statements }: ReturnType<typeof oracle>) => statements.map(({ verdict }) => verdict);
const texts = ({ statements }: ReturnType<typeof oracle>) => statements.map(({ text }) => text);

describe('every corruption of a sound response', () => {
  it.each(Object.keys(seeingCorruptions) as Name[])(
    '%s keeps the format, changes something, scores no better, and is the same for the same key',
    (name) => {
      for (const { of, response, before, after } of each(name)) {
        expect(parseResponse(response)).not.toBeNull();
        expect(response).not.toBe(sound(of));
        expect(after.score).toBeLessThanOrEqual(before.score);
      }
      expect(each(name).map(({ response }) => response)).toEqual(each(name).map(({ response }) => response));
    },
  );

  it.each(['false_statement', 'step_dropped', 'repetition', 'answer_swapped', 'padding'] as const)(
    '%s makes it worse every time',
    (name) => {
      for (const { before, after } of each(name)) expect(after.score).toBeLessThan(before.score);
    },
  );
});

describe('what a corruption does', () => {
  it('false_statement: adds one statement, which is false, and leaves the others', () => {
    for (const { before, after } of each('false_statement')) {
      expect(verdicts(after).filter((verdict) => verdict === 'false')).toHaveLength(1);
      expect(texts(after)).toHaveLength(texts(before).length + 1);
      expect(texts(after)).toEqual(expect.arrayContaining(texts(before)));
    }
  });

  it('step_dropped: leaves one statement out, and the answer in', () => {
    for (const { of, before, after } of each('step_dropped')) {
      expect(texts(after)).toHaveLength(texts(before).length - 1);
      expect(texts(before)).toEqual(expect.arrayContaining(texts(after)));
      expect(texts(after).at(-1)).toBe(`answer ${of.answer}`);
    }
  });

  it('steps_shuffled: the same statements in another order', () => {
    for (const { before, after } of each('steps_shuffled')) {
      expect(texts(after)).not.toEqual(texts(before));
      expect(texts(after).sort()).toEqual(texts(before).sort());
    }
  });

  it('repetition: one statement is there three times, twice as repeated', () => {
    for (const { before, after } of each('repetition')) {
      expect(texts(after)).toHaveLength(texts(before).length + 2);
      expect(verdicts(after).filter((verdict) => verdict === 'repeated')).toHaveLength(2);
    }
  });

  it('answer_swapped: another answer, the reasoning as it was', () => {
    for (const { before, after } of each('answer_swapped')) {
      expect(after.right).toBe(false);
      expect(texts(after).slice(0, -1)).toEqual(texts(before).slice(0, -1));
      expect(verdicts(after).at(-1)).toBe('inconsistent');
    }
  });

  it('padding: true statements that nobody asked for, or filler where the question lists its cells', () => {
    for (const { of, after } of each('padding')) {
      const kind = of.template === 'text' ? 'filler' : 'irrelevant';
      expect(verdicts(after).filter((verdict) => verdict === kind)).toHaveLength(3);
      expect(verdicts(after)).toContain('follows');
    }
  });

  it('cannot be done to a broken format', () => {
    for (const corrupt of Object.values(seeingCorruptions))
      expect(corrupt(world(0), '<think> so 1', keyed('test'))).toBeNull();
  });
});

describe('a made-up listing', () => {
  it('has the form of a sound one, keeps the answer and its conclusion follows from what it states', () => {
    for (let index = 0; index < 60; index++) {
      const of = world(index);
      const made = madeUpListing(of, sound(of), keyed('test', index))!;
      const judged = oracle(of, made);
      expect(parseResponse(made)!.answer).toBe(parseResponse(sound(of))!.answer);
      expect(judged.statements.map(({ text }) => text.split(' ')[0])).toEqual(
        oracle(of, sound(of)).statements.map(({ text }) => text.split(' ')[0]),
      );
      expect(verdicts(judged).slice(-2)).toEqual(['follows', 'consistent']);
    }
  });

  it('is none where no contents give the answer: three cells do not hold four of anything', () => {
    const of: SeeingWorld = { ...world(0), rule: { kind: 'count', of: 'red' }, relevant: ['a1', 'a2', 'a3'] };
    const response = responseText({ process: 'clearly so 4', answer: '4' });
    expect(madeUpListing(of, response, keyed('test'))).toBeNull();
  });
});
