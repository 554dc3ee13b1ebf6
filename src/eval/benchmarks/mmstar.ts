/**
 * MMStar (arXiv 2403.20330): 1,500 multiple-choice questions that need the picture, 250 for each of six core capabilities,
 * each of three detailed axes.
 *
 * Rules: VLMEvalKit's choice inference (mcq_vanilla_eval of vlmeval/dataset/utils/multiple_choice.py, commit e8e78f05),
 * a response that it cannot read is wrong. MMStar's own script (eval/vlmeval/evaluate/mmstar.py of MMStar-Benchmark/MMStar,
 * commit 79e6d1cb) looks at the response's head alone (`B`, `(B`, `option B`, `the answer is B`); its share stands beside, as
 * `own_script`.
 */
import { z } from 'zod';
import { parseWith } from '../../data/validate.ts';
import { strip } from '../../rewards/whitespace.ts';
import type { Benchmark, Question, Result, Row, Scorer } from './benchmark.ts';
import { firstOf, text } from './cells.ts';
import { optionsOf } from './choice-inference.ts';
import { choiceText, choose, matchOption } from './choice-rows.ts';
import { picturePart } from './picture-part.ts';
import { deciders, scoredCells, scoredText, withResponse } from './scored-text.ts';
import { counts, tally, tallyBy } from './tally.ts';

const publishedSchema = z.looseObject({
  index: z.union([z.number(), z.string()]),
  question: z.string(),
  answer: z.string().regex(/^[A-Z]$/, 'must be the letter of an option'),
  category: z.string(),
});

const rowSchema = publishedSchema.extend({
  question: z.string().nullish(),
  ...scoredCells,
});

function score(rows: readonly Row[], scorer: Scorer): Result {
  const read = rows.map((row) => {
    const { right, extracted, decided_by } = choose(row);
    return { hit: right, extracted, decided_by };
  });
  const hits = read.map((row) => row.hit);
  return {
    summary: {
      benchmark: 'mmstar',
      scorer,
      ...tally(hits),
      per_category: byCapability(rows, hits),
      decided_by: counts(
        deciders,
        read.map((row) => row.decided_by),
      ),
      ...(scorer === 'official' && { own_script: ownScript(rows) }),
    },
    rows: read,
  };
}

function byCapability(rows: readonly Row[], hits: readonly boolean[]) {
  const axis = (row: Row) => {
    const name = firstOf(row, ['l2_category', 'l2-category']);
    return name === undefined ? [] : [text(name)];
  };
  return {
    category: tallyBy(rows, hits, (row) => [text(row.category)]),
    l2_category: tallyBy(rows, hits, axis),
  };
}

function ownScript(rows: readonly Row[]) {
  const hits = rows.map((row) => headOf(scoredText(row)) === text(row.answer).toLowerCase());
  return { ...tally(hits), per_category: byCapability(rows, hits) };
}

/** The character that MMStar's own script compares with the answer. */
function headOf(response: string): string {
  const said = strip(response.toLowerCase()).replaceAll('\n', ' ');
  for (const opening of ['(', 'option ', 'the answer is '])
    if (said.startsWith(opening)) return said.charAt(opening.length);
  return said.charAt(0);
}

function question(published: Row, source: string): Question {
  const row = parseWith(publishedSchema, published, source);
  const { index, question: asked, answer, category } = row;
  const l2 = firstOf(row, ['l2_category', 'l2-category']);
  return {
    id: text(index),
    parts: [picturePart(row, source), { text: choiceText(row) }],
    fields: {
      index,
      question: asked,
      ...optionsOf(row),
      answer,
      category,
      ...(l2 === undefined ? {} : { l2_category: l2 }),
    },
  };
}

export const mmstar: Benchmark = {
  name: 'mmstar',
  title: 'MMStar',
  parse: (value, source) => parseWith(rowSchema, withResponse(value), source),
  score,
  asking: {
    variants: ['val'],
    files: () => ['mmstar.parquet', 'MMStar.tsv', '*.parquet'],
    hub: 'Lin-Chen/MMStar',
    question,
  },
  model: [matchOption],
};
