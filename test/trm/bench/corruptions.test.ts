/** Corruptions of any response: each does what it says and keeps the format. */
import { describe, expect, it } from 'vitest';
import { parseResponse } from '../../../src/rewards/format.ts';
import { CORRUPTIONS, type Corruption, corrupted } from '../../../src/trm/bench/corruptions.ts';
import { textSteps } from '../../../src/trm/bench/steps.ts';
import { oracleVerdict } from '../../../src/trm/oracle-judge.ts';
import { textRow, worldQuestion } from './bench-data.ts';

const row = textRow(
  '<think>\n1. There are 12 apples.\n2. Bob adds 30 more. Nothing is lost!\n3. So it is 42.\n</think>\n<answer>42</answer>',
);
const steps = (response: string) => textSteps(parseResponse(response)!.think).map(({ text }) => text);
const before = steps(row.response);
const done = (kind: Corruption, key: number, of = row, others = [row]) => corrupted(kind, of, others, [key]);
const keys = Array.from({ length: 20 }, (_, key) => key);

describe('steps of a text', () => {
  it('are lines and sentences; a number at the beginning of a line ends none, a decimal point neither', () => {
    expect(before).toEqual([
      '1. There are 12 apples.',
      '2. Bob adds 30 more.',
      'Nothing is lost!',
      '3. So it is 42.',
    ]);
    expect(textSteps('It is 3.5 cm long. 二加三是五。所以是五').map(({ text }) => text)).toEqual([
      'It is 3.5 cm long.',
      '二加三是五。',
      '所以是五',
    ]);
    expect(textSteps('  ')).toEqual([]);
  });
});

describe('corruptions of a text', () => {
  it.each(Object.keys(CORRUPTIONS) as Corruption[])(
    '%s keeps format and layout, changes something, and is the same for the same key',
    (kind) => {
      for (const key of keys) {
        const response = done(kind, key)!;
        expect(response).not.toBe(row.response);
        expect(response).toMatch(/^<think>\n[\s\S]+\n<\/think>\n<answer>\d+<\/answer>$/);
        expect(done(kind, key)).toBe(response);
      }
    },
  );

  it('false_statement: one more step, one of its own with another number', () => {
    for (const key of keys) {
      const after = steps(done('false_statement', key)!);
      const added = after.filter((step) => !before.includes(step));
      expect(after).toHaveLength(before.length + 1);
      expect(added).toHaveLength(1);
      expect(before.map((step) => step.replace(/\d+/g, '#'))).toContain(added[0].replace(/\d+/g, '#'));
    }
  });

  it('false_statement: without numbers, a statement about another question; without another, none', () => {
    const plain = textRow('<think>It is red. So red it is.</think><answer>red</answer>');
    const other = textRow('<think>The cat sleeps.</think><answer>cat</answer>', { problem: 'Which animal?' });
    expect(steps(done('false_statement', 0, plain, [plain, other])!)).toContain('The cat sleeps.');
    expect(done('false_statement', 0, plain, [plain])).toBeNull();
  });

  it('step_dropped leaves one out; a single step stays', () => {
    for (const key of keys) {
      const after = steps(done('step_dropped', key)!);
      expect(after).toHaveLength(before.length - 1);
      expect(before).toEqual(expect.arrayContaining(after));
    }
    const single = textRow('<think>So it is 42.</think><answer>42</answer>');
    expect(done('step_dropped', 0, single)).toBeNull();
    expect(done('steps_shuffled', 0, single)).toBeNull();
  });

  it('steps_shuffled: the same steps in another order', () => {
    for (const key of keys) {
      const after = steps(done('steps_shuffled', key)!);
      expect(after).not.toEqual(before);
      expect([...after].sort()).toEqual([...before].sort());
    }
  });

  it('repetition: one step three times', () => {
    for (const key of keys) {
      const after = steps(done('repetition', key)!);
      expect(after).toHaveLength(before.length + 2);
      expect([...new Set(after)]).toEqual(before);
    }
  });

  it('answer_swapped: another number, another option, or the answer to another question of its kind', () => {
    const answer = (response: string | null) => parseResponse(response!)!.answer.trim();
    for (const key of keys) expect(answer(done('answer_swapped', key))).toMatch(/^(?!42$)\d+$/);
    const choice = textRow('<think>It is B.</think><answer>B</answer>', {
      problem_type: 'multiple choice',
      options: ['A. 3', 'B. 4', '(C) 5'],
    });
    expect(new Set(keys.map((key) => answer(done('answer_swapped', key, choice))))).toEqual(
      new Set(['A', 'C']),
    );
    const free = (text: string) =>
      textRow(`<think>Look.</think><answer>${text}</answer>`, { problem_type: 'free-form' });
    expect(
      answer(done('answer_swapped', 0, free('a dog'), [free('a dog'), free('A dog'), free('a cat')])),
    ).toBe('a cat');
    expect(done('answer_swapped', 0, free('a dog'), [free('a dog')])).toBeNull();
  });

  it('padding: everything stays and four sentences that say nothing come in', () => {
    for (const key of keys) {
      const after = steps(done('padding', key)!);
      expect(after).toHaveLength(before.length + 4);
      expect(after.filter((step) => before.includes(step))).toEqual(before);
    }
  });
});

describe('corruptions of a world’s responses', () => {
  it('are those of its statements, so that the oracle can tell what they cost', () => {
    const listing = worldQuestion(0)[0];
    const changed = corrupted('false_statement', listing, [], [0])!;
    const verdict = oracleVerdict(listing.record, changed)!;
    expect(verdict.statements.map((statement) => statement.verdict)).toContain('false');
    expect(verdict.score).toBeLessThan(listing.known);
  });
});
