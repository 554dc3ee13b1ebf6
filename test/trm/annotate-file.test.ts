/** What a stage that ends in an error leaves behind. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLine, readJsonlValues } from '../../src/data/jsonl.ts';
import { InputError } from '../../src/errors.ts';
import type { Annotator } from '../../src/trm/annotate.ts';
import { annotateFile, requireScores } from '../../src/trm/annotate-file.ts';
import { rowOf } from '../../src/trm/rows.ts';
import { temporaryFolder } from '../data/folder.ts';
import { collectedRow } from './rows.ts';

const numberOf = (problem: string) => Number(/number (\d+)/.exec(problem)![1]);

/** Scores until it comes to question `broken`; notes the questions it is asked. */
function breaking(takes: Annotator['takes'], broken: number | null, error: Error) {
  const asked: number[] = [];
  const judge: Annotator = {
    name: 'breaking',
    takes,
    score: async (responses) =>
      responses.map(({ record }) => {
        const n = numberOf(record.problem);
        if (n === broken) throw error;
        asked.push(n);
        return { score: (n % 10) / 10, failure: null };
      }),
  };
  return { judge, asked };
}

async function interrupted(takes: Annotator['takes'], rows: number, broken: number, error: Error) {
  const dir = temporaryFolder();
  const [file, out] = ['in.jsonl', 'out.jsonl'].map((name) => join(dir, name));
  const lines = Array.from({ length: rows }, (_, i) => jsonLine(rowOf(collectedRow(i), file)));
  writeFileSync(file, lines.join(''));
  const options = { settings: {}, force: false };
  await expect(annotateFile(file, out, breaking(takes, broken, error).judge, options)).rejects.toThrow(error);
  const rest = breaking(takes, null, error);
  const { counts } = await annotateFile(file, out, rest.judge, options);
  const whole = join(dir, 'whole.jsonl');
  await annotateFile(file, whole, breaking(takes, null, error).judge, options);
  return { counts, asked: rest.asked, rows: await readJsonlValues(out), whole: await readJsonlValues(whole) };
}

it.each([
  [{ 'broken format': 5, truncated: 4, 'unreadable picture': 1, 'no answer': 2 }, 'no answer, 2 times'],
  [{ 'broken format': 5, truncated: 4 }, 'broken format, 5 times'],
])('where nothing was scored, what the judge failed at comes first: %j', (failed, why) => {
  expect(() => requireScores('o.jsonl', { read: 12, scored: 0, failed })).toThrow(
    `o.jsonl: not one of 12 responses was scored (${why}); its rows say why`,
  );
});

describe('a judge who breaks down', () => {
  it('and takes singly loses no score that it has given; the stage ends with its error and goes on from there', async () => {
    const { counts, asked, rows, whole } = await interrupted('singly', 300, 280, new Error('defect'));
    expect(Math.min(...asked)).toBe(280);
    expect(counts).toEqual({ read: 300, scored: 300, failed: {} });
    expect(rows).toEqual(whole);
  });

  it('and takes together begins anew with the batch that it did not end', async () => {
    const { asked, rows, whole } = await interrupted('together', 300, 280, new Error('defect'));
    expect(Math.min(...asked)).toBe(256);
    expect(rows).toEqual(whole);
  });

  it('before any row has a score leaves nothing behind where all were refused', async () => {
    const dir = temporaryFolder();
    const [file, out] = ['in.jsonl', 'out.jsonl'].map((name) => join(dir, name));
    writeFileSync(file, [0, 1].map((i) => jsonLine(rowOf(collectedRow(i), file))).join(''));
    const refusing: Annotator = {
      name: 'refusing',
      takes: 'singly',
      score: async ([{ record }]) => {
        if (numberOf(record.problem) === 1) throw new Error('defect');
        throw new InputError('no world');
      },
    };
    const options = { settings: {}, force: false };
    await expect(annotateFile(file, out, refusing, options)).rejects.toThrow('defect');
    // other settings would be refused, had anything been begun
    const { judge } = breaking('singly', null, new Error());
    await annotateFile(file, out, judge, { settings: { other: true }, force: false });
  });
});
