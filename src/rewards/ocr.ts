/**
 * OCR: max(0, 1 − WER) on white-space words, WER = edits / words of the truth (substitutions, insertions,
 * deletions cost 1). With an empty truth only an empty answer is right. Source: arXiv 2505.17018, which says
 * "negative WER": read as 1 − WER, floored at 0, because a reward below 0 could never be on the right side of 0.5.
 */
import { words } from './whitespace.ts';

export function ocrReward(answer: string, truth: string): number {
  const [said, due] = [words(answer), words(truth)];
  if (due.length === 0) return said.length === 0 ? 1 : 0;
  // At this length insertions alone make WER ≥ 1; it also bounds the work by the truth's length squared.
  if (said.length >= 2 * due.length) return 0;
  return Math.max(0, 1 - editDistance(said, due) / due.length);
}

/** Levenshtein distance between word sequences; time |a|·|b|, memory |b|. */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  const ids = numberWords([a, b]);
  let above = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  let row = new Uint32Array(b.length + 1);
  for (let i = 1; i <= a.length; i++) {
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const substitution = above[j - 1] + (ids[0][i - 1] === ids[1][j - 1] ? 0 : 1);
      row[j] = Math.min(substitution, above[j] + 1, row[j - 1] + 1);
    }
    [above, row] = [row, above];
  }
  return above[b.length];
}

/** Equal words, equal numbers: comparing them is the inner loop of a quadratic algorithm. */
export function numberWords(sequences: readonly (readonly string[])[]): Uint32Array[] {
  const ids = new Map<string, number>();
  return sequences.map((sequence) =>
    Uint32Array.from(sequence, (word) => {
      const id = ids.get(word) ?? ids.size;
      ids.set(word, id);
      return id;
    }),
  );
}
