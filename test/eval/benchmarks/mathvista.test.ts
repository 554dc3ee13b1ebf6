/** MathVista as its own scripts score it, and as VLMEvalKit does. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mathvista } from '../../../src/eval/benchmarks/mathvista.ts';
import { ruledExtraction } from '../../../src/eval/benchmarks/mathvista-rules.ts';
import { goldenFile, goldenJson, goldenScores, scoreRow, scoreRows } from './golden.ts';

const integer = {
  pid: '1',
  question_type: 'free_form',
  answer_type: 'integer',
  choices: null,
  precision: null,
};
const options = {
  pid: '2',
  question_type: 'multi_choice',
  answer_type: 'text',
  choices: ['3/11', '8/11', '6/11', '3/5'],
  precision: null,
  answer: '8/11',
};
const official = (row: object) => scoreRow(mathvista, row);

describe('official golden rows', () => {
  it.each(goldenScores('MathVista', 'normalize_match'))(
    '$id: extraction $prediction against $truth',
    ({ prediction, truth, ...row }) => {
      expect(official({ ...row, extraction: prediction, answer: truth })).toMatchObject({
        hit: row.expected_score === 1,
        normalized: row.expected_normalized,
      });
    },
  );

  it.each(goldenScores('MathVista', 'rule_extraction'))(
    '$id: the rules on $prediction',
    ({ prediction, truth, ...row }) => {
      const question = mathvista.parse({ ...row, answer: truth, response: prediction }, 'row');
      const found = ruledExtraction(question, prediction);
      // what they leave to a language model is decided here only where the response is nothing but an answer
      if (row.needs_llm_quick) expect([null, '5.0']).toContain(found);
      else expect(found).toBe(row.expected_extraction_quick);
    },
  );

  it.each(goldenScores('MathVista', 'vlmevalkit_post_check'))(
    '$id: VLMEvalKit on $prediction against $truth',
    ({ prediction, truth, ...row }) => {
      expect(scoreRow(mathvista, { ...row, prediction, answer: truth }, 'vlmevalkit').hit).toBe(
        row.expected_score === 1,
      );
    },
  );
});

describe('a whole result file scores as by the official script', () => {
  const results: Record<string, Record<string, unknown>> = goldenJson('mathvista_results.json');
  const { scores, right, predictions } = goldenJson('mathvista_scores.json');
  const { summary, rows } = scoreRows(mathvista, Object.values(results));

  it('row by row', () => {
    const pids = Object.keys(results);
    expect(pids.filter((_, i) => rows[i].hit)).toEqual(right);
    expect(Object.fromEntries(pids.map((pid, i) => [pid, rows[i].normalized]))).toEqual(predictions);
  });

  it('in total and by each of its categories', () => {
    const { average, ...categories } = scores;
    expect(summary).toMatchObject({ n: average.total, correct: average.correct, accuracy: average.accuracy });
    const renamed = Object.fromEntries(
      Object.entries(categories).map(([category, of]) => [
        category,
        Object.fromEntries(
          Object.entries(of as Record<string, { total: number; correct: number; accuracy: number }>).map(
            ([name, { total, correct, accuracy }]) => [name, { n: total, correct, accuracy }],
          ),
        ),
      ]),
    );
    expect(summary.per_category).toEqual(renamed);
  });

  it('with what decided counted', () => {
    expect(summary.decided_by).toEqual({ rules: 0, extractor: 1000, none: 0 });
  });
});

it('a whole table of VLMEvalKit scores as by its own code', () => {
  const table = readFileSync(goldenFile('mathvista_vlmevalkit.jsonl'), 'utf8').trim().split('\n');
  const values: Record<string, unknown>[] = table.map((line) => JSON.parse(line));
  const { table: expected, right } = goldenJson('mathvista_vlmevalkit_scores.json');
  const { summary, rows } = scoreRows(mathvista, values, 'vlmevalkit');
  expect(values.filter((_, i) => rows[i].hit).map(({ index }) => index)).toEqual(right);
  const { task, skills } = summary.per_category as Record<
    string,
    Record<string, { n: number; correct: number }>
  >;
  expected['Task&Skill'].forEach((name: string, i: number) => {
    const of = name === 'Overall' ? summary : { ...task, ...skills }[name];
    expect([name, of.n, of.correct]).toEqual([name, expected.tot[i], expected.hit[i]]);
  });
});

describe('what is scored', () => {
  it('an extraction that is present, even an empty one, as it stands', () => {
    const row = { ...integer, answer: '5', response: '5' };
    expect(official(row)).toMatchObject({ hit: true, decided_by: 'rules' });
    expect(official({ ...row, extraction: '' })).toMatchObject({ hit: false, decided_by: 'extractor' });
    expect(official({ ...row, extraction: null })).toMatchObject({ hit: false, decided_by: 'extractor' });
    // nearest to nothing is the shortest choice
    expect(official({ ...options, answer: '3/5', extraction: '' })).toMatchObject({ normalized: '3/5' });
  });

  it('nothing of a request that failed', () => {
    const yes = { ...options, choices: ['Yes', 'No'], answer: 'No' };
    // the official rules take the choice that is nearest to an empty response
    expect(official({ ...yes, response: '' })).toMatchObject({ hit: true });
    for (const scorer of ['official', 'vlmevalkit'] as const)
      expect(scoreRow(mathvista, { ...yes, response: null }, scorer)).toMatchObject({
        hit: false,
        decided_by: 'none',
      });
  });

  it('the text inside the last <answer>', () => {
    const said = (response: string) => official({ ...options, response });
    expect(said('<answer>A</answer> no: <answer> B </answer>')).toMatchObject({
      hit: true,
      decided_by: 'rules',
    });
    expect(said('<think>(A) or (B)?</think><answer>(A)</answer>').hit).toBe(false);
    expect(official({ ...integer, answer: '7', response: 'is it 5? <answer>7</answer>' }).hit).toBe(true);
  });

  it.each(['B', 'b', '(B)', 'B.', '**B**', '$B$', '\\boxed{B}', '(B) 8/11', 'B. 8/11', '8/11', ' 8/11. '])(
    'a response that is nothing but an answer: %s',
    (response) => {
      expect(official({ ...options, response })).toMatchObject({ hit: true, decided_by: 'rules' });
    },
  );

  it.each(['I would say B', 'B 3/5', 'A or B', 'F', 'The answer is 8/11', ''])(
    'not any other sentence without an extraction: %s',
    (response) => {
      const found = official({ ...options, response });
      expect([found.hit, found.decided_by]).toEqual([false, response === '' ? 'rules' : 'none']);
    },
  );
});

describe('rows', () => {
  it('take over the names and cells of VLMEvalKit', () => {
    const row = mathvista.parse(
      { ...options, pid: undefined, index: 7, choices: "['3/11', '8/11']", prediction: 'B', precision: '' },
      'table.tsv:2',
    );
    expect(row).toMatchObject({ choices: ['3/11', '8/11'], response: 'B', precision: null });
  });

  it.each([
    [
      { ...options, choices: null, response: 'B' },
      'choices: must be a list of strings where question_type is "multi_choice"',
    ],
    [
      { ...options, choices: 'A, B', response: 'B' },
      'choices: must be a list or an object, or its Python literal, found "A, B"',
    ],
    [{ ...options }, 'response: is missing'],
    [{ ...options, response: ['B'] }, 'response: must be string or number or null, found ["B"]'],
    [{ ...options, answer: undefined, response: 'B' }, 'answer: is missing'],
    [
      { ...options, question_type: 'choice', response: 'B' },
      'question_type: must be one of "multi_choice", "free_form", found "choice"',
    ],
    ['B', 'must be object'],
  ])('bad ones are refused: %j', (row, message) => {
    expect(() => mathvista.parse(row, 'p.jsonl:3')).toThrow(`p.jsonl:3: ${message}`);
  });

  it('never crash the scorer, whatever the texts', () => {
    const any = fc.record({
      question_type: fc.constantFrom('multi_choice', 'free_form'),
      answer_type: fc.constantFrom('integer', 'float', 'list', 'text'),
      choices: fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 6 }),
      precision: fc.constantFrom(null, 1, 2, '1'),
      answer: fc.string(),
      response: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(
      fc.property(any, fc.constantFrom('official' as const, 'vlmevalkit' as const), (row, scorer) => {
        const { hit, decided_by } = scoreRow(mathvista, row, scorer);
        return typeof hit === 'boolean' && (decided_by !== 'none' || !hit);
      }),
    );
  });
});

describe('what is asked', () => {
  const published = {
    pid: '12',
    question: 'What is the total mass?',
    image: 'images/12.jpg',
    decoded_image: { bytes: new Uint8Array([1, 2]), path: '12.jpg' },
    choices: null,
    unit: 'kg',
    precision: 1,
    answer: '3.5',
    question_type: 'free_form',
    answer_type: 'float',
    metadata: { task: 'math word problem' },
  };

  it('the picture, then hint and question with its unit, as the published `query` has them', () => {
    const { id, parts, fields } = mathvista.asking.question(published, 'row', 'testmini');
    expect(id).toBe('12');
    expect(parts).toEqual([
      { picture: new Uint8Array([1, 2]) },
      {
        text: 'Hint: Please answer the question requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, at the end.\nQuestion: What is the total mass? (Unit: kg)',
      },
    ]);
    expect(Object.keys(fields)).not.toContain('decoded_image');
    expect(official({ ...fields, response: '3.50' }).hit).toBe(true);
  });

  it('options by their letters', () => {
    const row = { ...published, ...options, unit: null };
    expect(mathvista.asking.question(row, 'row', 'testmini').parts[1]).toEqual({
      text: 'Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.\nQuestion: What is the total mass?\nChoices:\n(A) 3/11\n(B) 8/11\n(C) 6/11\n(D) 3/5',
    });
  });

  it('the published query where there is one; a path in JSON, base64 in a TSV', () => {
    const { decoded_image: _, ...json } = { ...published, query: 'Hint: as published' };
    expect(mathvista.asking.question(json, 'row', 'testmini').parts).toEqual([
      { picture: { path: 'images/12.jpg' } },
      { text: 'Hint: as published' },
    ]);
    const tsv = { index: 3, image: '/9j/4AAQ', question: 'Hint: x\nQuestion: y', answer: '1' };
    expect(mathvista.asking.question(tsv, 'row', 'testmini')).toMatchObject({
      id: '3',
      parts: [{ picture: { base64: '/9j/4AAQ' } }, { text: 'Hint: x\nQuestion: y' }],
    });
  });
});

describe('the extractor', () => {
  const [extract] = mathvista.model;
  const row = (response: string) =>
    mathvista.parse({ ...options, question: 'What share is blue?', response }, 'row');

  it('is asked where the rules decide nothing, about the question with its hint', () => {
    expect(extract.prompt(row('(B)'), extract.template)).toBeNull();
    const prompt = extract.prompt(row('Blue is 8 of 11, I pay $& for it'), extract.template);
    expect(prompt).toContain('Question: What share is blue?\nChoices:\n(A) 3/11\n');
    expect(prompt).toContain('Response: Blue is 8 of 11, I pay $& for it\nAnswer:');
    expect(extract.prompt(row('x y'), '{response}|{question}')).toMatch(/^x y\|Hint: /);
  });

  it('makes the extraction that is scored; an empty reply decides nothing', () => {
    const asked = row('Blue is 8 of 11');
    expect(extract.read(asked, ' \n')).toBeNull();
    const read = extract.read(asked, 'Answer: B\n')!;
    expect(mathvista.score([read], 'official')).toMatchObject({
      rows: [{ hit: true }],
      summary: { decided_by: { rules: 0, extractor: 1, none: 0 } },
    });
  });
});
