/**
 * MathVerse (testmini): 788 problems of plane geometry, solid geometry and functions, each in six versions that move what is
 * known from the text into the picture.
 * Follows ZrrSkywalker/MathVerse, evaluation/extract_answer_s1.py and evaluation/score_answer_s2.py at commit 9f81505, and
 * open-compass/VLMEvalKit at commit e8e78f05, vlmeval/dataset/utils/mathverse.py, for the scorer `vlmevalkit`.
 *
 * A language model extracts the answer from a response, and a second call judges whether it is right. The only rule is
 * equality: of the texts as they are (`official`, its `--quick_match`), or without white space at their ends (`vlmevalkit`).
 * A row that carries a `judgement` already keeps it.
 */
import { z } from 'zod';
import { parseWith } from '../../data/validate.ts';
import { InputError } from '../../errors.ts';
import { strip } from '../../rewards/whitespace.ts';
import { answerText } from './answer-text.ts';
import type { Benchmark, ModelStep, Part, Question, Result, Row, Scorer } from './benchmark.ts';
import {
  isMissing,
  literalCell,
  officialNames,
  optionalText,
  publishedText,
  responseCell,
  textCell,
} from './fields.ts';
import { pyText } from './python.ts';
import { counts, type Tally, tally, tallyBy } from './tally.ts';

/** From all in the text to all in the picture; the paper's average leaves `Text Only` out. */
const problemVersions = [
  'Text Dominant',
  'Text Lite',
  'Text Only',
  'Vision Intensive',
  'Vision Dominant',
  'Vision Only',
] as const;

const judgementCell = z
  .union([z.boolean(), z.literal([0, 1]), z.literal(['0', '1', 'True', 'False', 'true', 'false'])], {
    error: 'must be 0 or 1',
  })
  .transform((value) => [true, 1, '1', 'True', 'true'].includes(value));

const rowSchema = z.looseObject({
  sample_index: textCell.optional(),
  problem_version: z.enum(problemVersions).optional(),
  answer: textCell,
  response: responseCell.optional(),
  extraction: z.unknown().optional(),
  judgement: z.preprocess((value) => (isMissing(value) ? undefined : value), judgementCell.optional()),
});
export type MathVerseRow = z.infer<typeof rowSchema>;

/** Other names: a response is the repository's `model_answer`, VLMEvalKit's `prediction`; `extract` and `score` are its judge's. */
const otherNames = {
  sample_index: ['index'],
  response: ['model_answer', 'prediction'],
  extraction: ['extract'],
  judgement: ['score'],
};

function parse(value: unknown, source: string): MathVerseRow {
  const row = parseWith(rowSchema, officialNames(value, otherNames), source);
  if ([row.response, row.extraction, row.judgement].every((given) => given === undefined))
    throw new InputError(`${source}: response: is missing`);
  return row;
}

/** The extraction where there is one, as it stands; else the answer's text, as the repository cleans what its model replies. */
function extracted(row: MathVerseRow): string {
  if (row.extraction !== undefined) return pyText(row.extraction);
  return cleaned(answerText(row.response).text);
}

const cleaned = (reply: string) => strip(reply.replaceAll('Extracted Answer: ', ''));

function isEqual(row: MathVerseRow, scorer: Scorer): boolean {
  if (row.extraction === undefined && row.response === null) return false;
  const said = extracted(row);
  return scorer === 'official' ? said === row.answer : strip(said) === strip(row.answer);
}

