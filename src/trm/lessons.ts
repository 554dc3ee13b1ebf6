/**
 * Scored responses as training examples: the judge's prompt, and the score to the nearest tenth as its answer.
 * Scores are far from evenly spread, so a row is drawn with a probability ∝ 1/√(rows of its score); the paper samples
 * score intervals evenly (section 3.2).
 */
import type { Chat } from '../data/chat.ts';
import { InputError } from '../errors.ts';
import { keyed } from '../worlds/random.ts';
import { scoreTokens } from './checkpoint-judge.ts';
import type { ScoredResponse } from './collect.ts';
import { type JudgeTemplates, judgePrompt, nearestScore, SCORES } from './prompt.ts';

export interface LessonOptions {
  chat: Chat;
  templates: JudgeTemplates;
  batch: number;
  seed: number;
}

/** Batch k of the TRM's training. Throws InputError where scores cannot be told apart. */
export function trmLessons(rows: readonly ScoredResponse[], { chat, templates, batch, seed }: LessonOptions) {
  const tokens = scoreTokens(chat);
  const labels = rows.map((row) => SCORES.indexOf(nearestScore(row.score)));
  const counts = SCORES.map((_, label) => labels.filter((l) => l === label).length);
  const cumulative: number[] = [];
  let total = 0;
  for (const label of labels) {
    total += 1 / Math.sqrt(counts[label]);
    cumulative.push(total);
  }

  return async (k: number) => {
    const random = keyed('trm lessons', seed, k);
    const drawn = Array.from({ length: batch }, () => firstAtLeast(cumulative, random.uniform() * total));
    return Promise.all(
      drawn.map(async (i) => {
        const made = await judgePrompt(chat, templates, rows[i].record, rows[i].response);
        if ('failure' in made) throw new InputError(`${rows[i].record.source}: ${made.failure}`);
        return { prompt: made.prompt, tokens: tokens[labels[i]], weights: tokens[labels[i]].map(() => 1) };
      }),
    );
  };
}

/** Index of the first entry of an ascending list that is above `value`. */
function firstAtLeast(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
