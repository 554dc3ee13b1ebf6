/** MME, MMStar, ChartQA and MMBench: published rows as they are asked, prediction rows as they are refused, model steps. */
import { describe, expect, test } from 'vitest';
import type { Benchmark, ModelStep, Row } from '../../../src/eval/benchmarks/benchmark.ts';
import { chartqa } from '../../../src/eval/benchmarks/chartqa.ts';
import { optionsInQuestion } from '../../../src/eval/benchmarks/choice-rows.ts';
import { mmbench } from '../../../src/eval/benchmarks/mmbench.ts';
import { mme } from '../../../src/eval/benchmarks/mme.ts';
import { mmstar } from '../../../src/eval/benchmarks/mmstar.ts';

const bytes = new Uint8Array([137, 80, 78, 71]);
const hubPicture = { bytes, path: 'a.png' };
const base64 = Buffer.from(bytes).toString('base64').repeat(20);

const ask = (benchmark: Benchmark, row: Row, source = 'data/test.parquet: row 1') =>
  benchmark.asking.question(row, source, benchmark.asking.variants[0]);

/** What was asked, answered with its own true answer, is right: `fields` is all that scoring needs. */
function expectScorable(benchmark: Benchmark, row: Row, response: string) {
  const { fields } = ask(benchmark, row);
  const parsed = benchmark.parse({ ...JSON.parse(JSON.stringify(fields)), response }, 'row');
  expect(benchmark.score([parsed], 'official').rows[0].hit).toBe(true);
}

describe('MME', () => {
  const hub = {
    question_id: 'artwork/1.jpg',
    image: hubPicture,
    question: 'Is this by Monet? Please answer yes or no.',
    answer: 'Yes',
    category: 'artwork',
  };

  test('the question stands as it is published', () => {
    expect(ask(mme, hub)).toEqual({
      id: 'artwork/1.jpg Is this by Monet? Please answer yes or no.',
      parts: [{ picture: bytes }, { text: 'Is this by Monet? Please answer yes or no.' }],
      fields: {
        question_id: 'artwork/1.jpg',
        category: 'artwork',
        question: 'Is this by Monet? Please answer yes or no.',
        answer: 'Yes',
      },
    });
    expectScorable(mme, hub, 'Yes, it is.');
    const { question_id: _, ...row } = hub;
    const tsv = { ...row, index: '12', image: base64, image_path: 'images/artwork/1.jpg' };
    expect(ask(mme, tsv).parts[0]).toEqual({ picture: { base64 } });
    expectScorable(mme, tsv, 'yes');
  });

  test('a picture with one question only counts for accuracy, and is told', () => {
    const rows = ['1', '2', '2'].map((image_path, i) =>
      mme.parse({ image_path, category: 'OCR', answer: i === 2 ? 'No' : 'Yes', response: 'yes' }, 'row'),
    );
    expect(mme.score(rows, 'official').summary).toMatchObject({
      n: 3,
      unpaired: 1,
      total: expect.closeTo(200 / 3, 9),
      subtasks: { OCR: { n: 3, correct: 2, accuracy_plus: 0 } },
    });
  });
});

describe('MMStar', () => {
  const question = 'Where is it?\nOptions: A: on the book., B: under it, C: in C, D: beside, or so';
  const hub = { index: 3, question, image: bytes, answer: 'B', category: 'math', l2_category: 'geometry' };

  test('options that the question holds are not given twice; those in columns are listed', () => {
    expect(ask(mmstar, hub).parts[1]).toEqual({
      text: `Question: ${question}\nPlease select the correct answer from the options above. \n`,
    });
    const tsv = { ...hub, image: base64, question: 'Where?', A: 'left', B: 'right', C: '', D: 'None' };
    expect(ask(mmstar, tsv).parts[1]).toEqual({
      text: 'Question: Where?\nOptions:\nA. left\nB. right\nPlease select the correct answer from the options above. \n',
    });
    expectScorable(mmstar, tsv, 'it is right');
  });

  test('options are read from the question, where the texts can decide', () => {
    expect(optionsInQuestion(question)).toEqual({
      A: 'on the book.',
      B: 'under it',
      C: 'in C',
      D: 'beside, or so',
    });
    expect(optionsInQuestion('Which?\nChoices:\n(A) one\n(B) two: B: 3')).toEqual({
      A: 'one',
      B: 'two: B: 3',
    });
    expect(optionsInQuestion('Which option? A or B')).toEqual({});
    expectScorable(mmstar, hub, 'It lies under it.');
    expectScorable(mmstar, { ...hub, question: 'Which?' }, '(B)');
  });
});

