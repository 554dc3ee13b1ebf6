/**
 * The statements of a think part. A statement opens at every cell name (an option letter before a cell name belongs
 * to it), at `so`, `note` and `clearly`, and goes on until the next.
 */
import { ALL_CELL_NAMES, OPTION_LETTERS } from './vocabulary.ts';

export type Statement =
  /** `A b1 red circle`; content '' where only the cell is named. */
  | { kind: 'cell'; text: string; option: string | null; cell: string; content: string }
  /** `so 2` */
  | { kind: 'conclusion'; text: string; content: string }
  /** `note says 2` */
  | { kind: 'note'; text: string }
  /** Everything else: `clearly`, words before the first statement, cells that this grid does not have. */
  | { kind: 'other'; text: string };

const OPENING = new Set([...ALL_CELL_NAMES, 'so', 'note', 'clearly']);
const isOption = (word: string) => OPTION_LETTERS.includes(word);

/** Splits words; `names` are the cells of the grid. */
export function statementsOf(words: readonly string[], names: ReadonlySet<string>): Statement[] {
  const groups: string[][] = [];
  words.forEach((word, place) => {
    const last = groups.at(-1);
    const opensOption = isOption(word) && names.has(words[place + 1]);
    const followsOption = names.has(word) && last?.length === 1 && isOption(last[0]);
    if (last === undefined || opensOption || (OPENING.has(word) && !followsOption)) groups.push([word]);
    else last.push(word);
  });
  return groups.map((group) => classify(group, names));
}

function classify(group: readonly string[], names: ReadonlySet<string>): Statement {
  const text = group.join(' ');
  const [option, rest] = isOption(group[0]) ? [group[0], group.slice(1)] : [null, group];
  const [first, ...others] = rest;
  if (names.has(first)) return { kind: 'cell', text, option, cell: first, content: others.join(' ') };
  if (option === null && first === 'so') return { kind: 'conclusion', text, content: others.join(' ') };
  if (option === null && first === 'note') return { kind: 'note', text };
  return { kind: 'other', text };
}
