/** MathVerse as its own scripts score it without a model, and as VLMEvalKit does. */
import { describe, expect, it } from 'vitest';
import { mathverse } from '../../../src/eval/benchmarks/mathverse.ts';
import { goldenJson, goldenScores, scoreRow, scoreRows } from './golden.ts';

type Tallies = Record<string, { accuracy: number; n: number }>;

describe('golden rows', () => {
  it.each(goldenScores('MathVerse', 'vlmevalkit_post_check_score'))(
    '$id: extraction $prediction against $truth',
    ({ prediction, truth, ...row }) => {
      const given = { answer: truth, extraction: prediction };
      expect(scoreRow(mathverse, given).hit).toBe(row.official_quick_match === 1);
      expect(scoreRow(mathverse, given, 'vlmevalkit').hit).toBe(row.expected_score === 1);
      const asked = mathverse.parse({ answer: truth, response: 'x' }, 'row');
      const read = mathverse.model[0].read(asked, prediction);
      expect(read?.extraction ?? '').toBe(row.official_extraction_cleanup);
    },
  );

  it("VLMEvalKit's table of versions, subjects and subfields, and the paper's average", () => {
    const [{ rows = [], expected }] = goldenScores('MathVerse', 'table');
    const { per_version, mean_of_five_versions, pooled } = expected as {
      per_version: Record<string, Record<string, number>>;
      mean_of_five_versions: number;
      pooled: number;
    };
    const { summary } = scoreRows(mathverse, rows, 'vlmevalkit');
    expect(100 * summary.accuracy).toBeCloseTo(pooled, 10);
    expect(100 * (summary.average as number)).toBeCloseTo(mean_of_five_versions, 10);
    expectTable(summary.per_category.version_table, per_version);
  });
});

function expectTable(found: unknown, expected: Record<string, Record<string, number | null>>): void {
  const table = found as Record<string, { accuracy: number; subject: Tallies; subfield: Tallies }>;
  expect(Object.keys(table).sort()).toEqual(Object.keys(expected).sort());
  for (const [version, { Overall, ...others }] of Object.entries(expected)) {
    const { accuracy, subject, subfield } = table[version];
    expect(100 * accuracy).toBeCloseTo(Overall!, 10);
    for (const [name, share] of Object.entries(others)) {
      const of = subject[name] ?? subfield[name];
      if (share === null) expect(of).toBeUndefined();
      else expect(100 * of.accuracy).toBeCloseTo(share, 10);
    }
  }
}

describe('a whole file scores as by', () => {
  const outputs: Record<string, unknown>[] = goldenJson('mathverse_outputs.json');
  const { official, vlmevalkit } = goldenJson('mathverse_scores.json');
  const right = (hits: { hit: boolean }[]) =>
    outputs.filter((_, i) => hits[i].hit).map(({ sample_index }) => sample_index);

  it('the official script with quick match, by version, subject and subfield', () => {
    const { summary, rows } = scoreRows(mathverse, outputs);
    expect(right(rows)).toEqual(official.right);
    expect(summary.accuracy).toBeCloseTo(official.accuracy, 12);
    for (const category of ['problem_version', 'subject', 'subfield']) {
      const found = Object.entries(summary.per_category[category] as Tallies);
      expect(Object.fromEntries(found.map(([name, { accuracy }]) => [name, accuracy]))).toEqual(
        official[category],
      );
    }
    expect(summary.decided_by).toEqual({
      // all rows of the file carry one
      rules: 0,
      extractor: official.right.length,
      judge: 0,
      none: outputs.length - official.right.length,
    });
  });

  it('VLMEvalKit without a judge', () => {
    const { summary, rows } = scoreRows(mathverse, outputs, 'vlmevalkit');
    expect(right(rows)).toEqual(vlmevalkit.right);
    expectTable(summary.per_category.version_table, vlmevalkit.table);
  });
});

