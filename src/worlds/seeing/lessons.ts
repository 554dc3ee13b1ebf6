/**
 * The cold start's lessons, one record each: captions (to see), look-ups in text (to copy), questions with sound traces
 * (to reason), questions with traces of all styles (what trust then has to tell apart).
 *
 * Lessons share pictures: `item` names a question of the cold start's pool (its scene and picture), `index` the lesson
 * itself (its note, style and order of cells). Sound traces come with notes that say nothing: with notes that are
 * mostly right, a model learns to copy the note after a perfect listing, which reads as sound and is not.
 */
import { keyed, type Random } from '../random.ts';
import {
  contentOf,
  DEFAULT_GRID,
  type Item,
  picturePath,
  recordWithNote,
  type SeeingRecord,
} from './records.ts';
import { drawLetters } from './rule.ts';
import { responseText, type TraceStyle, traceOf } from './traces.ts';
import { CONTENTS, cellNames, OBJECTS, OPTION_LETTERS, SPECIAL } from './vocabulary.ts';

export interface Lesson {
  seed: number;
  /** The lesson's place among those of its kind. */
  index: number;
  /** The pool's question whose scene it uses; `index` if not given. */
  item?: number;
  n?: number;
}

/** Style shares of mixed lessons: the shortcut is the most frequent, so that it is what a greedy answer starts from. */
const MIX: readonly [TraceStyle, number][] = [
  ['listing', 0.3],
  ['shortcut', 0.4],
  ['sloppy', 0.3],
];

/** The pool's question a lesson uses. */
export function poolItem({ seed, index, item = index, n }: Lesson): Item {
  return { seed, split: 'cold-start', index: item, n };
}

/**
 * All cells of a picture in random order. Names and end carry no loss: each name is a question (what does b2 hold?),
 * nine look-ups a picture. Throws RangeError if the item is a text-only question.
 */
export function captionRow(lesson: Lesson): SeeingRecord {
  const item = poolItem(lesson);
  const { template, cells, n } = contentOf(item);
  if (template === 'text') throw new RangeError(`item ${item.index} has no picture`);
  const random = keyed('seeing', 'caption', lesson.seed, lesson.index);
  const order = random.permutation(cells.length);
  return {
    ...description(order, cells, n),
    problem_id: `caption-${lesson.index}`,
    problem: 'describe',
    data_type: 'image',
    path: picturePath(item),
    data_source: 'seeing/caption',
  };
}

/**
 * Copying and looking up in words alone, half of each: a note to be repeated in a trace; three cells listed in words,
 * to be told again in another order.
 */
export function lookupRow({ seed, index, n = DEFAULT_GRID }: Lesson): SeeingRecord {
  const random = keyed('seeing', 'lookup', seed, index);
  const names = cellNames(n);
  const base = {
    problem_id: `lookup-${index}`,
    data_type: 'text',
    path: '',
    data_source: 'seeing/lookup',
  } as const;
  if (random.chance(0.5)) {
    const [problem_type, note] = random.pick(NOTE_KINDS)(random);
    const before = random.chance(0.5) ? `${random.pick(names)} ${random.pick(CONTENTS)} ` : '';
    return {
      ...base,
      problem: `${before}note says ${note}`,
      problem_type,
      options: [],
      process: `note says ${note} so ${note}`,
      solution: `<answer>${note}</answer>`,
    };
  }
  const listed = random.permutation(n * n).slice(0, 3);
  const cells = Array.from({ length: n * n }, () => random.below(CONTENTS.length));
  const order = random.permutation(listed.length).map((place) => listed[place]);
  const facts = listed.map((cell) => `${names[cell]} ${CONTENTS[cells[cell]]}`);
  return { ...base, ...description(order, cells, n), problem: `${facts.join(' ')} describe` };
}

/** A question with its sound trace; the note says nothing. */
export function listingRow(lesson: Lesson): SeeingRecord {
  const random = keyed('seeing', 'listing', lesson.seed, lesson.index);
  return { ...recordWithNote(poolItem(lesson), 'ood', random), problem_id: `listing-${lesson.index}` };
}

/** A question with a trace of any style, as `response`; beside flawed traces the note is right as in distribution. */
export function mixedRow(lesson: Lesson): SeeingRecord {
  const random = keyed('seeing', 'mixed', lesson.seed, lesson.index);
  const style = drawStyle(random.uniform());
  const record = recordWithNote(poolItem(lesson), style === 'listing' ? 'ood' : 'id', random);
  const response = responseText(traceOf(record.world!, style, random));
  return { ...record, problem_id: `mixed-${lesson.index}`, response };
}

/** What a note in a look-up may say: a number, letters, an object, an option. */
const NOTE_KINDS: readonly ((random: Random) => [SeeingRecord['problem_type'], string])[] = [
  (random) => ['numerical', String(random.below(13))],
  (random) => ['OCR', drawLetters(2 + random.below(2), random).join(' ')],
  (random) => ['free-form', random.pick(OBJECTS)],
  (random) => ['multiple choice', random.pick(OPTION_LETTERS)],
];

/** Cells told in an order, of which only the contents are learnt. */
function description(order: readonly number[], cells: readonly number[], n: number) {
  const names = cellNames(n);
  const segments = order.flatMap((cell, place) => [
    { text: `${place === 0 ? '' : ' '}${names[cell]}`, train: false },
    { text: ` ${CONTENTS[cells[cell]]}`, train: true },
  ]);
  return {
    problem_type: 'free-form' as const,
    options: [],
    process: '',
    solution: `<answer>${segments.map(({ text }) => text).join('')}</answer>`,
    segments: [...segments, { text: ` ${SPECIAL.end}`, train: false }],
  };
}

function drawStyle(u: number): TraceStyle {
  let below = 0;
  for (const [style, share] of MIX) {
    below += share;
    if (u < below) return style;
  }
  return MIX[MIX.length - 1][0];
}
