/** Golden rows; test/fixtures/rewards/README.md says who made them. */
import { readFileSync } from 'node:fs';
import type { ProblemType } from '../../src/rewards/types.ts';

export interface GoldenReward {
  id: string;
  type: ProblemType;
  tag: string;
  response: string;
  truth: string;
  paper_reward: number;
  paper_format_ok: boolean;
  ambiguous: boolean;
  reference_train_reward: number;
  reference_format_ok: boolean;
  string_exact?: number;
}

export const goldenRewards: GoldenReward[] = rows('public_rewards.jsonl');
export const nltkStems: { word: string; stem: string }[] = rows('nltk_stems.jsonl');
export const mathrulerGrades: { answer: string; truth: string; equal: boolean }[] =
  rows('mathruler_grades.jsonl');
export const publishedRewards: {
  type: ProblemType;
  response: string;
  truth: string;
  format_ok: boolean;
  reward: number;
}[] = rows('published_rewards.jsonl');

function rows<T>(name: string): T[] {
  const file = new URL(`../fixtures/rewards/${name}`, import.meta.url);
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
