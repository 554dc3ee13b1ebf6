/**
 * MMMU (val): 900 college questions of thirty subjects in six disciplines, with options or open, with up to seven pictures.
 * Follows MMMU-Benchmark/MMMU: mmmu/run_llava.py (commit aa9b70d) with the prompt of its configs/llava1.5.yaml (what is asked),
 * eval/main_parse_and_eval.py (bf380a2) and eval/eval_utils.py (44b45b5) (rules, see mmmu-rules.ts), eval/main_eval_only.py
 * (bf380a2) (disciplines);
 * and open-compass/VLMEvalKit at commit e8e78f05, vlmeval/dataset/utils/multiple_choice.py (`MMMU_preproc`,
 * `mcq_vanilla_eval`, `report_acc`, exact matching), for the scorer `vlmevalkit`.
 */
import { z } from 'zod';
import { parseWith } from '../../data/validate.ts';
import { InputError } from '../../errors.ts';
import { answerText } from './answer-text.ts';
import type { Benchmark, Part, Question, Result, Row, Scorer } from './benchmark.ts';
import { type Choices, inferChoice } from './choice-inference.ts';
import {
  isMissing,
  literalCell,
  officialNames,
  optionalText,
  publishedList,
  publishedText,
  responseCell,
  textCell,
} from './fields.ts';
import { isOpenHit, parseMultiChoice, parseOpen } from './mmmu-rules.ts';
import { disciplineOf, subjectOf } from './mmmu-subjects.ts';
import { pyText } from './python.ts';
import { counts, tally, tallyBy } from './tally.ts';

const optionText = z.union([z.string(), z.number()]).transform(pyText);
const rowSchema = z.looseObject({
  id: textCell.optional(),
  question_type: z.string(),
  all_choices: literalCell.pipe(z.array(z.string()).nullable()),
  index2ans: literalCell.pipe(z.record(z.string(), optionText).nullable()),
  answer: z.union([textCell, z.array(textCell)]),
  response: responseCell,
});
export type MmmuRow = z.infer<typeof rowSchema>;

function parse(value: unknown, source: string): MmmuRow {
  const row = officialNames(value, { id: ['index'], response: ['prediction'] });
  return parseWith(
    rowSchema,
    typeof row === 'object' && row !== null ? completed(row as Row, source) : row,
    source,
  );
}

/** With type and options where a row has them in the published form instead: `options`, or VLMEvalKit's columns A, B, … */
function completed(row: Row, source: string): Row {
  const columns = optionColumns(row);
  const options = columns ?? lettered(publishedList(row, 'options', source) ?? []);
  const hasOptions = Object.keys(options).length > 0;
  const index2ans = row.index2ans ?? (hasOptions ? options : null);
  const fromTable = columns !== null || !Object.hasOwn(row, 'all_choices');
  const question_type =
    row.question_type ?? (fromTable ? (hasOptions ? 'multiple-choice' : 'open') : undefined);
  const known = typeof index2ans === 'object' && index2ans !== null ? Object.keys(index2ans) : null;
  if (
    question_type === 'multiple-choice' &&
    !['all_choices', 'index2ans'].some((key) => Object.hasOwn(row, key)) &&
    known === null
  )
    throw new InputError(`${source}: all_choices: is missing`);
  return { ...row, question_type, index2ans, all_choices: row.all_choices ?? known };
}