function score(rows: readonly MathVerseRow[], scorer: Scorer): Result {
  const hits = rows.map((row) => row.judgement ?? isEqual(row, scorer));
  const decidedBy = rows.map((row, i) => {
    if (row.judgement !== undefined) return 'judge';
    // of another extraction, only equality is certain
    if (!hits[i]) return 'none';
    return row.extraction === undefined ? 'rules' : 'extractor';
  });
  const { n, correct, accuracy } = tally(hits);
  const decided_by = counts(['rules', 'extractor', 'judge', 'none'] as const, decidedBy);
  const versions = tallyBy(rows, hits, ({ problem_version }) => named(problem_version));
  const subjects = rows.map((row) => sorted(row));
  const subject = tallyBy(subjects, hits, (of) => named(of.subject));
  const subfield = tallyBy(subjects, hits, (of) => named(of.subfield && `${of.subject}-${of.subfield}`));
  return {
    summary: {
      benchmark: 'mathverse',
      scorer,
      n,
      correct,
      accuracy,
      average: paperAverage(versions),
      decided_by,
      rules_share: n === 0 ? 0 : decided_by.rules / n,
      per_category: {
        problem_version: versions,
        ...(Object.keys(subject).length > 0 && { subject }),
        ...(Object.keys(subfield).length > 0 && { subfield }),
        ...(scorer === 'vlmevalkit' && { version_table: versionTable(rows, hits) }),
      },
    },
    rows: hits.map((hit, i) => ({ hit, decided_by: decidedBy[i] })),
  };
}

const named = (value: unknown) => (isMissing(value) ? [] : [pyText(value)]);

/** Mean over the versions but `Text Only`, as the paper's `All` (section 3, table 2); null where one is missing. */
function paperAverage(versions: Record<string, Tally>): number | null {
  const counted = problemVersions.filter((version) => version !== 'Text Only');
  if (!counted.every((version) => version in versions)) return null;
  return counted.reduce((sum, version) => sum + versions[version].accuracy, 0) / counted.length;
}

/** VLMEvalKit's table: a line a version, with its subjects and subfields. */
function versionTable(rows: readonly MathVerseRow[], hits: readonly boolean[]): Record<string, unknown> {
  const table: Record<string, unknown> = {};
  for (const version of problemVersions) {
    const of = rows.flatMap((row, i) =>
      row.problem_version === version ? [{ ...sorted(row), hit: hits[i] }] : [],
    );
    if (of.length === 0) continue;
    const own = of.map(({ hit }) => hit);
    table[version] = {
      ...tally(own),
      subject: tallyBy(of, own, ({ subject }) => named(subject)),
      subfield: tallyBy(of, own, ({ subfield }) => named(subfield)),
    };
  }
  return table;
}

/** Subject and subfield: of `metadata` as published, of `category` as in the repository's judged files, or the row's own. */
function sorted(row: MathVerseRow): { subject?: unknown; subfield?: unknown } {
  for (const holder of [row.category, row.metadata]) {
    const read = literalCell.safeParse(holder).data;
    if (typeof read === 'object' && read !== null && 'subject' in read) return read;
  }
  return row as { subject?: unknown; subfield?: unknown };
}

/** `query_wo` asks for the answer alone, `query_cot` for reasoning first; VLMEvalKit's table without them has its `question`. */
function question(published: Row, source: string, variant: string): Question {
  const key = variant.endsWith('_wo') ? 'query_wo' : 'query_cot';
  const text = optionalText(published, key, source) ?? publishedText(published, 'question', source);
  const row = officialNames(published, { sample_index: ['index'] }) as Row;
  const { image, image_path: _, query_wo: __, query_cot: ___, ...fields } = row;
  const id = publishedText(row, 'sample_index', source);
  const version = publishedText(row, 'problem_version', source);
  return {
    // the text-only problems are numbered from 1 again
    id: version === 'Text Only' ? `text-only-${id}` : id,
    parts: [...pictures(image, source), { text }],
    fields: { ...fields, sample_index: id },
  };
}

/** None for `Text Only`; encoded bytes in Parquet, base64 in VLMEvalKit's TSV, a path in the repository's JSON. */
function pictures(image: unknown, source: string): Part[] {
  if (isMissing(image)) return [];
  if (typeof image === 'string')
    return [{ picture: /\.(jpe?g|png)$/i.test(image) ? { path: `images/${image}` } : { base64: image } }];
  const { bytes } = image as { bytes?: unknown };
  if (bytes instanceof Uint8Array) return [{ picture: bytes }];
  if (isMissing(bytes)) return [];
  throw new InputError(`${source}: image: must be an encoded picture`);
}

