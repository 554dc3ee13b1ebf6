/**
 * Questions as records in the schema of the published training data, each a pure function of (seed, split, index).
 *
 * Splits share nothing: a question's content (template, scene, words) is hashed, and the hash says whether it belongs
 * to the tests or to training; a draw that belongs elsewhere is drawn again. `test-id` and `test-ood` are the same
 * questions and pictures with different notes, so that the difference between their scores is the note's.
 */
import { hash32, keyed, type Random } from '../random.ts';
import { drawNote, type NoteLaw } from './note.ts';
import { drawPicture, type RgbPicture } from './picture.ts';
import { drawQuestion, type Question } from './questions.ts';
import { soundTrace } from './traces.ts';
import { CONTENTS, cellNames } from './vocabulary.ts';
import { type SeeingWorld, type Split, TEMPLATES, type Template } from './world.ts';

/** Side of the grid where nothing else is asked for. */
export const DEFAULT_GRID = 3;

export interface SeeingRecord {
  problem_id: string;
  problem: string;
  data_type: 'image' | 'text';
  problem_type: 'numerical' | 'multiple choice' | 'OCR' | 'free-form';
  options: string[];
  process: string;
  solution: string;
  /** Relative to the records' file; '' for text. */
  path: string;
  data_source: string;
  world?: SeeingWorld;
  /** What supervised training learns, where that is not `<think>process</think><answer>solution</answer>`. */
  response?: string;
  segments?: { text: string; train: boolean }[];
}

/** Names one question. The template, if not given: in the tests one after the other, elsewhere drawn uniformly. */
export interface Item {
  seed: number;
  split: Split;
  index: number;
  template?: Template;
  n?: number;
}

export interface SeeingQuestion {
  record: SeeingRecord;
  picture: RgbPicture | null;
}

/** The record of an item and its picture (null for text). The note's law follows from the split where none is given. */
export function question({ note, ...item }: Item & { note?: NoteLaw }): SeeingQuestion {
  return { record: questionRecord({ note, ...item }), picture: pictureOf(item) };
}

/** The record alone. */
export function questionRecord({ note, ...item }: Item & { note?: NoteLaw }): SeeingRecord {
  const { seed, split, index } = item;
  const law = note ?? (split === 'test-ood' ? 'ood' : 'id');
  const record = recordWithNote(item, law, keyed('seeing', 'note', seed, split, index));
  return { ...record, problem_id: `${split}-${index}` };
}

/**
 * A question for responses that a TRM learns to judge: the note as in distribution seven times of ten, else saying
 * nothing, so that the TRM also meets notes that mislead.
 */
export function trmRow(item: Item): SeeingRecord {
  const law = keyed('seeing', 'trm', item.seed, item.index).chance(0.7) ? 'id' : 'ood';
  return questionRecord({ ...item, note: law });
}

/** An item's record whose note is drawn from a stream of the caller's, so that one picture may serve several records. */
export function recordWithNote(item: Item, law: NoteLaw, random: Random): SeeingRecord {
  const content = contentOf(item);
  const { template, n, rule, text, options, answer } = content;
  const note = drawNote(rule, n, answer, law, random);
  const world = worldOf(content, item.split, note);
  return {
    problem_id: '',
    problem: `${text} note says ${note}`,
    data_type: template === 'text' ? 'text' : 'image',
    problem_type: PROBLEM_TYPES[template],
    options,
    process: soundTrace(world).process,
    solution: `<answer>${answer}</answer>`,
    path: template === 'text' ? '' : picturePath(item),
    data_source: `seeing/${template}`,
    world,
  };
}

/** The picture alone; null for text. */
export function pictureOf(item: Item): RgbPicture | null {
  const { template, cells } = contentOf(item);
  if (template === 'text') return null;
  return drawPicture(cells, keyed('seeing', 'picture', item.seed, streamOf(item.split), item.index));
}

/** What is asked, before the note. */
export function contentOf({ seed, split, index, template, n = DEFAULT_GRID }: Item): Question {
  const stream = streamOf(split);
  const random = keyed('seeing', 'question', seed, stream, index);
  const chosen =
    template ?? (stream === 'test' ? TEMPLATES[index % TEMPLATES.length] : random.pick(TEMPLATES));
  for (;;) {
    const drawn = drawQuestion(chosen, n, random);
    if (isReservedForTests(drawn) === (stream === 'test')) return drawn;
  }
}

/** Where an item's picture stands, relative to the records' file. */
export function picturePath({ split, index }: Item): string {
  return `images/${streamOf(split)}-${String(index).padStart(6, '0')}.png`;
}

const PROBLEM_TYPES: Record<Template, SeeingRecord['problem_type']> = {
  count: 'numerical',
  sum: 'numerical',
  choice: 'multiple choice',
  ocr: 'OCR',
  free: 'free-form',
  text: 'numerical',
};

/** One content in five belongs to the tests, whatever the seed: no seed's training meets any seed's tests. */
const TEST_SHARE = 5;

/**
 * Start of that hash. Almost all contents are too many for it to matter; of the 372 text-only sums of a 3×3 grid this
 * start gives the tests nearly their due share of each row and each sum (total variation .02 and .05).
 */
const HASH_START = 7697;

function isReservedForTests({ template, cells, text }: Question): boolean {
  // A text-only question lists what it is about: two scenes that differ elsewhere are the same question.
  const content = template === 'text' ? text : `${template} ${cells.join(',')} ${text}`;
  return hash32(content, HASH_START) % TEST_SHARE === 0;
}

function streamOf(split: Split): string {
  return split === 'test-id' || split === 'test-ood' ? 'test' : split;
}

function worldOf(
  { template, n, cells, relevant, rule, answer }: Question,
  split: Split,
  note: string,
): SeeingWorld {
  const names = cellNames(n);
  const named = relevant.map((cell) => names[cell]);
  const isText = template === 'text';
  return {
    name: 'seeing',
    template,
    split,
    n,
    cells: cells.map((content, cell) => (isText && !relevant.includes(cell) ? null : CONTENTS[content])),
    rule,
    relevant: named,
    listed: isText ? named : [],
    answer,
    note,
    note_right: note === answer,
  };
}
