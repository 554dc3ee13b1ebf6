/** Training a Thinking Reward Model: supervised, on scored responses or on their steps (paper, section 3.2). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Chat } from '../data/chat/chat.ts';
import type { Engine } from '../engine/types.ts';
import { JUDGE_FILE, type JudgeConfig, judgeConfigJson } from '../trm/judge-config.ts';
import { type LessonOptions, type LessonRows, trmLessons } from '../trm/lessons.ts';
import type { OptimizerSettings } from './optimizer.ts';
import { trainSft } from './sft.ts';
import type { Stage } from './stage.ts';

export interface TrmTraining {
  engine: Engine;
  chat: Chat;
  /** How it is asked; stands in every checkpoint as judge.json. */
  config: JudgeConfig;
  lessons: LessonRows;
  batch: number;
  order: LessonOptions['order'];
  optimizer: OptimizerSettings;
  stage: Stage;
  /** Share of the lessons that may turn out to be unusable, 0…1; by default none. */
  maxBad?: number;
}

/** Trains for the steps of the stage; goes on from its last checkpoint. Throws InputError where scores cannot be told apart. */
export async function trainTrm({ engine, chat, config, lessons, ...how }: TrmTraining): Promise<void> {
  const { batch, order, optimizer, stage, maxBad = 0 } = how;
  const scores = trmLessons(lessons, { chat, templates: config, batch, order, seed: stage.seed });
  await trainSft({
    engine,
    sources: { scores },
    phases: [{ steps: stage.steps, cycle: ['scores'] }],
    optimizer,
    stage,
    maxBad: { share: maxBad, rows: lessons.scores.length, batch },
    also: (checkpoint) => writeFile(join(checkpoint, JUDGE_FILE), judgeConfigJson(config)),
  });
}

/** Steps of so many epochs over all lessons. */
export function epochSteps(lessons: LessonRows, epochs: number, batch: number): number {
  return Math.max(1, Math.round((epochs * lessons.scores.length) / batch));
}