describe('what is scored', () => {
  const row = { sample_index: '1', problem_version: 'Vision Only', answer: 'B' };

  it('a judgement before an extraction, an extraction before the text inside the last <answer>', () => {
    expect(scoreRow(mathverse, { ...row, response: '<answer>A</answer><answer> B </answer>' }).hit).toBe(
      true,
    );
    expect(scoreRow(mathverse, { ...row, model_answer: 'B', extraction: '' }).hit).toBe(false);
    expect(scoreRow(mathverse, { ...row, extraction: 'A', judgement: 1 })).toMatchObject({
      hit: true,
      decided_by: 'judge',
    });
    expect(scoreRow(mathverse, { ...row, extract: 'B', score: false }).hit).toBe(false);
    expect(scoreRow(mathverse, { ...row, answer: '', response: null }).hit).toBe(false);
  });

  it("the paper's average only where all its versions are there", () => {
    expect(scoreRows(mathverse, [{ ...row, response: 'B' }]).summary.average).toBeNull();
  });

  it.each([
    [{ ...row }, 'response: is missing'],
    [
      { ...row, response: 'B', problem_version: 'Vision' },
      'problem_version: must be one of "Text Dominant", ',
    ],
    [{ ...row, response: 'B', judgement: 2 }, 'judgement: '],
  ])('bad rows are refused: %j', (bad, message) => {
    expect(() => mathverse.parse(bad, 'p.jsonl:3')).toThrow(`p.jsonl:3: ${message}`);
  });
});

describe('what is asked', () => {
  const published = {
    sample_index: '7',
    problem_index: '2',
    problem_version: 'Text Lite',
    question: 'Find x.',
    image: { bytes: new Uint8Array([7]), path: 'x.png' },
    answer: '3',
    question_type: 'free-form',
    metadata: { split: 'testmini', source: 's', subject: 'Functions', subfield: 'Property' },
    query_wo: 'Answer: Find x.',
    query_cot: 'Reason, then answer: Find x.',
  };

  it('the published query with reasoning, or without', () => {
    const asked = (variant: string) => mathverse.asking.question(published, 'row', variant);
    expect(asked('testmini').parts).toEqual([
      { picture: new Uint8Array([7]) },
      { text: 'Reason, then answer: Find x.' },
    ]);
    expect(asked('testmini_wo').parts[1]).toEqual({ text: 'Answer: Find x.' });
    const { summary } = scoreRows(mathverse, [{ ...asked('all').fields, response: '3' }]);
    expect(summary).toMatchObject({ correct: 1, per_category: { subject: { Functions: { n: 1 } } } });
  });

  it('no picture for the text-only version; a path in JSON', () => {
    const { image: _, ...text } = { ...published, problem_version: 'Text Only' };
    expect(mathverse.asking.question({ ...text, image: '' }, 'row', 'text_only')).toMatchObject({
      id: 'text-only-7',
      parts: [{ text: 'Reason, then answer: Find x.' }],
    });
    const json = { ...published, image: 'images_version_5/image_2.png' };
    expect(mathverse.asking.question(json, 'row', 'testmini').parts[0]).toEqual({
      picture: { path: 'images/images_version_5/image_2.png' },
    });
  });
});

describe('extractor and judge', () => {
  const [extract, judge] = mathverse.model;
  const row = mathverse.parse(
    { question: 'Find $x.', answer: '0.5m', response: 'This makes 50cm.', sample_index: 1 },
    'row',
  );

  it('are asked in turn, where equality has not decided', () => {
    expect(extract.prompt(row, extract.template)).toMatch(/\nResponse: This makes 50cm\.\nAnswer:$/);
    const extracted = extract.read(row, 'Extracted Answer: 50cm')!;
    expect(extract.prompt(extracted, extract.template)).toBeNull();
    expect(judge.prompt(extracted, judge.template)).toMatch(
      /Question: Find \$x\.\nRight answer: 0\.5m\nModel's answer: 50cm\nVerdict:$/,
    );
    expect(judge.read(extracted, 'perhaps')).toBeNull();
    const judged = judge.read(extracted, 'Judgement: 1\n')!;
    expect(mathverse.score([judged], 'official').summary).toMatchObject({
      correct: 1,
      decided_by: { rules: 0, judge: 1, none: 0 },
    });
    const equal = mathverse.parse({ answer: 'B', response: 'B' }, 'row');
    expect([extract.prompt(equal, extract.template), judge.prompt(equal, judge.template)]).toEqual([
      null,
      null,
    ]);
  });
});