const extract: ModelStep<MathVerseRow> = {
  name: 'extract',
  template: `A model has answered a mathematics problem. Find the answer in its response, and write nothing but that answer.
- Copy what the response concludes; do not solve the problem and do not correct the response.
- An option is given by its letter; an interval, an equation or several values are given whole.
- Where the response comes to no answer, write: null

Response: Adding the three sides, the perimeter comes to 4.2 + 5 + 6.1, and so it is about 15.3 metres.
Answer: 15.3

Response: The line crosses the curve twice, therefore the right option is:
C. There are two solutions
Answer: C

Response: The graph starts with an open circle at x = -1 and ends with a closed one at x = 5. Domain: (-1, 5]. Range: [0, 2)
Answer: Domain: (-1, 5], Range: [0, 2)

Response: The picture does not show the length of the base, so the area cannot be computed.
Answer: null

Response: {response}
Answer:`,
  prompt(row, template) {
    const isMade = row.extraction !== undefined || row.judgement !== undefined || row.response === null;
    if (isMade || isEqual(row, 'official')) return null;
    const { text } = answerText(row.response);
    return template.replaceAll('{response}', () => text);
  },
  read(row, reply) {
    const said = cleaned(strip(reply).replace(/^Answer:\s*/i, ''));
    return said === '' ? null : { ...row, extraction: said };
  },
};

const judge: ModelStep<MathVerseRow> = {
  name: 'judge',
  template: `Compare a model's answer to a mathematics question with the right answer. Write 1 if they say the same, otherwise 0, and nothing else.
- The whole answer counts: an interval with another bracket, or one of two values asked for, is 0.
- The same value written in another way is 1: 0.5 m and 50 cm, or an option's text in place of its letter.
- Do not solve the question.

Question: Give the solution of the inequality on the number line in interval notation.
Right answer: [3,7)
Model's answer: (3, 7)
Verdict: 0

Question: Is the relation in the picture a function?
Choices:
A:Yes
B:No
Right answer: B
Model's answer: No
Verdict: 1

Question: {question}
Right answer: {answer}
Model's answer: {extraction}
Verdict:`,
  prompt(row, template) {
    const isOver = row.judgement !== undefined || row.response === null;
    if (isOver || isEqual(row, 'official')) return null;
    const parts: Record<string, string> = {
      question: pyText(row.question_for_eval ?? row.question ?? ''),
      answer: row.answer,
      extraction: extracted(row),
    };
    return template.replace(/\{(question|answer|extraction)\}/g, (_, name: string) => parts[name]);
  },
  read(row, reply) {
    const said = strip(reply.replaceAll('Judgement:', '').replaceAll('Verdict:', ''));
    return said === '0' || said === '1' ? { ...row, judgement: said === '1' } : null;
  },
};

/** The hub's Parquet and the repository's JSON hold the five versions with a picture together, and `Text Only` in a file of its own. */
const files: Record<string, string[]> = {
  testmini: ['testmini.parquet', 'MathVerse_MINI.tsv', 'testmini.json', 'data/testmini.json'],
  text_only: ['testmini_text_only.parquet', 'testmini_text_only.json', 'data/testmini_text_only.json'],
  all: ['testmini*.parquet', 'testmini*.json', 'data/testmini*.json'],
};

export const mathverse: Benchmark<MathVerseRow> = {
  name: 'mathverse',
  title: 'MathVerse (testmini)',
  parse,
  score,
  asking: {
    variants: ['testmini', 'text_only', 'all'].flatMap((name) => [name, `${name}_wo`]),
    files: (variant) => files[variant.replace(/_wo$/, '')] ?? [],
    hub: 'AI4Math/MathVerse',
    question,
  },
  model: [extract, judge],
};
