/**
 * Multiple choice: 1 if the stripped strings are equal, or both are comma-separated lists with equal sets of
 * stripped members. Nothing is split without a comma, case counts. Source: arXiv 2505.17018.
 */
import { strip } from './whitespace.ts';

export function multipleChoiceReward(answer: string, truth: string): number {
  const [a, b] = [strip(answer), strip(truth)];
  if (a === b) return 1;
  return a.includes(',') && b.includes(',') && equalSets(members(a), members(b)) ? 1 : 0;
}

function members(list: string): Set<string> {
  return new Set(list.split(',').map(strip));
}

function equalSets(a: Set<string>, b: Set<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member));
}
