/**
 * ChartQA (arXiv 2203.10244), test set: questions that people wrote (human) and questions made from summaries (augmented).
 * Relaxed accuracy: a number within 5 % of the true one is right, everything else must be equal but for case.
 *
 * Rules: relaxed_correctness of google-research/pix2struct (pix2struct/metrics.py) as VLMEvalKit applies it (process_line of
 * vlmeval/dataset/utils/vqa_eval.py in open-compass/VLMEvalKit, commit e8e78f05); vis-nlp/ChartQA publishes no scorer of its
 * own. So `50%` is 0.5; `1,000` and `$5` are no numbers; a true 0 wants the same text; years have 5 % as well.
 */
import { z } from 'zod';
import { parseWith } from '../../data/validate.ts';
import { InputError } from '../../errors.ts';
import { strip } from '../../rewards/whitespace.ts';
import type { Benchmark, Question, Result, Row, Scorer } from './benchmark.ts';
import { firstOf, isMissing, text } from './cells.ts';
import { pictureName, picturePart } from './picture-part.ts';
import { pyFloat } from './python.ts';
import { pyLiteral } from './python-literal.ts';
import { decidedBy, deciders, isUnsaid, scoredCells, scoredText, withResponse } from './scored-text.ts';
import { counts, tally, tallyBy } from './tally.ts';

const tolerance = 0.05;
const cell = z.union([z.string(), z.number()]);
const answers = z.union([cell, z.array(cell)]).nullish();
const labels = ['answer', 'label'];

const rowSchema = z.looseObject({
  answer: answers,
  label: answers,
  ...scoredCells,
});

function parse(value: unknown, source: string): Row {
  const row = parseWith(rowSchema, withResponse(value), source);
  if (truthsOf(row).length === 0)
    throw new InputError(`${source}: answer: is missing; the true answer stands in answer or label`);
  return row;
}

/** What counts as right: a list, or a text that holds a Python list, means any of its items. */
function truthsOf(row: Row): string[] {
  const value = labels.map((name) => row[name]).find((label) => label !== undefined && label !== null);
  if (value === undefined) return [];
  const list = Array.isArray(value) ? value : listIn(text(value));
  return list ? list.map(text) : [text(value)];
}

function listIn(value: string): unknown[] | null {
  if (!value.trim().startsWith('[')) return null;
  try {
    const literal = pyLiteral(value);
    return Array.isArray(literal) ? literal : null;
  } catch {
    return null;
  }
}

/** Who wrote the question; empty where the row does not say. */
function splitOf(row: Row): ('human' | 'augmented')[] {
  const value = firstOf(row, ['split', 'type', 'human_or_machine']);
  if (value === 0) return ['human'];
  if (value === 1) return ['augmented'];
  const name = text(value ?? '').toLowerCase();
  if (name.includes('human')) return ['human'];
  return name.includes('augmented') || name.includes('machine') ? ['augmented'] : [];
}

function score(rows: readonly Row[], scorer: Scorer): Result {
  const read = rows.map((row) => {
    const said = strip(scoredText(row));
    return {
      hit: !isUnsaid(row) && truthsOf(row).some((truth) => isRelaxedCorrect(truth, said)),
      decided_by: decidedBy(row, !isUnsaid(row)),
    };
  });
  return {
    summary: {
      benchmark: 'chartqa',
      scorer,
      ...tally(read.map(({ hit }) => hit)),
      per_category: tallyBy(
        rows,
        read.map(({ hit }) => hit),
        splitOf,
      ),
      decided_by: counts(
        deciders,
        read.map((row) => row.decided_by),
      ),
    },
    rows: read,
  };
}

/** A true value that is 0 is compared as text. */
export function isRelaxedCorrect(truth: string, said: string): boolean {
  const target = numberIn(truth);
  const value = numberIn(said);
  if (value === null || target === null || target === 0) return said.toLowerCase() === truth.toLowerCase();
  return Math.abs(value - target) / Math.abs(target) <= tolerance;
}

function numberIn(said: string): number | null {
  if (!said.endsWith('%')) return pyFloat(said);
  const value = pyFloat(said.replace(/%+$/, ''));
  return value === null ? null : value / 100;
}

function question(published: Row, source: string): Question {
  const asked = firstOf(published, ['question', 'query']);
  if (typeof asked !== 'string')
    throw new InputError(`${source}: question: is missing (query in ChartQA's own files)`);
  if (truthsOf(published).length === 0)
    throw new InputError(`${source}: answer: is missing (label in ChartQA's own files)`);
  const split = [...splitOf(published), ...splitOf({ split: source.split('/').at(-1) })].at(0);
  const own = typeof published.imgname === 'string' && isMissing(published.image);
  const row = own ? { ...published, image: { path: `test/png/${published.imgname}` } } : published;
  const picture = picturePart(row, source);
  const name = own ? text(published.imgname) : pictureName(row, picture);
  const truths = truthsOf(published);
  return {
    id: isMissing(published.index) ? `${split ?? 'test'} ${name} ${asked}` : text(published.index),
    parts: [picture, { text: `${asked}\nAnswer the question using a single word or phrase.` }],
    fields: {
      ...(isMissing(published.index) ? {} : { index: published.index }),
      imgname: name,
      ...(split && { split: `test_${split}` }),
      question: asked,
      answer: truths.length === 1 ? truths[0] : truths,
    },
  };
}

export const chartqa: Benchmark = {
  name: 'chartqa',
  title: 'ChartQA (test)',
  parse,
  score,
  asking: {
    variants: ['test'],
    files: () => ['data/test-*.parquet', 'test/test_*.json', 'ChartQA_TEST.tsv', 'test_*.json', '*.parquet'],
    hub: 'HuggingFaceM4/ChartQA',
    question,
  },
  model: [],
};
