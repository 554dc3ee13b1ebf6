/** The reliability of a judge against figures worked out by hand. */
import { describe, expect, it } from 'vitest';
import type { LoadedRecord } from '../../src/data/records/reader.ts';
import type { Judge } from '../../src/trm/judge.ts';
import { reliability } from '../../src/trm/reliability.ts';

const record: LoadedRecord = {
  problem_id: 1,
  problem: 'what is two and three ?',
  data_type: 'text',
  problem_type: 'numerical',
  options: [],
  process: '',
  solution: '<answer>5</answer>',
  path: null,
  data_source: '',
  picture: null,
  source: 'records.jsonl:1',
};

describe('reliability of a judge', () => {
  // annotated score, the judge's (null: it failed), answer
  const rows: [number, number | null, string][] = [
    [1.0, 0.9, '5'],
    [0.5, 0.7, '4'],
    [0.4, 0.7, '5'],
    [0.0, 0.1, '4'],
    [1.0, null, '5'],
  ];
  const scored = rows.map(([score, , answer]) => ({
    record,
    response: `<think>so</think><answer>${answer}</answer>`,
    score,
  }));
  const judge: Judge = {
    name: 'by hand',
    takes: 'singly',
    dispose: async () => {},
    score: async () => rows.map(([, score]) => ({ score, failure: score === null ? 'no reply' : null })),
  };

  it('counts only what the judge has scored, and measures order, distance, soundness and rightness', async () => {
    expect(await reliability(judge, scored)).toEqual({
      n: 4,
      // ranks of the judge 4, 2½, 2½, 1 against 4, 3, 2, 1
      spearman: expect.closeTo(4.5 / Math.sqrt(4.5 * 5), 12),
      mae: expect.closeTo((0.1 + 0.2 + 0.3 + 0.1) / 4, 12),
      // sound .9 .7 against flawed .7 .1: (1 + 1 + ½ + 1) / 4
      auc_sound: 0.875,
      // right .9 .7 against wrong .7 .1
      auc_right: 0.875,
    });
  });

  it('has no correlation to give where the judge scored nothing', async () => {
    const silent: Judge = { ...judge, score: async () => rows.map(() => ({ score: null, failure: 'gone' })) };
    expect(await reliability(silent, scored)).toEqual({
      n: 0,
      spearman: null,
      mae: null,
      auc_sound: null,
      auc_right: null,
    });
  });
});
