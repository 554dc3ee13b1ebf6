/**
 * The six question templates. They cover the four problem types of the published data (numerical, multiple choice,
 * OCR, free-form) and questions without a picture. The cells a question is about are named in it; a question
 * overwrites the row it needs, so that there is something to ask about.
 */
import type { Random } from '../random.ts';
import { derive, type Rule } from './rule.ts';
import { drawRow, drawScene, type RowKind } from './scene.ts';
import {
  COLOURS,
  CONTENTS,
  cellNames,
  EMPTY,
  FIRST_OBJECT,
  OBJECTS,
  OPTION_LETTERS,
  SHAPES,
} from './vocabulary.ts';
import type { Template } from './world.ts';

export interface Question {
  template: Template;
  n: number;
  /** Content ids in reading order. */
  cells: number[];
  /** Indices of the cells the answer rests on, in the question's order. */
  relevant: number[];
  rule: Rule;
  /** The question's words, without the note. */
  text: string;
  options: string[];
  answer: string;
}

type Asked = Pick<Question, 'relevant' | 'rule' | 'text'> & { options?: string[] };

/** Draws a question with an answer (a row of digits that is all empty, for one, is drawn again). */
export function drawQuestion(template: Template, n: number, random: Random): Question {
  for (;;) {
    const cells = drawScene(n, random);
    const asked = ask[template](cells, n, random);
    if (asked === null) continue;
    const answer = derive(
      asked.rule,
      asked.relevant.map((cell) => CONTENTS[cells[cell]]),
    );
    if (answer !== null) return { template, n, cells, options: [], ...asked, answer };
  }
}

/** One entry a template: changes the scene where needed and asks; null where the draw led nowhere. */
const ask: Record<Template, (cells: number[], n: number, random: Random) => Asked | null> = {
  count: askCount,
  sum: askSum,
  choice: askChoice,
  ocr(cells, n, random) {
    const { relevant, names } = setRow('word', cells, n, random);
    return { relevant, rule: { kind: 'read' }, text: `read ${names} ?` };
  },
  free: askNeighbour,
  text(cells, n, random) {
    const asked = random.chance(0.5) ? askCount(cells, n, random) : askSum(cells, n, random);
    const names = cellNames(n);
    const listed = asked.relevant.map((cell) => `${names[cell]} ${CONTENTS[cells[cell]]}`).join(' ');
    return { ...asked, text: `${listed} . ${asked.text}` };
  },
};

function askCount(cells: number[], n: number, random: Random): Asked {
  const { relevant, names } = setRow('objects', cells, n, random);
  const objects = relevant.map((cell) => cells[cell]).filter((content) => content !== EMPTY);
  const axis = random.below(2);
  const of =
    objects.length > 0 && random.chance(0.75)
      ? CONTENTS[random.pick(objects)].split(' ')[axis]
      : random.pick([COLOURS, SHAPES][axis]);
  return { relevant, rule: { kind: 'count', of }, text: `how many ${of} in ${names} ?` };
}

function askSum(cells: number[], n: number, random: Random): Asked {
  const { relevant, names } = setRow('digits', cells, n, random);
  return { relevant, rule: { kind: 'sum' }, text: `sum of ${names} ?` };
}

function askChoice(cells: number[], n: number, random: Random): Asked | null {
  const names = cellNames(n);
  for (let attempt = 0; attempt < 99; attempt++) {
    const relevant = random.permutation(n * n).slice(0, OPTION_LETTERS.length);
    const wanted = relevant[random.below(relevant.length)];
    const fitting = relevant.filter((cell) => cells[cell] === cells[wanted]);
    if (cells[wanted] !== EMPTY && fitting.length === 1) {
      const content = CONTENTS[cells[wanted]];
      const options = relevant.map((cell, option) => `${OPTION_LETTERS[option]} ${names[cell]}`);
      const text = `which cell has ${content} ? ${options.join(' ')}`;
      return { relevant, rule: { kind: 'which', content }, text, options };
    }
    // A scene that offers nothing (all empty, say) gets new contents until it does.
    if (attempt > 20) cells[wanted] = 1 + random.below(CONTENTS.length - 1);
  }
  return null;
}

const DIRECTIONS = [
  { word: 'left', down: 0, right: -1 },
  { word: 'right', down: 0, right: 1 },
  { word: 'above', down: -1, right: 0 },
  { word: 'below', down: 1, right: 0 },
] as const;

function askNeighbour(cells: number[], n: number, random: Random): Asked | null {
  const names = cellNames(n);
  for (let attempt = 0; attempt < 99; attempt++) {
    const { word, down, right } = random.pick(DIRECTIONS);
    const cell = random.below(n * n);
    const [row, column] = [Math.floor(cell / n) + down, (cell % n) + right];
    if (row < 0 || row >= n || column < 0 || column >= n) continue;
    const neighbour = row * n + column;
    if (cells[neighbour] >= FIRST_OBJECT && cells[neighbour] < FIRST_OBJECT + OBJECTS.length)
      return {
        relevant: [cell, neighbour],
        rule: { kind: 'neighbour' },
        text: `what is ${word} of ${names[cell]} ?`,
      };
    if (attempt > 3) cells[neighbour] = FIRST_OBJECT + random.below(OBJECTS.length);
  }
  return null;
}

/** Overwrites a random row with one of the kind asked for. */
function setRow(kind: RowKind, cells: number[], n: number, random: Random) {
  const row = random.below(n);
  cells.splice(row * n, n, ...drawRow(kind, n, random));
  const relevant = Array.from({ length: n }, (_, i) => row * n + i);
  const names = cellNames(n);
  return { relevant, names: relevant.map((cell) => names[cell]).join(' ') };
}