describe('ChartQA', () => {
  const asked = { text: 'How many?\nAnswer the question using a single word or phrase.' };

  test.each([
    [
      'HuggingFaceM4/ChartQA',
      { image: hubPicture, query: 'How many?', label: ['14'], human_or_machine: 1 },
      'test_augmented',
    ],
    [
      'lmms-lab/ChartQA',
      { image: hubPicture, question: 'How many?', answer: '14', type: 'human_test' },
      'test_human',
    ],
    [
      'a TSV',
      { index: 5, image: base64, question: 'How many?', answer: '14', split: 'test_augmented' },
      'test_augmented',
    ],
  ])('%s', (_, row, split) => {
    const { parts, fields } = ask(chartqa, row);
    expect(parts[1]).toEqual(asked);
    expect(fields).toMatchObject({ split, question: 'How many?', answer: '14' });
    expectScorable(chartqa, row, '14.5');
  });

  test("ChartQA's own files: the picture lies beside, the file's name tells who asked", () => {
    const row = { imgname: '41.png', query: 'How many?', label: '14' };
    expect(ask(chartqa, row, '/data/test/test_human.json: row 1')).toEqual({
      id: 'human 41.png How many?',
      parts: [{ picture: { path: 'test/png/41.png' } }, asked],
      fields: { imgname: '41.png', split: 'test_human', question: 'How many?', answer: '14' },
    });
  });

  test('one question about two pictures without names is two questions', () => {
    const row = { query: 'How many?', label: ['14'], human_or_machine: 0 };
    const first = ask(chartqa, { ...row, image: { bytes, path: null } });
    const second = ask(chartqa, { ...row, image: { bytes: new Uint8Array([1]), path: null } });
    expect(first.id).not.toBe(second.id);
  });
});

describe('MMBench', () => {
  const hub = {
    index: 1000241,
    question: 'Which?',
    hint: 'nan',
    A: 'a cat',
    B: 'a dog',
    C: 'nan',
    D: 'nan',
    answer: 'B',
    category: 'identity_reasoning',
    image: hubPicture,
    source: 'x',
    'L2-category': 'attribute_reasoning',
    comment: 'nan',
    split: 'dev',
  };

  test('the hint stands first, empty options are left out, and the rotation keeps its index', () => {
    expect(ask(mmbench, hub)).toEqual({
      id: '1000241',
      parts: [
        { picture: bytes },
        {
          text: 'Question: Which?\nOptions:\nA. a cat\nB. a dog\nPlease select the correct answer from the options above. \n',
        },
      ],
      fields: {
        index: 1000241,
        question: 'Which?',
        A: 'a cat',
        B: 'a dog',
        answer: 'B',
        category: 'identity_reasoning',
        'l2-category': 'attribute_reasoning',
        split: 'dev',
      },
    });
    const hinted = ask(mmbench, { ...hub, hint: 'Look.' });
    expect(hinted.parts[1]).toMatchObject({ text: expect.stringMatching(/^Hint: Look\.\nQuestion: /) });
    expectScorable(mmbench, { ...hub, index: '241.0', image: base64 }, 'a dog');
  });

  test('files of both languages', () => {
    expect(mmbench.asking.files('en')).toContain('MMBench_DEV_EN.tsv');
    expect(mmbench.asking.files('cn')).toContain('cn/dev-*.parquet');
  });

  test('one wrong rotation makes the question wrong; one without its first rotation is told', () => {
    const row = (index: number, answer: string, response: string) =>
      mmbench.parse({ index, answer, response, A: 'x', B: 'y' }, 'row');
    const { summary, rows } = mmbench.score(
      [row(1, 'A', 'A'), row(1000001, 'B', 'A'), row(2, 'A', 'A'), row(1000003, 'A', 'A')],
      'official',
    );
    expect(rows.map(({ hit, rotation_hit }) => [hit, rotation_hit])).toEqual([
      [false, true],
      [false, false],
      [true, true],
      [true, true],
    ]);
    expect(summary).toMatchObject({ n: 2, correct: 1, rotations: 4, without_first_rotation: 1 });
  });
});

