/**
 * The note at the end of every question, the world's spurious cue: in distribution it is right nine times of ten, out
 * of distribution it says nothing. Repeating it is the shortcut that outcome-only training falls for.
 */
import type { Random } from '../random.ts';
import { candidates, drawLetters, type Rule } from './rule.ts';
import { LETTERS } from './vocabulary.ts';

/** `id`: right with p .9 · `ood`: drawn uniformly from the answers of that kind · a number: right with that p. */
export type NoteLaw = 'id' | 'ood' | number;

/** How often a note is right in distribution. */
export const NOTE_RIGHT = 0.9;

/**
 * A note by its law; a wrong one is drawn uniformly from the other answers of that kind. Words are drawn letter by
 * letter and, where that hit the answer, changed in their first letter: a drawn word is never right.
 */
export function drawNote(rule: Rule, n: number, answer: string, law: NoteLaw, random: Random): string {
  if (law !== 'ood' && random.chance(law === 'id' ? NOTE_RIGHT : law)) return answer;
  const kind = candidates(rule, n);
  if (kind === null) return otherWord(answer, random);
  return random.pick(law === 'ood' ? kind : kind.filter((candidate) => candidate !== answer));
}

function otherWord(answer: string, random: Random): string {
  const letters = drawLetters(answer.split(' ').length, random);
  if (letters.join(' ') === answer) {
    const next = LETTERS.indexOf(letters[0]) + 1;
    letters[0] = LETTERS[next % LETTERS.length];
  }
  return letters.join(' ');
}
