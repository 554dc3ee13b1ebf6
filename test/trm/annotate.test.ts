/** Scores for collected rows, by judges of both kinds, some of which fail. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { type Annotator, annotate } from '../../src/trm/annotate.ts';
import type { JudgedResponse } from '../../src/trm/judge.ts';
import type { Annotated, Collected, Row } from '../../src/trm/rows.ts';
import { temporaryFolder } from '../data/folder.ts';
import { collectedRow, wellFormed } from './rows.ts';

/** Scores the number of the question in thousandths, after a pause that grows shorter, and notes its calls. */
function counting(takes: 'singly' | 'together', calls: number[][] = []): Annotator {
  return {
    name: 'counting',
    takes,
    async score(responses) {
      calls.push(responses.map(numberOf));
      await new Promise((resolve) => setTimeout(resolve, (97 - (numberOf(responses[0]) % 97)) / 20));
      return responses.map((one) => ({ score: numberOf(one) / 1000, failure: null }));
    },
  };
}
const numberOf = ({ record }: JudgedResponse) => Number(/number (\d+)/.exec(record.problem)![1]);
const rowsFrom = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => collectedRow(from + i));

async function all(
  rows: Iterable<Row<Collected>>,
  judge: Annotator,
  options = {},
): Promise<Row<Annotated>[]> {
  const given = [];
  for await (const row of annotate(rows, judge, options)) given.push(row);
  return given;
}

describe.each(['singly', 'together'] as const)('a judge who takes %s', (takes) => {
  it('gives every row its own score, in order', async () => {
    const given = await all(rowsFrom(0, 300), counting(takes));
    expect(given.map(({ facts }) => facts.score)).toEqual(Array.from({ length: 300 }, (_, i) => i / 1000));
    expect(given[7].facts).toEqual({
      ...collectedRow(7).facts,
      score: 0.007,
      failure: null,
      annotator: 'counting',
    });
  });

  it('is not shown what has no format, was cut off, or would ask for another picture', async () => {
    const calls: number[][] = [];
    const odd = [
      collectedRow(1, { format_ok: false, response: 'so 1', outcome: 0 }),
      collectedRow(2, { format_ok: false, finish: 'length', outcome: 0 }),
      collectedRow(3),
      collectedRow(4, { response: wellFormed('<|image_pad|> so 1') }),
    ];
    const given = await all(odd, counting(takes, calls));
    expect(calls).toEqual([[3]]);
    expect(given.map(({ facts }) => [facts.score, facts.failure])).toEqual([
      [null, 'broken format: not judged'],
      [null, 'truncated: not judged'],
      [0.003, null],
      [null, 'picture placeholder: not judged'],
    ]);
  });

  it('costs a row whose picture cannot be read, or that it refuses, its score, and no other row', async () => {
    const picture = join(temporaryFolder(), 'broken.png');
    writeFileSync(picture, 'no picture');
    const judge: Annotator = {
      ...counting(takes),
      async score(responses) {
        for (const { record } of responses) {
          if (record.picture)
            throw new InputError(`${record.source}: path: ${record.picture}: not a picture`);
          if (record.problem.includes('number 5 ')) throw new InputError(`${record.source}: world: missing`);
        }
        return counting(takes).score(responses);
      },
    };
    const given = await all([...rowsFrom(0, 9), collectedRow(9, {}, { picture })], judge);
    expect(given.map(({ facts }) => facts.score)).toEqual(
      [0, 1, 2, 3, 4, null, 6, 7, 8, null].map((n) => (n === null ? null : n / 1000)),
    );
    expect(given[5].facts.failure).toBe('refused: world: missing');
    expect(given[9].facts.failure).toBe(`unreadable picture: path: ${picture}: not a picture`);
  });

  it.each([
    ['a file out of reach', '/a/1.png', '/a/1.png: lies outside of /b'],
    ['a row of a Parquet file', '/a/s.parquet#3', '/a/s.parquet: lies outside of /b'],
    ['a link', '/a/1.png', '/a/2.png (leads to /c/2.png): lies outside of /b'],
  ])('a picture is one reason, whatever is wrong with it: %s', async (_what, picture, wrong) => {
    const judge: Annotator = {
      ...counting(takes),
      score: async ([{ record }]) => {
        throw new InputError(`${record.source}: path: ${wrong}`);
      },
    };
    const [{ facts }] = await all([collectedRow(9, {}, { picture, source: '/t/in.jsonl:5' })], judge);
    expect(facts.failure).toBe(`unreadable picture: path: ${wrong}`);
  });

  it('is asked again only of rows without a score, if so wished', async () => {
    const calls: number[][] = [];
    const before = { annotator: 'before', failure: null };
    const rows = [
      collectedRow(1, { ...before, score: 0.9 } as Partial<Annotated>),
      collectedRow(2, { ...before, score: null, failure: 'no answer' } as Partial<Annotated>),
    ];
    const given = await all(rows, counting(takes, calls), { keepScored: true, annotator: 'after' });
    expect(calls).toEqual([[2]]);
    expect(given.map(({ facts }) => [facts.score, facts.failure, facts.annotator])).toEqual([
      [0.9, null, 'before'],
      [0.002, null, 'after'],
    ]);
  });
});

it('a judge who takes singly works on many at once, one who takes together gets whole batches', async () => {
  let [now, most] = [0, 0];
  const slow: Annotator = {
    name: 'slow',
    takes: 'singly',
    async score(responses) {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      return responses.map(() => ({ score: 1, failure: null }));
    },
  };
  await all(rowsFrom(0, 200), slow);
  expect(most).toBeGreaterThan(30);
  const calls: number[][] = [];
  await all(rowsFrom(0, 600), counting('together', calls));
  expect(calls.map((call) => call.length)).toEqual([256, 256, 88]);
});

it('what is no fault of a row ends the stage', async () => {
  const broken: Annotator = {
    ...counting('singly'),
    score: async () => {
      throw new Error('defect');
    },
  };
  await expect(all(rowsFrom(0, 3), broken)).rejects.toThrow('defect');
});