describe('the last answer tag is scored, an extraction as it stands', () => {
  const base = { index: 1, category: 'math', answer: 'B', A: 'x', B: 'y' };
  const hit = (row: Row) => mmstar.score([mmstar.parse({ ...base, ...row }, 'row')], 'official').rows[0];

  test.each([
    ['<think>A</think><answer>A</answer> no, <answer> B </answer>', true],
    ['<answer>A</answer> B', false],
    ['<answer>B', false],
    ['', false],
  ])('%s', (response, right) => {
    expect(hit({ response }).hit).toBe(right);
  });

  test('who decided is counted', () => {
    expect(hit({ response: 'A', extraction: 'B' })).toMatchObject({ hit: true, decided_by: 'extractor' });
    expect(hit({ response: 'B', extraction: '' })).toMatchObject({ hit: false, decided_by: 'none' });
    expect(hit({ response: 'B', extraction: null })).toMatchObject({ hit: true, decided_by: 'rules' });
    const { summary } = mmstar.score(
      ['B', 'no idea'].map((response) => mmstar.parse({ ...base, response }, 'row')),
      'official',
    );
    expect(summary.decided_by).toEqual({ rules: 1, extractor: 0, none: 1 });
  });
});

describe('a model is asked only where the rules tell nothing', () => {
  const step = (benchmark: Benchmark): ModelStep => benchmark.model[0];

  test('which option a response means (MMBench, MMStar)', () => {
    const row = { index: 1, question: 'What {is} it?', answer: 'B', A: 'a cat', B: 'a dog' };
    const { template, prompt, read } = step(mmbench);
    expect(prompt({ ...row, response: 'a dog' }, template)).toBeNull();
    expect(prompt({ ...row, response: 'hm', extraction: 'B' }, template)).toBeNull();
    const vague = { ...row, response: 'Some {response} canine' };
    const asked = prompt(vague, template) as string;
    expect(asked).toContain(
      'Question: What {is} it?\nOptions:\nA. a cat\nB. a dog\nReply: Some {response} canine',
    );
    expect(read(vague, 'I cannot tell')).toBeNull();
    const extracted = read(vague, 'B') as Row;
    expect(mmbench.score([extracted], 'official').summary).toMatchObject({
      correct: 1,
      decided_by: { rules: 0, extractor: 1, none: 0 },
    });
    expect(read(vague, 'Z')).toMatchObject({ extraction: 'Z' });
    expect(step(mmstar)).toBe(step(mmbench));
  });

  test('yes or no (MME); nothing for ChartQA', () => {
    const { template, prompt, read } = step(mme);
    const row = { category: 'OCR', image_path: 'a', question: 'Is it?', answer: 'Yes', response: 'Indeed' };
    expect(prompt({ ...row, response: 'No.' }, template)).toBeNull();
    expect(prompt(row, 'Q {question} R {response} {other}')).toBe('Q Is it? R Indeed {other}');
    expect(read(row, 'Yes')).toMatchObject({ extraction: 'Yes' });
    expect(read(row, 'Unknown')).toBeNull();
    expect(chartqa.model).toEqual([]);
  });
});

test.each([
  [mme, { category: 'colour', answer: 'Yes', response: '' }, /^F:3: category: must be one of "existence"/],
  [
    mme,
    { category: 'OCR', answer: 'maybe', image_path: 'a', response: '' },
    /^F:3: answer: must be Yes or No, found "maybe"$/,
  ],
  [mme, { category: 'OCR', answer: 'No', response: '' }, /^F:3: image_path: is missing/],
  [mmstar, { index: 1, category: 'math', answer: 'B' }, /^F:3: response: is missing$/],
  [
    mmstar,
    { index: 1, category: 'math', answer: 'cat', response: '' },
    /^F:3: answer: must be the letter of an option, found "cat"$/,
  ],
  [chartqa, { response: '5' }, /^F:3: answer: is missing/],
  [
    chartqa,
    { answer: '5', response: ['5'] },
    /^F:3: response: must be string or number or null, found \["5"\]$/,
  ],
  [
    mmbench,
    { index: 1.5, answer: 'A', A: 'x', response: '' },
    /^F:3: index: must be a whole number, found 1.5$/,
  ],
  [mmbench, { index: 1, answer: 'A', response: '' }, /^F:3: A: is missing/],
] as const)('a row that cannot be scored is one line', (benchmark, row, message) => {
  expect(() => benchmark.parse(row, 'F:3')).toThrow(message);
});

test('a published row without a picture, or of another layout, is one line', () => {
  expect(() => ask(mme, { category: 'OCR', question: 'q', answer: 'No' }, 'F: row 3')).toThrow(
    /^F: row 3: image: is missing/,
  );
  expect(() => ask(chartqa, { image: bytes, answer: '1' }, 'F: row 3')).toThrow(
    /^F: row 3: question: is missing/,
  );
  expect(() => ask(mmbench, { index: 1, question: 'q', answer: 'A', image: bytes }, 'F: row 3')).toThrow(
    /^F: row 3: A: is missing/,
  );
});
