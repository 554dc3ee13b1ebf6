/**
 * MME (arXiv 2306.13394): two yes/no questions a picture, 14 subtasks. A subtask's points are 100 × accuracy + 100 ×
 * accuracy+ (the share of pictures with both questions right); perception is the sum of ten (2000 points at most), cognition
 * of four (800).
 *
 * Rules: VLMEvalKit's (YOrN_Extraction and MME_rating, vlmeval/dataset/utils/yorn.py, commit e8e78f05): the word anywhere in
 * the response, both or neither is wrong. MME's own script (eval_tool/calculation.py in tools/eval_tool.zip of
 * BradyFU/Awesome-Multimodal-Large-Language-Models, commit 1c1d69e1) looks at the first four letters alone, so that `nope` and
 * `not sure` are No; its points stand beside, as `own_script`.
 */
import { z } from 'zod';
import { parseWith } from '../../data/validate.ts';
import { InputError } from '../../errors.ts';
import type { Benchmark, Question, Result, Row, Scorer } from './benchmark.ts';
import { firstOf, isMissing, text } from './cells.ts';
import { fillTemplate } from './fill-template.ts';
import { pictureName, picturePart } from './picture-part.ts';
import { decidedBy, deciders, isUnsaid, scoredCells, scoredText, withResponse } from './scored-text.ts';
import { counts, tally } from './tally.ts';
import { anywhere, atTheHead, type YesNo } from './yes-no.ts';

/** In the paper's order. */
const subtasks = {
  perception: [
    'existence',
    'count',
    'position',
    'color',
    'posters',
    'celebrity',
    'scene',
    'landmark',
    'artwork',
    'OCR',
  ],
  cognition: ['commonsense_reasoning', 'numerical_calculation', 'text_translation', 'code_reasoning'],
} as const;
const known: readonly string[] = [...subtasks.perception, ...subtasks.cognition];

const rowSchema = z.looseObject({
  category: z.enum([...subtasks.perception, ...subtasks.cognition]),
  answer: z.string().refine((answer) => truthOf(answer) !== null, 'must be Yes or No'),
  ...scoredCells,
});

function parse(value: unknown, source: string): Row {
  const row = parseWith(rowSchema, withResponse(value), source);
  if (pictureOf(row) === undefined)
    throw new InputError(
      `${source}: image_path: is missing; it (or question_id) says which two questions share a picture`,
    );
  return row;
}

/** What two questions share. */
const pictureOf = (row: Row) => firstOf(row, ['image_path', 'question_id']);

function truthOf(answer: string): YesNo | null {
  const word = answer.trim().replace(/\.$/, '').toLowerCase();
  return word === 'yes' ? 'Yes' : word === 'no' ? 'No' : null;
}

function score(rows: readonly Row[], scorer: Scorer): Result {
  const read = rows.map((row) => {
    const extracted = anywhere(scoredText(row));
    const hit = extracted === truthOf(text(row.answer));
    return { hit, extracted, decided_by: decidedBy(row, extracted !== null) };
  });
  const hits = read.map((row) => row.hit);
  const points = rate(rows, hits);
  const own = rate(
    rows,
    rows.map((row) => atTheHead(scoredText(row)) === truthOf(text(row.answer))),
  );
  return {
    summary: {
      benchmark: 'mme',
      scorer,
      ...tally(hits),
      perception: points.perception,
      cognition: points.cognition,
      total: points.total,
      per_category: points.per_category,
      subtasks: points.subtasks,
      decided_by: counts(
        deciders,
        read.map((row) => row.decided_by),
      ),
      unpaired: points.unpaired,
      ...(scorer === 'official' && { own_script: own }),
    },
    rows: read,
  };
}

/** Points of all subtasks that have rows. A picture with one question only counts for accuracy, and is told as unpaired. */
function rate(rows: readonly Row[], hits: readonly boolean[]) {
  const pictures = new Map<string, Map<unknown, boolean[]>>(known.map((name) => [name, new Map()]));
  rows.forEach((row, i) => {
    const ofTask = pictures.get(text(row.category)) as Map<unknown, boolean[]>;
    const name = text(pictureOf(row));
    ofTask.set(name, [...(ofTask.get(name) ?? []), hits[i]]);
  });
  let unpaired = 0;
  const parts = known.flatMap((name) => {
    const all = [...(pictures.get(name) as Map<unknown, boolean[]>).values()];
    if (all.length === 0) return [];
    const pairs = all.filter((questions) => questions.length > 1);
    unpaired += all.length - pairs.length;
    const { n, correct, accuracy } = tally(all.flat());
    const plus = tally(pairs.map(([first, second]) => first && second)).accuracy;
    const part = { n, correct, accuracy, accuracy_plus: plus, score: accuracy * 100 + plus * 100 };
    return [[name, part] as const];
  });
  const sum = (names: readonly string[]) =>
    parts.filter(([name]) => names.includes(name)).reduce((all, [, part]) => all + part.score, 0);
  const perception = sum(subtasks.perception);
  const cognition = sum(subtasks.cognition);
  return {
    perception,
    cognition,
    total: perception + cognition,
    per_category: Object.fromEntries(parts.map(([name, part]) => [name, part.score])),
    subtasks: Object.fromEntries(parts),
    unpaired,
  };
}

/** The question asks for yes or no in its own last words; nothing is added to it. */
function question(published: Row, source: string): Question {
  const row = parseWith(publishedSchema, published, source);
  const picture = picturePart(row, source);
  const shared = text(pictureOf(row) ?? pictureName(row, picture));
  const { category, answer, question: asked } = row;
  const index = isMissing(row.index) ? {} : { index: row.index };
  return {
    id: `${shared} ${asked}`,
    parts: [picture, { text: asked }],
    fields: { ...index, question_id: shared, category, question: asked, answer },
  };
}

const publishedSchema = z.looseObject({
  category: rowSchema.shape.category,
  question: z.string(),
  answer: rowSchema.shape.answer,
});

export const mme: Benchmark = {
  name: 'mme',
  title: 'MME',
  parse,
  score,
  asking: {
    variants: ['test'],
    files: () => ['data/test-*.parquet', 'test-*.parquet', '*.parquet', 'MME.tsv'],
    hub: 'lmms-lab/MME',
    question,
  },
  model: [
    {
      name: 'extract',
      template: `A question that can only be answered with Yes or No was put to a model, and it replied at some length. Say which of the two its reply means.

Question: {question}
Reply: {response}

Write one word: Yes or No, or Unknown where the reply means neither.`,
      prompt(row, template) {
        const said = scoredText(row);
        if (isUnsaid(row) || typeof row.extraction === 'string' || anywhere(said) !== null) return null;
        return fillTemplate(template, { question: text(row.question ?? ''), response: said });
      },
      read(row, reply) {
        const extraction = anywhere(reply);
        return extraction === null ? null : { ...row, extraction };
      },
    },
  ],
};
