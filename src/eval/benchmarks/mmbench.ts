/**
 * MMBench (arXiv 2307.06281), development sets in English and Chinese, circular: every question is asked once for each
 * rotation of its options, and counts as right only if all of them are.
 *
 * Rules: VLMEvalKit's, which is the benchmark's own evaluation (mcq_circular_eval and report_acc of
 * vlmeval/dataset/utils/multiple_choice.py in open-compass/VLMEvalKit, commit e8e78f05). Rotations of question q have the
 * indices q, q + 1,000,000, q + 2,000,000 …; a question without its first rotation is left out of the shares and counted.
 */
import { z } from 'zod';
import { parseWith } from '../../data/validate.ts';
import { InputError } from '../../errors.ts';
import type { Benchmark, Question, Result, Row, Scorer } from './benchmark.ts';
import { firstOf, isMissing, text } from './cells.ts';
import { optionsOf } from './choice-inference.ts';
import { choiceText, choose, matchOption } from './choice-rows.ts';
import { picturePart } from './picture-part.ts';
import { deciders, scoredCells, withResponse } from './scored-text.ts';
import { counts, tally, tallyBy } from './tally.ts';

/** The abilities' names in MMBench's tables. */
const abbreviations: Readonly<Record<string, string>> = {
  coarse_perception: 'CP',
  'finegrained_perception (instance-level)': 'FP-S',
  'finegrained_perception (cross-instance)': 'FP-C',
  attribute_reasoning: 'AR',
  logic_reasoning: 'LR',
  relation_reasoning: 'RR',
};

const turn = 1_000_000;

const whole = z
  .union([z.number(), z.string().regex(/^\d+(\.0)?$/)])
  .refine((index) => Number.isSafeInteger(Number(index)) && Number(index) >= 0, 'must be a whole number');

const publishedSchema = z.looseObject({
  index: whole,
  g_index: whole.nullish(),
  question: z.string(),
  answer: z.string().regex(/^[A-Z]$/, 'must be the letter of an option'),
});

const rowSchema = publishedSchema.extend({
  question: z.string().nullish(),
  ...scoredCells,
});

function parse(value: unknown, source: string): Row {
  const row = parseWith(rowSchema, withResponse(value), source);
  if (Object.keys(optionsOf(row)).length === 0)
    throw new InputError(`${source}: A: is missing; the options' texts stand in A, B, C …`);
  return row;
}

/** The index of a row's first rotation. */
const groupOf = (row: Row) => (isMissing(row.g_index) ? Number(row.index) % turn : Number(row.g_index));
const isFirst = (row: Row) => Number(row.index) === groupOf(row);

const named = (row: Row, names: string[]): string[] => {
  const name = firstOf(row, names);
  return name === undefined ? [] : [text(name)];
};
const abilityOf = (row: Row) =>
  named(row, ['l2-category', 'L2-category', 'l2_category']).map((name) => abbreviations[name] ?? name);

function score(rows: readonly Row[], scorer: Scorer): Result {
  const choices = rows.map(choose);
  const circular = new Map<number, boolean>();
  rows.forEach((row, i) => {
    const group = groupOf(row);
    circular.set(group, (circular.get(group) ?? true) && choices[i].right);
  });
  const hits = rows.map((row) => circular.get(groupOf(row)) as boolean);
  const first = rows.flatMap((row, i) =>
    isFirst(row) ? [{ row, hit: hits[i], right: choices[i].right }] : [],
  );
  const splits = [...new Set(first.flatMap(({ row }) => named(row, ['split'])))];
  const read = choices.map(({ right, extracted, decided_by }, i) => ({
    hit: hits[i],
    rotation_hit: right,
    extracted,
    decided_by,
  }));
  return {
    summary: {
      benchmark: 'mmbench',
      scorer,
      ...tally(first.map(({ hit }) => hit)),
      rotations: rows.length,
      without_first_rotation: circular.size - new Set(first.map(({ row }) => groupOf(row))).size,
      per_category: byAbility(first),
      per_split: Object.fromEntries(
        splits.map((split) => {
          const some = first.filter(({ row }) => named(row, ['split'])[0] === split);
          return [split, { ...tally(some.map(({ hit }) => hit)), ...byAbility(some) }];
        }),
      ),
      vanilla: {
        all: tally(choices.map(({ right }) => right)),
        first: tally(first.map(({ right }) => right)),
      },
      decided_by: counts(
        deciders,
        read.map((row) => row.decided_by),
      ),
    },
    rows: read,
  };
}

function byAbility(first: readonly { row: Row; hit: boolean }[]) {
  const hits = first.map(({ hit }) => hit);
  return {
    l2_category: tallyBy(first, hits, ({ row }) => abilityOf(row)),
    category: tallyBy(first, hits, ({ row }) => named(row, ['category'])),
  };
}

function question(published: Row, source: string): Question {
  const row = parseWith(publishedSchema, published, source);
  const options = optionsOf(row);
  if (Object.keys(options).length === 0)
    throw new InputError(`${source}: A: is missing; the published files hold the options in A, B, C …`);
  const ability = firstOf(row, ['l2-category', 'L2-category']);
  const kept = { category: row.category, 'l2-category': ability, split: row.split, g_index: row.g_index };
  return {
    id: String(Number(row.index)),
    parts: [picturePart(row, source), { text: choiceText(row) }],
    fields: {
      index: Number(row.index),
      question: row.question,
      ...(isMissing(row.hint) ? {} : { hint: row.hint }),
      ...options,
      answer: row.answer,
      ...Object.fromEntries(Object.entries(kept).filter(([, value]) => !isMissing(value))),
    },
  };
}

const languages: Readonly<Record<string, string>> = { en: 'EN', cn: 'CN' };

export const mmbench: Benchmark = {
  name: 'mmbench',
  title: 'MMBench (dev)',
  parse,
  score,
  asking: {
    variants: Object.keys(languages),
    files: (variant) => [
      `${variant}/dev-*.parquet`,
      `MMBench_DEV_${languages[variant]}.tsv`,
      `MMBench_DEV_${languages[variant]}_V11.tsv`,
    ],
    hub: 'lmms-lab/MMBench',
    question,
  },
  model: [matchOption],
};
