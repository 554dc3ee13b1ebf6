/**
 * Writes a small sample of every benchmark in the layout in which it is published, questions and pictures our own:
 *
 *   npx tsx scripts/benchmark-samples.ts [DIR]
 *
 * by default into test/fixtures/benchmarks/, where the tests find them. The same code writes the same bytes. Each question
 * is about a coloured square, so that a picture can be told from another.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { encodePng } from '../src/data/pictures/images.ts';

const out = process.argv[2] ?? fileURLToPath(new URL('../test/fixtures/benchmarks', import.meta.url));

const COLOURS: Record<string, [number, number, number]> = {
  red: [200, 30, 30],
  green: [30, 160, 60],
  blue: [30, 60, 200],
  yellow: [230, 210, 40],
};

/** A square on white. */
async function square(colour: string, side = 24): Promise<Uint8Array> {
  const rgb = new Uint8Array(side * side * 3).fill(255);
  for (let y = 4; y < side - 4; y++)
    for (let x = 4; x < side - 4; x++) rgb.set(COLOURS[colour], (y * side + x) * 3);
  return encodePng(rgb, side, side, { compressionLevel: 9 });
}
const base64 = async (colour: string) => Buffer.from(await square(colour)).toString('base64');

function write(path: string, data: string | Uint8Array): void {
  const file = join(out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, data);
}

type SchemaElement = NonNullable<Parameters<typeof parquetWriteBuffer>[0]['schema']>[number];
type Kind = 'text' | 'number' | 'picture' | 'texts';

