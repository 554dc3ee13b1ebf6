/** Scenes: an n×n grid of contents, drawn row by row. A cell is a content id (its place in CONTENTS). */
import type { Random } from '../random.ts';
import { DIGITS, EMPTY, FIRST_DIGIT, FIRST_LETTER, FIRST_OBJECT, LETTERS, OBJECTS } from './vocabulary.ts';

export type RowKind = 'objects' | 'digits' | 'word';

/** n·n content ids in reading order; rows of objects (p ½), digits (¼), a word (¼). */
export function drawScene(n: number, random: Random): number[] {
  return Array.from({ length: n }, () => {
    const u = random.uniform();
    return drawRow(u < 0.5 ? 'objects' : u < 0.75 ? 'digits' : 'word', n, random);
  }).flat();
}

/** n content ids: objects with p .85 a cell, digits with p .75, or a word of 2 … n letters from the left. */
export function drawRow(kind: RowKind, n: number, random: Random): number[] {
  if (kind === 'word') {
    const length = 2 + random.below(n - 1);
    return Array.from({ length: n }, (_, i) =>
      i < length ? FIRST_LETTER + random.below(LETTERS.length) : EMPTY,
    );
  }
  const [share, first, count] =
    kind === 'objects' ? [0.85, FIRST_OBJECT, OBJECTS.length] : [0.75, FIRST_DIGIT, DIGITS.length];
  return Array.from({ length: n }, () => (random.chance(share) ? first + random.below(count) : EMPTY));
}
