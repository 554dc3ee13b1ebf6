/** A response cut into steps: where, and that nothing is lost. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_STEPS, splitSteps, stepThinking } from '../../../src/trm/steps/split.ts';
import { keyed } from '../../../src/worlds/random.ts';
import {
  oracle,
  questionRecord,
  responseText,
  TRACE_STYLES,
  traceOf,
  VOCABULARY,
} from '../../../src/worlds/seeing/index.ts';

const SPLITS = ['statements', 'text'] as const;
const ANSWER = '</think><answer>5</answer>';
const think = (text: string) => `<think>${text}${ANSWER}`;
/** The thinking's steps, without the tag. */
const textSteps = (text: string) => {
  const steps = splitSteps(think(text), 'text');
  expect(steps.pop()).toBe(ANSWER);
  return steps.map((step, i) => (i === 0 ? step.slice('<think>'.length) : step));
};

describe('every split', () => {
  const scraps = fc.constantFrom(
    ...[
      '<think>',
      '</think>',
      '<answer>',
      '</answer>',
      ' ',
      '\n',
      '\n\n',
      '\r\n',
      '\t',
      '. ',
      '。',
      '! ',
      '3.5',
    ],
    ...['\u00a0', '\ufeff', '\u0085', '\u001c', '\u3000', ...VOCABULARY],
  );
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.array(scraps).map((parts) => parts.join('')),
  );

  it('gives pieces that make the response up again, none of them empty but that of nothing', () => {
    fc.assert(
      fc.property(texts, fc.constantFrom(...SPLITS), (response, split) => {
        const steps = splitSteps(response, split);
        expect(steps.join('')).toBe(response);
        if (response !== '') expect(steps).not.toContain('');
        expect(steps.length).toBeGreaterThan(0);
        if (split === 'text') expect(steps.length).toBeLessThanOrEqual(MOST_STEPS);
      }),
      { numRuns: 500 },
    );
  });

  it('cuts text between words: a step’s end and the next one’s beginning are no one word', () => {
    const latin = fc
      .array(fc.constantFrom('a', 'B', '7', '.', ' ', '\n', '!', 'e.g. '))
      .map((p) => p.join(''));
    fc.assert(
      fc.property(latin, (text) => {
        const steps = splitSteps(think(text), 'text').slice(0, -1);
        for (const [i, step] of steps.slice(1).entries())
          expect(/\s$/.test(steps[i]) || /^\s/.test(step)).toBe(true);
      }),
    );
  });

  it.each(SPLITS)('%s: the answer with the end of the thinking is the last step', (split) => {
    const response = '<think> b1 red circle so 2 </think> <answer> 2 </answer>';
    expect(splitSteps(response, split).at(-1)).toBe(' </think> <answer> 2 </answer>');
  });

  it.each(SPLITS)('%s: a response that does not think is one step', (split) => {
    for (const response of ['<think> \n</think><answer>5</answer>', '<answer>5</answer>', '</think>', ''])
      expect(splitSteps(response, split)).toEqual([response]);
  });

  it.each(SPLITS)('%s: a broken format is cut as far as it can be', (split) => {
    expect(splitSteps('so 1\n\nso 2', split)).toHaveLength(2);
    expect(splitSteps('<think>so 1\n\nso 2', split)).toHaveLength(2);
    expect(splitSteps('so 1\n\nso 2 <answer>2</answer>', split)).toHaveLength(3);
  });
});

describe('statements', () => {
  it('are those of the seeing world, blanks with what follows them', () => {
    const response = responseText({ process: 'note says 2 A b1 red circle b2 empty so 2', answer: '2' });
    expect(splitSteps(response, 'statements')).toEqual([
      '<think> note says 2',
      ' A b1 red circle',
      ' b2 empty',
      ' so 2',
      ' </think> <answer> 2 </answer>',
    ]);
  });

  it('are as many as the oracle judges, and say the same, in every style of every template', () => {
    for (let index = 0; index < 60; index++) {
      const { world } = questionRecord({ seed: 0, split: 'rl', index });
      const trace = traceOf(world!, TRACE_STYLES[index % 3], keyed('split', index));
      const response = responseText(trace);
      const steps = splitSteps(response, 'statements');
      const said = stepThinking(steps).map((text) => text.trim());
      expect(said.slice(0, -1)).toEqual(
        oracle(world!, response)
          .statements.slice(0, -1)
          .map(({ text }) => text),
      );
      expect(said.at(-1)).toBe('');
    }
  });
});

describe('text', () => {
  it('is cut at blank lines; the white space belongs to the paragraph before', () => {
    expect(textSteps('One. Two.\nstill one\n\n  Two.\n \nThree.\n')).toEqual([
      'One. Two.\nstill one\n\n',
      '  Two.\n \n',
      'Three.\n',
    ]);
  });

  it('without blank lines at lines', () => {
    expect(textSteps('First. Look.\r\nThen count.\nSo 5.')).toEqual([
      'First. Look.\r\n',
      'Then count.\n',
      'So 5.',
    ]);
  });

  it('in one line at sentences; blanks belong to the sentence after', () => {
    expect(textSteps('Look first! Is it red? Yes. So 5.')).toEqual([
      'Look first!',
      ' Is it red?',
      ' Yes.',
      ' So 5.',
    ]);
  });

  it.each([
    ['decimals', 'It is 3.14 m long. So 5.', 2],
    ['a number that ends a sentence', 'The sum is 3. Then 2 more make 5.', 2],
    ['abbreviations', 'Shapes, e.g. Circles, as in Fig. 3 and eq. 2, by Dr. Lee of the U.S. Office.', 1],
    ['a list’s number', '1. Count. 2. Add.', 2],
    ['a step’s number', 'Step 1. Count all. Step 2. Add.', 2],
    ['an option that ends a sentence', 'So it is A. The others are wrong.', 2],
    ['a factorial', 'There are 3! ways to do it.', 1],
    ['a dot without white space', 'See a.b.c and v1.2.', 1],
    ['a quotation', 'It says “Stop.” Then it goes on.', 2],
    ['several marks', 'Really?! Yes... No.', 3],
  ])('sentences: %s', (_what, text, count) => {
    expect(textSteps(text)).toHaveLength(count);
  });

  it('sentences of Chinese need no white space; decimals and quotations stay whole', () => {
    expect(textSteps('先看图。长度是3.14米！牌子上写着“停。”然后相加；得5')).toEqual([
      '先看图。',
      '长度是3.14米！',
      '牌子上写着“停。”',
      '然后相加；',
      '得5',
    ]);
    expect(textSteps('先看图。It is 3.5 m long. 所以选A。')).toHaveLength(3);
  });

  it('of more than 12 steps is put together evenly: 11 for the thinking, one for the answer', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `line ${i}\n`);
    const sizes = textSteps(lines.join('')).map((step) => step.trimEnd().split('\n').length);
    expect(sizes).toHaveLength(MOST_STEPS - 1);
    expect(new Set(sizes)).toEqual(new Set([2, 3]));
    expect(textSteps(lines.slice(0, 11).join(''))).toHaveLength(11);
  });
});