/** Columns as Hugging Face's datasets writes them: a picture is a struct {bytes, path}. */
function writeParquet(path: string, columns: Record<string, Kind>, rows: Record<string, unknown>[]): void {
  const text = (name: string): SchemaElement => ({
    name,
    type: 'BYTE_ARRAY',
    converted_type: 'UTF8',
    repetition_type: 'OPTIONAL',
  });
  const elements: Record<Kind, (name: string) => SchemaElement[]> = {
    text: (name) => [text(name)],
    number: (name) => [{ name, type: 'INT64', repetition_type: 'OPTIONAL' }],
    picture: (name) => [
      { name, repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      text('path'),
    ],
    texts: (name) => [
      { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      text('element'),
    ],
  };
  const names = Object.keys(columns);
  const bytes = parquetWriteBuffer({
    columnData: names.map((name) => ({
      name,
      data: rows.map((row) => {
        const value = row[name] ?? null;
        return columns[name] === 'number' && value !== null ? BigInt(value as number) : value;
      }),
    })),
    schema: [
      { name: 'root', num_children: names.length },
      ...names.flatMap((name) => elements[columns[name]](name)),
    ],
    rowGroupSize: 2,
    createdBy: 'sophia',
  });
  write(path, new Uint8Array(bytes));
}

function writeTsv(path: string, columns: string[], rows: Record<string, unknown>[]): void {
  const cell = (value: unknown) => {
    const text = String(value ?? '');
    return /[\t\n"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))];
  write(path, `${lines.map((cells) => cells.map(cell).join('\t')).join('\n')}\n`);
}

/** Two shards. */
async function mathvista(): Promise<void> {
  const choices = ['red', 'green', 'blue'];
  const metadata = { category: 'general-vqa', task: 'figure question answering', context: 'synthetic scene' };
  const questions = [
    { type: 'multi_choice', answer_type: 'text', text: 'What colour is the square?', answer: 'red', choices },
    { type: 'free_form', answer_type: 'integer', text: 'How many squares are there?', answer: '1' },
    { type: 'free_form', answer_type: 'float', text: 'How wide is the square?', answer: '1.6', unit: 'cm' },
    { type: 'multi_choice', answer_type: 'text', text: 'Which colour has it?', answer: 'blue', choices },
    { type: 'free_form', answer_type: 'integer', text: 'How many corners has it?', answer: '4' },
    { type: 'free_form', answer_type: 'list', text: 'Sides and corners?', answer: '[4, 4]' },
  ];
  const colours = ['red', 'green', 'blue', 'blue', 'yellow', 'red'];
  const rows = await Promise.all(
    questions.map(async ({ type, answer_type, text, answer, choices, unit }, i) => ({
      pid: String(i + 1),
      question: text,
      image: `images/${i + 1}.jpg`,
      decoded_image: { bytes: await square(colours[i]), path: null },
      choices: choices ?? null,
      unit: unit ?? null,
      precision: answer_type === 'float' ? 1 : null,
      answer,
      question_type: type,
      answer_type,
      // a struct on the hub; tables hold it as text, which scorers read as well
      metadata: JSON.stringify({
        ...metadata,
        skills: [i % 2 === 0 ? 'arithmetic reasoning' : 'geometry reasoning'],
      }),
    })),
  );
  const columns = {
    pid: 'text',
    question: 'text',
    image: 'text',
    decoded_image: 'picture',
    choices: 'texts',
    unit: 'text',
    precision: 'number',
    answer: 'text',
    question_type: 'text',
    answer_type: 'text',
    metadata: 'text',
  } as const;
  writeParquet('mathvista/data/testmini-00000-of-00002.parquet', columns, rows.slice(0, 3));
  writeParquet('mathvista/data/testmini-00001-of-00002.parquet', columns, rows.slice(3));
}

/** JSON beside a folder of pictures; the versions of a problem one after the other. */
async function mathverse(): Promise<void> {
  const versions = ['Text Dominant', 'Text Lite', 'Vision Intensive', 'Vision Dominant', 'Vision Only'];
  const problems = [
    { colour: 'red', type: 'multi-choice', question: 'A square has sides of 3. Its area is', answer: 'B' },
    {
      colour: 'green',
      type: 'free-form',
      question: 'A square has sides of 2. What is its perimeter?',
      answer: '8',
    },
  ];
  const options = '\nChoices:\nA:6\nB:9\nC:12\nD:15';
  const rows = problems.flatMap(({ colour, type, question, answer }, p) =>
    versions.map((version, v) => {
      const asked = version === 'Vision Only' ? '' : `${question}${type === 'multi-choice' ? options : ''}`;
      return {
        sample_index: String(p * 5 + v + 1),
        problem_index: String(p + 1),
        problem_version: version,
        question: asked,
        image: `images_version_1-4/image_${colour}.png`,
        answer,
        question_type: type,
        metadata: { split: 'testmini', source: 'made', subject: 'Plane Geometry', subfield: 'Area' },
        query_wo: `Please directly answer the question.\n${asked}`,
        query_cot: `Please first conduct reasoning, and then answer the question.\nQuestion: ${asked}`,
        question_for_eval: `${question}${type === 'multi-choice' ? options : ''}`,
      };
    }),
  );
  write('mathverse/testmini.json', `${JSON.stringify(rows, null, 1)}\n`);
  const textOnly = problems.map((_, p) => ({
    ...rows[5 * p],
    sample_index: String(p + 1),
    problem_version: 'Text Only',
    image: '',
  }));
  write('mathverse/testmini_text_only.json', `${JSON.stringify(textOnly, null, 1)}\n`);
  for (const { colour } of problems)
    write(`mathverse/images/images_version_1-4/image_${colour}.png`, await square(colour));
}

/** A folder a subject; up to seven pictures a question, where its text names them. */
async function mmmu(): Promise<void> {
  const columns: Record<string, Kind> = {
    id: 'text',
    question: 'text',
    options: 'text',
    explanation: 'text',
    ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((n) => [`image_${n}`, 'picture'])),
    img_type: 'text',
    answer: 'text',
    topic_difficulty: 'text',
    question_type: 'text',
    subfield: 'text',
  };
  const picture = async (colour: string) => ({ bytes: await square(colour), path: `${colour}.png` });
  const common = { explanation: '', img_type: "['Diagrams']", topic_difficulty: 'Easy' };
  const accounting = [
    {
      ...common,
      id: 'validation_Accounting_1',
      question: 'Compare <image 1> with <image 2>. Which is warmer?',
      options: "['the first', 'the second', 'neither']",
      image_1: await picture('red'),
      image_2: await picture('blue'),
      answer: 'A',
      question_type: 'multiple-choice',
      subfield: 'Financial Accounting',
    },
    {
      ...common,
      id: 'validation_Accounting_2',
      question: 'How many squares does <image 1> show?',
      options: '[]',
      image_1: await picture('green'),
      answer: '1',
      question_type: 'open',
      subfield: 'Managerial Accounting',
    },
  ];
  const physics = ['red', 'green'].map((colour, i) => ({
    ...common,
    id: `validation_Physics_${i + 1}`,
    question: `Which colour absorbs least of the light that comes from <image 1>?`,
    options: "['red', 'green', '<image 2>', 'blue']",
    answer: 'AB'[i],
    question_type: 'multiple-choice',
    subfield: 'Optics',
    colour,
  }));
  const withPictures = await Promise.all(
    physics.map(async ({ colour, ...row }) => ({
      ...row,
      image_1: await picture(colour),
      image_2: await picture('yellow'),
    })),
  );
  writeParquet('mmmu/Accounting/validation-00000-of-00001.parquet', columns, accounting);
  writeParquet('mmmu/Physics/validation-00000-of-00001.parquet', columns, withPictures);
}

/** Two questions a picture, one answered Yes and one No. */
async function mme(): Promise<void> {
  const pictures = [
    { category: 'color', colour: 'red', name: 'color/000000001.png', other: 'blue' },
    { category: 'color', colour: 'green', name: 'color/000000002.png', other: 'yellow' },
    {
      category: 'numerical_calculation',
      colour: 'blue',
      name: 'numerical_calculation/0001.png',
      other: 'red',
    },
  ];
  const rows: Record<string, unknown>[] = [];
  for (const { category, colour, name, other } of pictures)
    for (const [asked, answer] of [
      [colour, 'Yes'],
      [other, 'No'],
    ])
      rows.push({
        question_id: name,
        image: { bytes: await square(colour), path: null },
        question: `Is the square in the picture ${asked}? Please answer yes or no.`,
        answer,
        category,
      });
  const columns = {
    question_id: 'text',
    image: 'picture',
    question: 'text',
    answer: 'text',
    category: 'text',
  } as const;
  writeParquet('mme/data/test-00000-of-00001.parquet', columns, rows);
}

async function mmstar(): Promise<void> {
  const kinds = [
    ['coarse perception', 'image scene and topic'],
    ['fine-grained perception', 'recognition'],
    ['math', 'geometry'],
    ['math', 'numeric commonsense and calculation'],
  ];
  const rows = await Promise.all(
    Object.keys(COLOURS).map(async (colour, i) => ({
      index: i,
      question: 'What colour is the square?\nOptions: A: red, B: green, C: blue, D: yellow',
      image: { bytes: await square(colour), path: `${i}.png` },
      answer: 'ABCD'[i],
      category: kinds[i][0],
      l2_category: kinds[i][1],
    })),
  );
  const columns = {
    index: 'number',
    question: 'text',
    image: 'picture',
    answer: 'text',
    category: 'text',
    l2_category: 'text',
  } as const;
  writeParquet('mmstar/mmstar.parquet', columns, rows);
}

/** The repository's own JSON, one file for each writer of questions. */
async function chartqa(): Promise<void> {
  write(
    'chartqa/test/test_human.json',
    `${JSON.stringify(
      [
        { imgname: 'chart_1.png', query: 'How tall is the red bar?', label: '40' },
        { imgname: 'chart_1.png', query: 'Is it taller than 30?', label: 'Yes' },
        { imgname: 'chart_2.png', query: 'Which share is green?', label: '12.5%' },
      ],
      null,
      2,
    )}\n`,
  );
  write(
    'chartqa/test/test_augmented.json',
    `${JSON.stringify(
      [
        { imgname: 'chart_2.png', query: 'How many people voted green?', label: '1250' },
        { imgname: 'chart_3.png', query: 'Which country leads?', label: 'Peru' },
      ],
      null,
      2,
    )}\n`,
  );
  for (const [i, colour] of ['red', 'green', 'blue'].entries())
    write(`chartqa/test/png/chart_${i + 1}.png`, await square(colour));
}

/** A question for each rotation of its options; the picture stands in the first only. */
async function mmbench(): Promise<void> {
  const columns = [
    'index',
    'question',
    'hint',
    'A',
    'B',
    'C',
    'D',
    'answer',
    'category',
    'image',
    'l2-category',
    'split',
  ];
  const words = {
    EN: {
      question: (n: number) => `Picture ${n}: which colour has the\tsquare?`,
      hint: 'Look at the "middle".',
      of: ['red', 'green', 'blue'],
    },
    CN: {
      question: (n: number) => `图${n}：方块是什么颜色？`,
      hint: '看中间。',
      of: ['红色', '绿色', '蓝色'],
    },
  };
  for (const [language, { question, hint, of }] of Object.entries(words)) {
    const rows: Record<string, unknown>[] = [];
    for (const q of [0, 1, 2])
      for (const turn of [0, 1, 2]) {
        const options = of.map((_, i) => of[(i + turn) % 3]);
        rows.push({
          index: 241 + q + turn * 1_000_000,
          question: question(q + 1),
          hint: q === 0 ? hint : '',
          A: options[0],
          B: options[1],
          C: options[2],
          D: '',
          answer: 'ABC'[options.indexOf(of[q])],
          category: q === 2 ? 'object_localization' : 'attribute_recognition',
          image: turn === 0 ? await base64(Object.keys(COLOURS)[q]) : String(241 + q),
          'l2-category': q === 2 ? 'finegrained_perception (instance-level)' : 'coarse_perception',
          split: 'dev',
        });
      }
    // as published: all questions as they were written first, then their rotations
    rows.sort((a, b) => (a.index as number) - (b.index as number));
    writeTsv(`mmbench/MMBench_DEV_${language}.tsv`, columns, rows);
  }
}

for (const sample of [mathvista, mathverse, mmmu, mme, mmstar, chartqa, mmbench]) await sample();
