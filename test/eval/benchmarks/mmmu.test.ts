/** MMMU as its own scripts score it, and as VLMEvalKit does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inferChoice } from '../../../src/eval/benchmarks/choice-inference.ts';
import { mmmu } from '../../../src/eval/benchmarks/mmmu.ts';
import { parseOpen } from '../../../src/eval/benchmarks/mmmu-rules.ts';
import { goldenJson, goldenScores, scoreRow, scoreRows } from './golden.ts';

const animals = { A: 'teddy bear', B: 'rabbit', C: 'cat', D: 'dog' };
const choice = {
  id: 'validation_Art_Theory_12',
  question_type: 'multiple-choice',
  all_choices: ['A', 'B', 'C', 'D'],
  index2ans: animals,
  answer: 'C',
};
const open = {
  id: 'validation_Math_3',
  question_type: 'open',
  all_choices: null,
  index2ans: null,
  answer: '42',
};

describe('official golden rows', () => {
  it.each(goldenScores('MMMU', 'official_parse_multi_choice'))(
    '$id: an option from $prediction',
    ({ prediction, truth, choices, ...row }) => {
      const found = scoreRow(mmmu, {
        ...choice,
        index2ans: choices,
        all_choices: Object.keys(choices),
        answer: truth,
        response: prediction,
      });
      expect(found).toMatchObject({
        hit: row.expected_score === 1,
        parsed_pred: row.expected_choice,
        random_fallback: row.random_fallback,
      });
    },
  );

  it.each(goldenScores('MMMU', 'official_open'))(
    '$id: an open answer from $prediction',
    ({ prediction, truth, ...row }) => {
      const found = scoreRow(mmmu, { ...open, answer: truth, response: prediction });
      expect(found.hit).toBe(row.expected_score === 1);
      expect(new Set(parseOpen(prediction))).toEqual(new Set(row.expected_parsed as []));
    },
  );

  it.each(goldenScores('MMMU', 'choice_inference'))(
    "$id: VLMEvalKit's option from $prediction",
    ({ prediction, truth, choices, ...row }) => {
      expect(inferChoice(prediction, choices) ?? 'Z').toBe(row.expected_choice);
      const found = scoreRow(
        mmmu,
        { index: 1, question: 'q', category: 'Art', ...(choices as object), answer: truth, prediction },
        'vlmevalkit',
      );
      expect(found.hit).toBe(row.expected_score === 1);
    },
  );

  it("VLMEvalKit's table by split and subject, where no response has an <answer>", () => {
    const [{ rows = [], expected }] = goldenScores('MMMU', 'vlmevalkit_table');
    const { hit_by_index, report } = expected as {
      hit_by_index: Record<string, number>;
      report: Record<string, Record<string, number | null>>;
    };
    const found = scoreRows(mmmu, rows, 'vlmevalkit');
    const isTagged = (row: Record<string, unknown>) => String(row.prediction).includes('<answer>');
    rows.forEach((row, i) => {
      // it does not look for tags; here the text inside is scored
      expect([row.index, found.rows[i].hit]).toEqual([row.index, isTagged(row) || hit_by_index[i] === 1]);
    });
    const untagged = scoreRows(
      mmmu,
      rows.map((row) => ({ ...row, prediction: String(row.prediction).replaceAll('answer>', 'answer >') })),
      'vlmevalkit',
    );
    const splits = untagged.summary.per_category.split as Record<
      string,
      { accuracy: number; subject: Record<string, { accuracy: number }> }
    >;
    for (const [split, { Overall, ...subjects }] of Object.entries(report)) {
      expect(splits[split].accuracy).toBeCloseTo(Overall!, 12);
      for (const [subject, accuracy] of Object.entries(subjects))
        expect(splits[split].subject[subject]?.accuracy ?? null).toEqual(accuracy);
    }
  });
});

describe('whole output files score as by', () => {
  const outputs: { id: string }[] = goldenJson('mmmu_outputs.json');
  const { official, vlmevalkit } = goldenJson('mmmu_scores.json');
  const ids = (kept: (i: number) => unknown) => outputs.filter((_, i) => kept(i)).map(({ id }) => id);

  it('the official scripts, by subject and discipline', () => {
    const { summary, rows } = scoreRows(mmmu, outputs);
    expect(ids((i) => rows[i].hit)).toEqual(official.right);
    expect(ids((i) => rows[i].random_fallback)).toEqual(official.random);
    expect(summary.random_fallback).toBe(official.random.length);
    const { discipline, subject } = summary.per_category as Record<
      string,
      Record<string, { n: number; accuracy: number }>
    >;
    for (const [name, { num, acc }] of Object.entries<{ num: number; acc: number }>(official.results)) {
      const of = name === 'Overall' ? summary : (discipline[name.replace('Overall-', '')] ?? subject[name]);
      expect([name, of.n]).toEqual([name, num]);
      expect(of.accuracy).toBeCloseTo(acc, 12);
    }
  });

  it('VLMEvalKit without a judge', () => {
    const { summary, rows } = scoreRows(mmmu, outputs, 'vlmevalkit');
    expect(ids((i) => rows[i].hit)).toEqual(vlmevalkit.right);
    expect(summary.accuracy).toBeCloseTo(vlmevalkit.report.Overall, 12);
    const { subject } = summary.per_category as Record<string, Record<string, { accuracy: number }>>;
    for (const [name, { accuracy }] of Object.entries(subject))
      expect(accuracy).toBeCloseTo(vlmevalkit.report[name], 12);
  });
});

describe('what is scored', () => {
  it('the text inside the last <answer>, else all of it', () => {
    expect(scoreRow(mmmu, { ...choice, response: '<think>(A) or (B)?</think><answer>C</answer>' }).hit).toBe(
      true,
    );
    expect(scoreRow(mmmu, { ...open, response: '<think>so 7</think><answer>42</answer>' }).hit).toBe(true);
    expect(scoreRow(mmmu, { ...open, response: 'so 7' }).hit).toBe(false);
  });

  it('any other type than multiple-choice as an open question, one of several truths being enough', () => {
    const row = { ...open, question_type: 'short-answer', answer: ['5.5', 'five and a half'] };
    expect(scoreRow(mmmu, { ...row, response: 'x = 5.504' }).hit).toBe(true);
    expect(scoreRow(mmmu, { ...row, response: 'It is five and a half.' }).hit).toBe(true);
  });

  it('nothing where the official parser draws at random, and it is counted', () => {
    const blank = { ...choice, index2ans: null, all_choices: null };
    const { summary, rows } = scoreRows(mmmu, [
      { ...choice, response: 'cat' },
      { ...blank, response: 'C' },
      { ...choice, response: 'C' },
      { ...choice, response: null },
    ]);
    expect(rows.map(({ hit, random_fallback }) => [hit, random_fallback])).toEqual([
      [false, true],
      [false, true],
      [true, false],
      [false, true],
    ]);
    expect(summary).toMatchObject({ correct: 1, random_fallback: 3, decided_by: { rules: 1, none: 3 } });
  });

  it('a response of one digit a hundred thousand times, at once', () => {
    const long = { ...open, response: `${'1'.repeat(100_000)}, ${'2'.repeat(100_000)}` };
    expect(scoreRow(mmmu, long).hit).toBe(false);
  }, 2000);
});

describe('rows', () => {
  it('take their options from `options` or from columns A, B, … as well', () => {
    const { all_choices: _, index2ans: __, ...bare } = choice;
    const published = { ...bare, options: "['x', \"o'clock\"]", response: 'B' };
    expect(mmmu.parse(published, 'row')).toMatchObject({
      all_choices: ['A', 'B'],
      index2ans: { A: 'x', B: "o'clock" },
    });
    const table = { index: 4, answer: '12', prediction: 12, A: null, B: null, category: 'Math' };
    expect(mmmu.parse(table, 'row')).toMatchObject({ question_type: 'open', response: 12, id: '4' });
  });

  it.each([
    [{ ...choice, response: undefined }, 'response: is missing'],
    [{ ...choice, answer: undefined, response: 'A' }, 'answer: is missing'],
    [{ ...choice, question_type: undefined, response: 'A' }, 'question_type: is missing'],
    [{ id: 'x', question_type: 'multiple-choice', answer: 'A', response: 'A' }, 'all_choices: is missing'],
    [{ ...choice, all_choices: [1], response: 'A' }, 'all_choices[0]: must be string, found 1'],
    [null, 'must be object'],
  ])('bad ones are refused: %j', (row, message) => {
    expect(() => mmmu.parse(row, 'p.jsonl:3')).toThrow(`p.jsonl:3: ${message}`);
  });

  it('never crash the scorer, whatever the texts', () => {
    const any = fc.record({
      question_type: fc.constantFrom('multiple-choice', 'open'),
      all_choices: fc.constantFrom(null, ['A', 'B']),
      index2ans: fc.option(fc.record({ A: fc.string(), B: fc.string({ unit: 'grapheme' }) })),
      answer: fc.oneof(fc.string(), fc.array(fc.string())),
      response: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(
      fc.property(any, fc.constantFrom('official' as const, 'vlmevalkit' as const), (row, scorer) => {
        return typeof scoreRow(mmmu, row, scorer).hit === 'boolean';
      }),
    );
  });
});

describe('what is asked', () => {
  const bytes = (n: number) => ({ bytes: new Uint8Array([n]), path: `${n}.png` });
  const published = {
    id: 'validation_Math_3',
    question: 'Compare <image 1> with <image 2>.',
    options: "['left', '<image 3>']",
    question_type: 'multiple-choice',
    answer: 'B',
    image_1: bytes(1),
    image_2: bytes(2),
    image_3: bytes(3),
    image_4: null,
  };

  it('pictures stand where the text names them, in options too', () => {
    const { id, parts, fields } = mmmu.asking.question(published, 'row', 'validation');
    expect(id).toBe('validation_Math_3');
    expect(parts).toEqual([
      { text: 'Compare ' },
      { picture: new Uint8Array([1]) },
      { text: ' with ' },
      { picture: new Uint8Array([2]) },
      { text: '.\n(A) left\n(B) ' },
      { picture: new Uint8Array([3]) },
      { text: "\n\nAnswer with the option's letter from the given choices directly." },
    ]);
    expect(scoreRow(mmmu, { ...fields, response: '(B)' }).hit).toBe(true);
  });

  it('an open question, whose answer may be one of several', () => {
    const row = {
      ...published,
      question: 'How much? <image 1>',
      options: '[]',
      question_type: 'open',
      answer: "['24.5', 'x']",
    };
    const { parts, fields } = mmmu.asking.question(row, 'row', 'validation');
    expect(parts[2]).toEqual({ text: '\nAnswer the question using a single word or phrase.' });
    expect(fields.answer).toEqual(['24.5', 'x']);
  });

  it("VLMEvalKit's table: columns of options, base64 pictures", () => {
    const row = {
      index: 1,
      id: 'dev_Art_2',
      question: 'See <image 1> and <image 2>',
      A: 'x',
      B: 'y',
      answer: 'A',
      image: "['aGk=', 'aG8=']",
      split: 'dev',
      category: 'Art',
    };
    const { id, parts, fields } = mmmu.asking.question(row, 'row', 'dev_val');
    expect([id, parts[1], parts[3]]).toEqual([
      'dev_Art_2',
      { picture: { base64: 'aGk=' } },
      { picture: { base64: 'aG8=' } },
    ]);
    expect(fields).toMatchObject({ split: 'dev', index2ans: { A: 'x', B: 'y' } });
  });

  it('a picture that is named but missing is refused', () => {
    const row = { ...published, image_3: null };
    expect(() => mmmu.asking.question(row, 'v.parquet:7', 'validation')).toThrow(
      'v.parquet:7: image_3: is missing',
    );
  });
});
