/**
 * MathVista (testmini): 1,000 visual mathematics questions, with options or a whole number, a decimal or a list as answer.
 * Follows lupantech/MathVista: evaluation/build_query.py (commit c8221f0) and data/query.json (1d27dac) (what is asked),
 * evaluation/extract_answer.py (ed0d56d) and evaluation/calculate_score.py (e999481) (rules, see mathvista-rules.ts), the categories of the latter;
 * and open-compass/VLMEvalKit at commit e8e78f05, vlmeval/dataset/utils/mathvista.py, for the scorer `vlmevalkit`.
 */
import { z } from 'zod';
import { parseWith } from '../../data/validate.ts';
import { InputError } from '../../errors.ts';
import { answerText } from './answer-text.ts';
import type { Benchmark, ModelStep, Part, Question, Result, Row, Scorer } from './benchmark.ts';
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
import { officialVerdict, ruledExtraction, vlmevalkitVerdict } from './mathvista-rules.ts';
import { pyText } from './python.ts';
import { counts, tally, tallyBy } from './tally.ts';

const rowSchema = z.looseObject({
  pid: textCell.optional(),
  question_type: z.enum(['multi_choice', 'free_form']),
  answer_type: z.enum(['text', 'integer', 'float', 'list']),
  choices: literalCell
    .pipe(z.array(z.union([z.string(), z.number()]).transform(pyText)).nullable())
    .optional()
    .transform((choices) => choices ?? null),
  precision: z
    .union([z.number(), z.string(), z.null(), z.nan().transform(() => null)])
    .optional()
    .transform((precision) => (precision === '' ? null : (precision ?? null))),
  answer: textCell,
  answer_option: z.string().nullish(),
  response: responseCell.optional(),
  extraction: z.unknown().optional(),
});
export type MathVistaRow = z.infer<typeof rowSchema>;

/** Other harnesses' names. VLMEvalKit calls a response `prediction`, and what its judge made of it `res`. */
const otherNames = { pid: ['index'], response: ['prediction'], extraction: ['res'] };

function parse(value: unknown, source: string): MathVistaRow {
  const row = parseWith(rowSchema, officialNames(value, otherNames), source);
  if (row.question_type === 'multi_choice' && (row.choices ?? []).length === 0)
    throw new InputError(
      `${source}: choices: must be a list of strings where question_type is "multi_choice"`,
    );
  if (row.response === undefined && row.extraction === undefined)
    throw new InputError(`${source}: response: is missing`);
  return row;
}

/** The official table's keys, of the row itself or its `metadata`. */
const categories = [
  'question_type',
  'answer_type',
  'language',
  'source',
  'category',
  'task',
  'context',
  'grade',
  'skills',
];

function score(rows: readonly MathVistaRow[], scorer: Scorer): Result {
  const verdictOf = scorer === 'official' ? officialVerdict : vlmevalkitVerdict;
  const verdicts = rows.map((row) => verdictOf(row, row.response, row.extraction));
  const hits = verdicts.map(({ hit }) => hit);
  const decidedBy = verdicts.map(({ by }) => by);
  const metadata = rows.map(metadataOf);
  const per_category: Record<string, unknown> = {};
  for (const category of categories) {
    const tallies = tallyBy(metadata, hits, (of) => names(of[category]));
    if (Object.keys(tallies).length > 0) per_category[category] = tallies;
  }
  const { n, correct, accuracy } = tally(hits);
  const decided_by = counts(['rules', 'extractor', 'none'] as const, decidedBy);
  return {
    summary: {
      benchmark: 'mathvista',
      scorer,
      n,
      correct,
      accuracy,
      decided_by,
      rules_share: n === 0 ? 0 : decided_by.rules / n,
      per_category,
    },
    rows: verdicts.map(({ hit, prediction, by }) => ({ hit, normalized: prediction, decided_by: by })),
  };
}

function metadataOf(row: MathVistaRow): Row {
  const { metadata } = row;
  if (typeof metadata === 'object' && metadata !== null) return { ...row, ...metadata };
  const read = literalCell.safeParse(metadata);
  return typeof read.data === 'object' ? { ...row, ...read.data } : row;
}

/** A name, several, or a table's cell `['arithmetic reasoning', …]`. */
function names(value: unknown): string[] {
  if (isMissing(value)) return [];
  const read = typeof value === 'string' && value.startsWith('[') ? literalCell.safeParse(value).data : value;
  return (Array.isArray(read) ? read : [value]).map(pyText);
}

