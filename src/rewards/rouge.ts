/**
 * Free-form: mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L with Porter stemmer, as google's rouge_score 0.1.2
 * computes them: lower case, tokens [a-z0-9]+, those longer than three characters stemmed.
 * Sources: arXiv 2505.17018; Lin, "ROUGE" (2004); google-research/rouge.
 */
import { numberWords } from './ocr.ts';
import { porterStem } from './porter.ts';

export function freeFormReward(answer: string, truth: string): number {
  const [a, b] = numberWords([rougeTokens(answer), rougeTokens(truth)]);
  return (ngramF1(a, b, 1) + ngramF1(a, b, 2) + longestF1(a, b)) / 3;
}

export function rougeTokens(text: string): string[] {
  const tokens = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return tokens.map((token) => (token.length > 3 ? porterStem(token) : token));
}

function ngramF1(a: Uint32Array, b: Uint32Array, n: number): number {
  const [inA, inB] = [ngrams(a, n), ngrams(b, n)];
  let shared = 0;
  for (const [ngram, count] of inA) shared += Math.min(count, inB.get(ngram) ?? 0);
  return f1(shared, Math.max(a.length - n + 1, 0), Math.max(b.length - n + 1, 0));
}

function ngrams(tokens: Uint32Array, n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const ngram = tokens.subarray(i, i + n).join(' ');
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

/** F1 over the longest common subsequence; time |a|·|b|, memory |b|. */
function longestF1(a: Uint32Array, b: Uint32Array): number {
  const known = new Set(b);
  const row = new Uint32Array(b.length + 1);
  for (const token of a) {
    if (!known.has(token)) continue;
    let diagonal = 0;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j];
      row[j] = token === b[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return f1(row[b.length], a.length, b.length);
}

function f1(shared: number, sizeA: number, sizeB: number): number {
  return shared === 0 ? 0 : (2 * shared) / (sizeA + sizeB);
}
