/**
 * A response of this world cut into its statements, by its words alone: a step model has no scene to look at. And how
 * right each of such pieces is, by the oracle's verdicts.
 */
import { words } from '../../rewards/whitespace.ts';
import type { JudgedStatement, Verdict } from './oracle.ts';
import { statementsOf } from './statements.ts';
import { ALL_CELL_NAMES } from './vocabulary.ts';

const CELLS = new Set(ALL_CELL_NAMES);

/** Offsets at which the statements of a text without tags begin, ascending. */
export function statementStarts(text: string): number[] {
  const starts = wordStarts(text);
  let word = 0;
  return statementsOf(words(text), CELLS).map((statement) => {
    const start = starts[word];
    word += wordCount(statement.text);
    return start;
  });
}

/**
 * How right a statement is as a step. True, and what follows from what was said: 1. True but of no use: ½, for it
 * neither helps nor misleads, and the oracle's score too only counts it in the divisor. Everything else is an error, or
 * (`hearsay`, `filler`) stands where evidence should: 0.
 */
export const STEP_SCORES: Record<Verdict, number> = {
  true: 1,
  follows: 1,
  consistent: 1,
  irrelevant: 0.5,
  repeated: 0.5,
  false: 0,
  unsupported: 0,
  hearsay: 0,
  filler: 0,
  inconsistent: 0,
};

/**
 * A score for each piece of a think part, given as texts without tags: the mean over the oracle's statements that have
 * words in it; null for a piece without words. `judged` are the think part's statements, in order.
 */
export function stepScoresByOracle(
  pieces: readonly string[],
  judged: readonly JudgedStatement[],
): (number | null)[] {
  const statementOfWord = judged.flatMap(({ text }, i) => Array<number>(wordCount(text)).fill(i));
  let word = 0;
  return pieces.map((piece) => {
    const from = word;
    word += wordCount(piece);
    const touched = [...new Set(statementOfWord.slice(from, word))];
    if (touched.length === 0) return null;
    const scores = touched.map((i) => STEP_SCORES[judged[i].verdict]);
    return scores.reduce((sum, score) => sum + score, 0) / scores.length;
  });
}

const wordCount = (text: string) => words(text).length;

function wordStarts(text: string): number[] {
  let end = 0;
  return words(text).map((word) => {
    const start = text.indexOf(word, end);
    end = start + word.length;
    return start;
  });
}