/** Null where the row is not of VLMEvalKit's layout; an open question has no option in it. */
function optionColumns(row: Row): Record<string, unknown> | null {
  const given = LETTERS.filter((letter) => Object.hasOwn(row, letter));
  if (given.length === 0) return null;
  return Object.fromEntries(given.filter((at) => !isMissing(row[at])).map((at) => [at, row[at]]));
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('');
const lettered = (options: readonly string[]): Record<string, string> =>
  Object.fromEntries(options.map((option, i) => [LETTERS[i], option]));

interface Verdict {
  hit: boolean;
  parsed_pred: unknown;
  by: 'rules' | 'none';
}

const NOTHING: Verdict = { hit: false, parsed_pred: null, by: 'none' };

function officialVerdict(row: MmmuRow): Verdict {
  if (row.response === null) return NOTHING;
  const text = scored(row);
  const answers = Array.isArray(row.answer) ? row.answer : [row.answer];
  if (row.question_type !== 'multiple-choice') {
    const said = parseOpen(text);
    return { hit: isOpenHit(answers, said), parsed_pred: [...new Set(said)], by: 'rules' };
  }
  const option = parseMultiChoice(text, row.all_choices ?? [], row.index2ans ?? {});
  if (option === null) return NOTHING;
  return { hit: answers.includes(option), parsed_pred: option, by: 'rules' };
}

/** Open questions become a choice between their answer and `Other Answers`, as in `MMMU_preproc`. */
function vlmevalkitVerdict(row: MmmuRow): Verdict {
  if (row.response === null) return NOTHING;
  const answer = pyText(row.answer);
  const open = row.question_type !== 'multiple-choice';
  const choices: Choices = open ? { A: answer, B: 'Other Answers' } : (row.index2ans ?? {});
  const truth = /^[A-Z]$/.test(answer) ? answer : 'A';
  const option = inferChoice(scored(row), choices);
  return { hit: option === truth, parsed_pred: option, by: option === null ? 'none' : 'rules' };
}

const scored = (row: MmmuRow) => answerText(row.response).text;

function score(rows: readonly MmmuRow[], scorer: Scorer): Result {
  const verdicts = rows.map(scorer === 'official' ? officialVerdict : vlmevalkitVerdict);
  const hits = verdicts.map(({ hit }) => hit);
  const { n, correct, accuracy } = tally(hits);
  const decided_by = counts(
    ['rules', 'none'] as const,
    verdicts.map(({ by }) => by),
  );
  const official = scorer === 'official';
  return {
    summary: {
      benchmark: 'mmmu',
      scorer,
      n,
      correct,
      accuracy,
      decided_by,
      rules_share: n === 0 ? 0 : decided_by.rules / n,
      ...(official && { random_fallback: decided_by.none }),
      per_category: perCategory(rows, hits),
    },
    rows: verdicts.map(({ hit, parsed_pred, by }) => ({
      hit,
      parsed_pred,
      decided_by: by,
      ...(official && { random_fallback: by === 'none' }),
    })),
  };
}

function perCategory(rows: readonly MmmuRow[], hits: readonly boolean[]): Record<string, unknown> {
  const subject = ofRow(subjectOf);
  const discipline = ofRow(disciplineOf);
  const tables = {
    discipline: tallyBy(rows, hits, discipline),
    subject: tallyBy(rows, hits, subject),
    question_type: tallyBy(rows, hits, ({ question_type }) => [question_type]),
    split: splits(rows, hits, subject),
  };
  return Object.fromEntries(Object.entries(tables).filter(([, table]) => Object.keys(table).length > 0));
}

const ofRow = (name: (row: Row) => string | null) => (row: MmmuRow) => {
  const found = name(row);
  return found === null ? [] : [found];
};

/** VLMEvalKit's table mixes dev and validation and reports them apart. */
function splits(
  rows: readonly MmmuRow[],
  hits: readonly boolean[],
  subject: (row: MmmuRow) => readonly string[],
): Record<string, unknown> {
  const of = (row: MmmuRow) => (isMissing(row.split) ? [] : [pyText(row.split)]);
  return Object.fromEntries(
    Object.entries(tallyBy(rows, hits, of)).map(([split, whole]) => {
      const own = rows.flatMap((row, i) => (of(row)[0] === split ? [i] : []));
      const subjects = tallyBy(
        own.map((i) => rows[i]),
        own.map((i) => hits[i]),
        subject,
      );
      return [split, { ...whole, subject: subjects }];
    }),
  );
}

/** Options in brackets below the question, then what form the answer has; pictures stand where `<image N>` does. */
function question(published: Row, source: string): Question {
  const id = publishedText(published, Object.hasOwn(published, 'id') ? 'id' : 'index', source);
  const columns = optionColumns(published);
  const options = columns ?? lettered(publishedList(published, 'options', source) ?? []);
  const type =
    optionalText(published, 'question_type', source) ??
    (Object.keys(options).length > 0 ? 'multiple-choice' : 'open');
  const isChoice = type === 'multiple-choice';
  const listed = Object.entries(options).map(([letter, option]) => `(${letter}) ${pyText(option)}\n`);
  const text = isChoice
    ? `${publishedText(published, 'question', source)}\n${listed.join('')}\nAnswer with the option's letter from the given choices directly.`
    : `${publishedText(published, 'question', source)}\nAnswer the question using a single word or phrase.`;
  const fields = {
    id,
    question_type: type,
    all_choices: isChoice ? Object.keys(options) : null,
    index2ans: isChoice ? options : null,
    answer: truths(published, isChoice, source),
  };
  return {
    id,
    parts: interleaved(text, pictures(published), source),
    fields: { ...fields, ...kept(published) },
  };
}

/** The hub writes several right answers to an open question as a Python list. */
function truths(published: Row, isChoice: boolean, source: string): string | string[] {
  const answer = publishedText(published, 'answer', source);
  const list = !isChoice && /^\[.*\]$/s.test(answer) ? literalCell.safeParse(answer).data : null;
  return Array.isArray(list) ? list.map(pyText) : answer;
}

/** What sorts the questions. */
function kept(published: Row): Row {
  const names = ['question', 'split', 'category', 'l2-category', 'subfield', 'topic_difficulty', 'img_type'];
  return Object.fromEntries(
    names.filter((name) => !isMissing(published[name])).map((name) => [name, published[name]]),
  );
}

type Picture = Part & { picture: unknown };

/** `image_1` … `image_7` of Parquet; of VLMEvalKit's TSV one base64 text, or a list of them. */
function pictures(published: Row): (Picture | undefined)[] {
  const numbered = [1, 2, 3, 4, 5, 6, 7].map((n) => published[`image_${n}`]);
  if (numbered.some((cell) => !isMissing(cell))) return numbered.map(picture);
  const { image } = published;
  if (isMissing(image)) return [];
  const list = typeof image === 'string' && image.startsWith('[') ? literalCell.safeParse(image).data : image;
  return (Array.isArray(list) ? list : [list]).map(picture);
}

function picture(cell: unknown): Picture | undefined {
  if (cell instanceof Uint8Array) return { picture: cell };
  if (typeof cell === 'string')
    return { picture: /\.(jpe?g|png)$/i.test(cell) ? { path: cell } : { base64: cell } };
  const { bytes } = (cell ?? {}) as { bytes?: unknown };
  return bytes instanceof Uint8Array ? { picture: bytes } : undefined;
}

/** Text with each `<image N>` replaced by that picture; pictures that no text names come first. */
function interleaved(text: string, all: readonly (Picture | undefined)[], source: string): Part[] {
  const pieces = text.split(/<image (\d+)>/);
  const named = new Set(pieces.filter((_, i) => i % 2 === 1).map((n) => Number(n) - 1));
  const parts: Part[] = named.size > 0 ? [] : all.filter((one) => one !== undefined);
  pieces.forEach((piece, i) => {
    if (i % 2 === 0) {
      if (piece !== '') parts.push({ text: piece });
      return;
    }
    const one = all[Number(piece) - 1];
    if (one === undefined) throw new InputError(`${source}: image_${piece}: is missing`);
    parts.push(one);
  });
  return parts;
}

/** Splits of the hub, which has a folder a subject; `lmms-lab/MMMU` has them all in `data/`. */
const splitFiles = (split: string) => [
  `*/${split}-*.parquet`,
  `data/${split}-*.parquet`,
  `${split}-*.parquet`,
];

export const mmmu: Benchmark<MmmuRow> = {
  name: 'mmmu',
  title: 'MMMU',
  parse,
  score,
  asking: {
    // VLMEvalKit's table mixes both splits
    variants: ['validation', 'dev', 'dev_val'],
    files: (variant) => (variant === 'dev_val' ? ['MMMU_DEV_VAL.tsv'] : splitFiles(variant)),
    hub: 'MMMU/MMMU',
    question,
  },
  model: [],
};
