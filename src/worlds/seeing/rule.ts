/**
 * What a question asks, as a rule from the contents of its relevant cells to an answer. The oracle applies the same
 * rule to what a response *stated*, so "does the conclusion follow?" never depends on what the picture really holds.
 */
import type { Random } from '../random.ts';
import { CONTENTS, DIGITS, LETTERS, OBJECTS, OPTION_LETTERS } from './vocabulary.ts';

export type Rule =
  | { kind: 'count'; of: string }
  | { kind: 'sum' }
  | { kind: 'which'; content: string }
  | { kind: 'read' }
  | { kind: 'neighbour' };

/**
 * The answer that follows from the contents of the relevant cells, in the question's order; null where they give
 * none (nothing to add up, no letter to read, no or several cells that fit).
 */
export function derive(rule: Rule, contents: readonly string[]): string | null {
  switch (rule.kind) {
    case 'count':
      return String(contents.filter((content) => content.split(' ').includes(rule.of)).length);
    case 'sum': {
      const sum = contents.reduce((total, content) => total + digitOf(content), 0);
      return sum > 0 && sum <= 16 ? String(sum) : null;
    }
    case 'which': {
      const fitting = contents.flatMap((content, option) => (content === rule.content ? [option] : []));
      return fitting.length === 1 ? OPTION_LETTERS[fitting[0]] : null;
    }
    case 'read': {
      const letters = contents.map(firstWord).filter((word) => LETTERS.includes(word));
      return letters.length > 0 ? letters.join(' ') : null;
    }
    case 'neighbour':
      return contents[1];
  }
}

/** The answers that a note or a guess is drawn from; null for words, which are drawn letter by letter. */
export function candidates(rule: Rule, n: number): readonly string[] | null {
  switch (rule.kind) {
    case 'count':
      return Array.from({ length: n + 1 }, (_, i) => String(i));
    case 'sum':
      return Array.from({ length: 3 * n }, (_, i) => String(i + 1));
    case 'which':
      return OPTION_LETTERS;
    case 'neighbour':
      return OBJECTS;
    case 'read':
      return null;
  }
}

/** `length` random letters. */
export function drawLetters(length: number, random: Random): string[] {
  return Array.from({ length }, () => random.pick(LETTERS));
}

/** Whether a text is one of the 25 contents. */
export function isContent(text: string): boolean {
  return CONTENTS.includes(text);
}

const firstWord = (content: string) => content.split(' ', 1)[0];

function digitOf(content: string): number {
  const word = firstWord(content);
  return DIGITS.includes(word) ? Number(word) : 0;
}
