/** Measures of predictions made by hand. */
import { describe, expect, it } from 'vitest';
import { type Prediction, scoresOf } from '../../src/eval/measures.ts';

/** right, oracle's score, style; type and further fields where they matter. */
function prediction(
  right: boolean,
  score: number | null,
  style = 'listing',
  over: Partial<Prediction> = {},
): Prediction {
  return {
    problem_id: 'q',
    problem: 'how many ?',
    problem_type: 'numerical',
    data_source: 'seeing/count',
    solution: '<answer>1</answer>',
    response: '<think> a </think> <answer> 1 </answer>',
    finish: 'stop',
    format_ok: true,
    right,
    oracle: score === null ? null : { score, sound: score >= 0.5, style, statements: [] },
    ...over,
  };
}

describe('scores of a split', () => {
  const predictions = [
    prediction(true, 1),
    prediction(true, 0.5, 'listing', { data_source: 'seeing/sum' }),
    prediction(true, 0.4, 'shortcut'),
    prediction(false, 0.8, 'listing', { data_source: 'seeing/sum' }),
    prediction(false, 0, 'broken', { format_ok: false }),
    prediction(false, 0, 'broken', { format_ok: false, finish: 'length' }),
    prediction(true, 0, 'shortcut'),
    prediction(false, 0.1, 'sloppy'),
  ];
  const scores = scoresOf(predictions, 'grpo', 'id', 0);

  it('say what was measured and how', () => {
    expect(scores).toMatchObject({ model: 'grpo', split: 'id', n: 8, temperature: 0 });
  });

  it('accuracy: right over all', () => expect(scores.accuracy).toBe(4 / 8));

  it('flawed-right: share of the right answers whose reasoning scores below 0.5; 0.5 is sound', () =>
    expect(scores.flawed_right).toBe(2 / 4));

  it('reliability-conditioned accuracy: right and sound, over all', () =>
    expect(scores.reliability_conditioned_accuracy).toBe(2 / 8));

  it('quality: mean score of the reasoning, broken formats included at 0', () =>
    expect(scores.quality).toBeCloseTo((1 + 0.5 + 0.4 + 0.8 + 0.1) / 8, 12));

  it('broken formats and responses cut off are counted', () => {
    expect(scores.broken_format).toBe(2 / 8);
    expect(scores.truncated).toBe(1 / 8);
  });

  it('by type and by source: each with its own n, which add up', () => {
    expect(scores.by_source['seeing/sum']).toEqual({
      n: 2,
      accuracy: 0.5,
      quality: 0.65,
      reliability_conditioned_accuracy: 0.5,
    });
    for (const parts of [scores.by_type, scores.by_source])
      expect(Object.values(parts).reduce((sum, { n }) => sum + n, 0)).toBe(8);
  });

  it('by style: shares add up to 1, accuracy within each', () => {
    expect(scores.by_style).toEqual({
      broken: { share: 2 / 8, accuracy: 0 },
      listing: { share: 3 / 8, accuracy: 2 / 3 },
      shortcut: { share: 2 / 8, accuracy: 1 },
      sloppy: { share: 1 / 8, accuracy: 0 },
    });
  });

  it('identity: right and sound = accuracy · (1 − flawed-right)', () => {
    expect(scores.reliability_conditioned_accuracy).toBeCloseTo(
      scores.accuracy * (1 - scores.flawed_right!),
      12,
    );
  });
});

describe('where nobody can say', () => {
  it('records of no world have accuracy and no verdicts', () => {
    const some = [prediction(true, null), prediction(false, null)];
    expect(scoresOf(some, 'start', 'id', 0)).toMatchObject({
      accuracy: 0.5,
      quality: null,
      flawed_right: null,
      reliability_conditioned_accuracy: null,
      by_style: null,
    });
  });

  it('one record without a world among others leaves the whole without: no mean over a part', () => {
    const some = [prediction(true, 1), prediction(true, null)];
    expect(scoresOf(some, 'start', 'id', 0).quality).toBeNull();
  });

  it('flawed-right is null where nothing is right: there is nothing to take a share of', () => {
    const scores = scoresOf([prediction(false, 1)], 'start', 'id', 0);
    expect(scores.flawed_right).toBeNull();
    expect(scores.reliability_conditioned_accuracy).toBe(0);
  });

  it('a data set without sources has one, and its problem types', () => {
    const some = [
      prediction(true, null, '', { data_source: '' }),
      prediction(false, null, '', { data_source: '', problem_type: 'OCR' }),
    ];
    const { by_type, by_source } = scoresOf(some, 'start', 'id', 0);
    expect(Object.keys(by_type)).toEqual(['OCR', 'numerical']);
    expect(Object.keys(by_source)).toEqual(['unknown']);
  });
});
