/**
 * Scored responses as training examples: the judge's prompt, and the score to the nearest tenth as its answer. Rows come
 * epoch after epoch, each in an order of its own; or `balanced`, where a row is drawn with a probability ∝ 1/√(rows of
 * its score), for sets whose scores are far from evenly spread (the paper samples score intervals evenly instead,
 * section 3.2).
 */
import type { Chat } from '../data/chat/chat.ts';
import { orderedItems } from '../data/records/order.ts';
import { InputError } from '../errors.ts';
import { keyed } from '../worlds/random.ts';
import { scoreTokens } from './checkpoint-judge.ts';
import { type JudgeTemplates, judgePrompt, nearestScore, SCORES } from './prompt.ts';
import type { ScoredResponse } from './rows.ts';

/** Rows to learn from, wherever they are. */
export interface LessonRows {
  /** All scores, 0…1. */
  scores: readonly number[] | Float32Array;
  get(i: number): Promise<ScoredResponse>;
}

/** Rows in memory. */
export function lessonRows(rows: readonly ScoredResponse[]): LessonRows {
  return { scores: rows.map(({ score }) => score), get: async (i) => rows[i] };
}

export const ORDERS = ['epochs', 'balanced'] as const;

export interface LessonOptions {
  chat: Chat;
  templates: JudgeTemplates;
  batch: number;
  seed: number;
  order: (typeof ORDERS)[number];
}

/** Batches without one usable lesson, in a row, after which there are none. */
const TRIES = 100;
/** How far on in the order another batch is looked for where no lesson of one can be made. */
const ELSEWHERE = 1009;

/**
 * Batch k of the TRM's training. A lesson whose picture cannot be read is left out, and `leaveOut` told; where all are,
 * the batch is one from further on. Throws InputError where scores cannot be told apart, and without `leaveOut`.
 */
export function trmLessons(rows: LessonRows, { chat, templates, batch, seed, order }: LessonOptions) {
  const tokens = scoreTokens(chat);
  const draw = order === 'balanced' ? balancedDraws(rows.scores, seed) : epochDraws(rows.scores.length, seed);
  const lesson = async (i: number) => {
    const { record, response, score } = await rows.get(i);
    const made = await judgePrompt(chat, templates, record, response);
    if ('failure' in made) throw new InputError(`${record.source}: ${made.failure}`);
    const target = tokens[SCORES.indexOf(nearestScore(score))];
    return { prompt: made.prompt, tokens: target, weights: target.map(() => 1) };
  };
  return async (k: number, leaveOut?: (error: unknown) => void) => {
    for (let tries = 1; ; tries++, k += ELSEWHERE) {
      const made = await Promise.allSettled(draw(k, batch).map(lesson));
      const errors = made.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      const lessons = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      if (errors.length > 0 && (leaveOut === undefined || tries === TRIES)) throw errors[0];
      for (const error of errors) leaveOut!(error);
      if (lessons.length > 0) return lessons;
    }
  };
}

/** Rows of batch k. */
type Draw = (k: number, batch: number) => number[];

function epochDraws(length: number, seed: number): Draw {
  const item = orderedItems(seed, length);
  return (k, batch) => Array.from({ length: batch }, (_, j) => item(k * batch + j));
}

function balancedDraws(scores: LessonRows['scores'], seed: number): Draw {
  const labels = Array.from(scores, (score) => SCORES.indexOf(nearestScore(score)));
  const counts = SCORES.map(() => 0);
  for (const label of labels) counts[label] += 1;
  const cumulative: number[] = [];
  let total = 0;
  for (const label of labels) {
    total += 1 / Math.sqrt(counts[label]);
    cumulative.push(total);
  }
  return (k, batch) => {
    const random = keyed('trm lessons', seed, k);
    return Array.from({ length: batch }, () => firstAbove(cumulative, random.uniform() * total));
  };
}

/** Index of the first entry of an ascending list that is above `value`. */
function firstAbove(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
