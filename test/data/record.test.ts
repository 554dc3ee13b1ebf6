import { describe, expect, it } from 'vitest';
import { parseRecord } from '../../src/data/records/record.ts';
import { InputError } from '../../src/errors.ts';

const least = {
  problem_id: 1,
  problem: 'How many?',
  data_type: 'text',
  problem_type: 'numerical',
  solution: '<answer>5</answer>',
};

describe('parseRecord', () => {
  it('takes the published schema as it is', () => {
    const row = {
      problem_id: 'x-7',
      problem: 'Which?',
      data_type: 'image',
      problem_type: 'multiple choice',
      options: ['A. 3', 'B. 4'],
      process: '<think>three</think>',
      solution: '<answer>A</answer>',
      path: './pictures/7.png',
      data_source: 'geo',
    };
    expect(parseRecord(row, 'f:1')).toEqual(row);
  });

  it('fills in what real files leave out or null: options, process, path of a text question, source', () => {
    const filled = { options: [], process: '', path: null, data_source: '' };
    expect(parseRecord(least, 'f:1')).toEqual({ ...least, ...filled });
    expect(
      parseRecord(
        { ...least, options: null, process: null, path: null, data_source: null, world: null },
        'f:1',
      ),
    ).toEqual({ ...least, ...filled });
  });

  it('takes numbers as solution and options, and `image` as another name of the path', () => {
    const row = { ...least, data_type: 'image', solution: 5, options: [1, 'two'], image: 'a.png' };
    expect(parseRecord(row, 'f:1')).toMatchObject({ solution: '5', options: ['1', 'two'], path: 'a.png' });
  });

  it('keeps our additions: world, segments, response', () => {
    const ours = {
      world: { name: 'seeing', n: 3 },
      segments: [{ text: 'b1 ', train: false }],
      response: 'r',
    };
    expect(parseRecord({ ...least, ...ours }, 'f:1')).toMatchObject(ours);
  });

  it.each(['minecraft', 7, true, ['seeing'], { name: 'mine' }, { seeing: 1 }, {}, null])(
    "leaves out somebody else's `world`: %j",
    (world) => {
      expect(parseRecord({ ...least, world }, 'f:1')).toEqual(parseRecord(least, 'f:1'));
    },
  );

  it.each([
    [
      { problem_type: 'numeric' },
      'f:1: problem_type: must be one of "numerical", "multiple choice", "OCR", "free-form", found "numeric"',
    ],
    [{ data_type: 'video' }, 'f:1: data_type: must be one of "image", "text", found "video"'],
    [{ problem: undefined }, 'f:1: problem: is missing'],
    [{ problem_id: null }, 'f:1: problem_id: must be string or number, found null'],
    [{ solution: ['5'] }, 'f:1: solution: must be string or number, found ["5"]'],
    [{ options: 'A' }, 'f:1: options: must be array, found "A"'],
    [{ segments: [{ text: 'a' }] }, 'f:1: segments[0].train: is missing'],
    [{ segments: [] }, 'f:1: segments: needs at least one segment, found []'],
    [{ data_type: 'image' }, 'f:1: a record of data_type "image" needs a path'],
  ])('says what is wrong with %j', (change, message) => {
    expect(() => parseRecord({ ...least, ...change }, 'f:1')).toThrow(new InputError(message));
  });

  it('says what is wrong with a row that is no object', () => {
    expect(() => parseRecord([1], 'f:1')).toThrow(new InputError('f:1: must be object'));
  });
});