/** How the answer is to be given, by the type of the question, of the answer and its decimal places. */
const hints: Record<string, string> = {
  multi_choice:
    'Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.',
  integer: asking('an integer answer', 'value', '1, 2, 3'),
  'float 1': asking('a floating-point number with one decimal place', 'value', '1.2, 1.3, 1.4'),
  'float 2': asking('a floating-point number with two decimal places', 'value', '1.23, 1.34, 1.45'),
  float: asking('a floating-point number', 'value', '1.2, 1.23'),
  list: asking('a Python list as an answer', 'list', '[1, 2, 3], [1.2, 1.3, 1.4]'),
};

function asking(what: string, final: string, examples: string): string {
  return `Please answer the question requiring ${what} and provide the final ${final}, e.g., ${examples}, at the end.`;
}

/** The published `query`, or the same made anew. VLMEvalKit's table has it as its `question`. */
function query(row: Row, source: string): string {
  const published = optionalText(row, 'query', source);
  if (published !== null) return published;
  const text = publishedText(row, 'question', source);
  if (/^Hint: .*\nQuestion: /.test(text)) return text;
  const type = publishedText(row, 'question_type', source);
  const answerType = publishedText(row, 'answer_type', source);
  const places = isMissing(row.precision) ? '' : ` ${Number(row.precision)}`;
  const hint = hints[type] ?? hints[answerType + places] ?? hints[answerType];
  if (hint === undefined)
    throw new InputError(`${source}: answer_type: must be one of "text", "integer", "float", "list"`);
  const unit = optionalText(row, 'unit', source);
  const choices = publishedList(row, 'choices', source) ?? [];
  const options = choices.map((choice, i) => `(${String.fromCharCode(65 + i)}) ${choice}`);
  return [
    `Hint: ${hint}`,
    `Question: ${text}${unit === null ? '' : ` (Unit: ${unit})`}`,
    ...(options.length > 0 ? ['Choices:', ...options] : []),
  ].join('\n');
}

function question(published: Row, source: string): Question {
  const text = query(published, source);
  const row = officialNames(published, { pid: ['index'] }) as Row;
  const { image, decoded_image, query: _, hint: __, image_path: ___, ...fields } = row;
  const id = publishedText(row, 'pid', source);
  return {
    id,
    parts: [picture(published, source), { text }],
    fields: { ...fields, pid: id, query: text },
  };
}

/** Encoded bytes in the hub's Parquet, base64 in VLMEvalKit's TSV, a path in the benchmark's own JSON. */
function picture(published: Row, source: string): Part {
  const { bytes } = (published.decoded_image ?? {}) as { bytes?: unknown };
  if (bytes instanceof Uint8Array) return { picture: bytes };
  const image = publishedText(published, 'image', source);
  return { picture: /^images\/|\.(jpe?g|png)$/i.test(image) ? { path: image } : { base64: image } };
}

const extract: ModelStep<MathVistaRow> = {
  name: 'extract',
  template: `Find the answer that a response gives to a question, and write nothing but that answer.
- The hint before the question says what form it has: an option's letter, a whole number, a decimal, a list.
- Copy what the response concludes, without its unit; do not solve the question and do not correct the response.
- Where the response comes to no answer, write: None

Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.
Question: How many apples are in the basket?
Response: Seven red ones and two green ones lie there, which makes nine apples.
Answer: 9

Hint: Please answer the question requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, at the end.
Question: How long is the pencil? (Unit: cm)
Response: It ends between 6 cm and 7 cm, I read 6.4 cm off the ruler.
Answer: 6.4

Hint: Please answer the question requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4], at the end.
Question: In which two months did sales fall?
Response: The line goes down in month 3 and once more in month 8.
Answer: [3, 8]

Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.
Question: Which bar is the tallest?
Choices:
(A) red
(B) blue
(C) green
Response: Red and green are about equal, the blue bar rises above both, so it is (B) blue.
Answer: B

{question}
Response: {response}
Answer:`,
  prompt(row, template) {
    const { text } = answerText(row.response);
    if (row.extraction !== undefined || row.response === null || ruledExtraction(row, text) !== null)
      return null;
    const parts: Record<string, string> = { question: query(row, `pid ${row.pid}`), response: text };
    return template.replace(/\{(question|response)\}/g, (_, name: string) => parts[name]);
  },
  read(row, reply) {
    const said = reply.trim().replace(/^(Extracted )?Answer:\s*/i, '');
    return said === '' ? null : { ...row, extraction: said };
  },
};

export const mathvista: Benchmark<MathVistaRow> = {
  name: 'mathvista',
  title: 'MathVista (testmini)',
  parse,
  score,
  asking: {
    variants: ['testmini'],
    files: () => [
      'data/testmini-*.parquet',
      'testmini-*.parquet',
      'MathVista_MINI.tsv',
      'testmini.json',
      'data/testmini.json',
    ],
    hub: 'AI4Math/MathVista',
    question,
  },
  model: [extract],
};
