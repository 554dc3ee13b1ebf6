/**
 * The seeing world's words: what a cell can hold, how cells are called, and the word-level vocabulary of its models
 * (one word, one token; texts are words separated by single spaces).
 */

export const COLOURS: readonly string[] = ['red', 'green', 'blue', 'yellow'];
export const SHAPES: readonly string[] = ['circle', 'square', 'triangle'];
export const DIGITS: readonly string[] = ['1', '2', '3', '4'];
export const LETTERS: readonly string[] = ['H', 'K', 'L', 'O', 'R', 'S', 'T', 'U'];
export const OPTION_LETTERS: readonly string[] = ['A', 'B', 'C'];

/** The 12 objects, `red circle` … `yellow triangle`. */
export const OBJECTS: readonly string[] = COLOURS.flatMap((colour) =>
  SHAPES.map((shape) => `${colour} ${shape}`),
);

/** The 25 contents a cell can have; a content's id is its place: 0 empty, 1–12 objects, 13–16 digits, 17–24 letters. */
export const CONTENTS: readonly string[] = ['empty', ...OBJECTS, ...DIGITS, ...LETTERS];
export const EMPTY = 0;
export const FIRST_OBJECT = 1;
export const FIRST_DIGIT = 13;
export const FIRST_LETTER = 17;

/** The grid sides the vocabulary has words for. */
export const SMALLEST_GRID = 2;
export const LARGEST_GRID = 4;

/** The cells of an n×n grid in reading order: a1 … for the first row, b1 … for the second. */
export function cellNames(n: number): string[] {
  return Array.from('abcd'.slice(0, n)).flatMap((row) =>
    Array.from({ length: n }, (_, i) => `${row}${i + 1}`),
  );
}

/** Every name that can stand for a cell in some grid; a smaller grid lacks the later ones. */
export const ALL_CELL_NAMES: readonly string[] = cellNames(LARGEST_GRID);

/** Special tokens by what they are for. The first six are Qwen2.5-VL's own names. */
export const SPECIAL = {
  pad: '<|endoftext|>',
  image: '<|image_pad|>',
  visionStart: '<|vision_start|>',
  visionEnd: '<|vision_end|>',
  /** Opens the assistant's turn. */
  turn: '<|im_start|>',
  /** Ends it. */
  end: '<|im_end|>',
  think: '<think>',
  thinkEnd: '</think>',
  answer: '<answer>',
  answerEnd: '</answer>',
  /** Asks a judge for a score token. */
  judge: '<judge>',
} as const;

/** `0.0` … `1.0`: what a judge answers. */
export const SCORE_WORDS: readonly string[] = Array.from({ length: 11 }, (_, tenths) =>
  (tenths / 10).toFixed(1),
);

const NUMBERS = Array.from({ length: 17 }, (_, number) => String(number));

// Words a question or a trace is built from; `row` and r1–r4 are spare.
const TEXT =
  'how many in row sum of which cell has what is left right above below read note says so clearly empty describe ? . r1 r2 r3 r4';

/** The words that are no markers. */
export const WORDS: readonly string[] = [
  ...TEXT.split(' '),
  ...NUMBERS,
  ...ALL_CELL_NAMES,
  ...COLOURS,
  ...SHAPES,
  ...LETTERS,
  ...OPTION_LETTERS,
  'D',
  ...SCORE_WORDS,
];

/** The special tokens, which a tokenizer also finds inside words. */
export const MARKERS: readonly string[] = Object.values(SPECIAL);

/** All 102; a token's id is its place. */
export const VOCABULARY: readonly string[] = [...WORDS, ...MARKERS];
