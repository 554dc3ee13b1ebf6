/**
 * Refreshing: a TRM that was trained once is asked about a policy that has moved away from what it was trained on, and
 * is gamed. At an interval, the newest responses of the policy are annotated and the TRM is trained on them; before and
 * after, its reliability on the policy as it is now is measured on questions that it is never trained on.
 * Ours: the paper trains its TRM once.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Chat } from '../data/chat.ts';
import type { LoadedRecord, Records } from '../data/reader.ts';
import { readRollouts } from '../data/run-files.ts';
import type { TrmCheck } from '../data/run-folder.ts';
import type { Engine } from '../engine/types.ts';
import type { Judge, JudgeScore } from '../trm/judge.ts';
import { JUDGE_FILE, type JudgeConfig, judgeConfigJson } from '../trm/judge-config.ts';
import { lessonRows, trmLessons } from '../trm/lessons.ts';
import { canBeJudged } from '../trm/prompt.ts';
import { reliabilityOf } from '../trm/reliability.ts';
import { keyed } from '../worlds/random.ts';
import { type OptimizerSettings, stepOptions } from './optimizer.ts';
import { itemsOf } from './sample-groups.ts';
import { sftStep } from './sft.ts';
import { copyTokenizer, type Stage } from './stage.ts';

export interface RefreshSettings {
  /** Steps of the policy between two refreshes. */
  every: number;
  /** Updates of the TRM at each, and responses an update. */
  steps: number;
  batch: number;
  /** Share of the questions that it is never trained on. */
  held_out: number;
  optimizer: OptimizerSettings;
}

export interface Refresh {
  /** The judge's own, which is trained. */
  trm: Engine;
  judge: Judge;
  chat: Chat;
  config: JudgeConfig;
  annotator: Judge;
  settings: RefreshSettings;
}

/** The TRM as it was at a checkpoint of the policy, with its optimizer. */
export async function loadTrm({ trm }: Refresh, checkpoint: string): Promise<void> {
  const dir = trmFolder(checkpoint);
  if (existsSync(dir)) await trm.load(dir, { optimizer: true });
}

/** Saves the TRM inside a checkpoint of the policy: a folder that can be named as a judge. */
export async function saveTrm(
  { trm, config }: Refresh,
  checkpoint: string,
  tokenizer: string,
): Promise<void> {
  const dir = trmFolder(checkpoint);
  await trm.save(dir, { optimizer: true });
  await copyTokenizer(tokenizer, dir);
  await writeFile(join(dir, JUDGE_FILE), judgeConfigJson(config));
}

export const trmFolder = (checkpoint: string) => join(checkpoint, 'trainer', 'trm');

export const isDue = ({ settings }: Refresh, step: number) => step % settings.every === 0;

interface Newest {
  record: LoadedRecord;
  /** Index of the record, by which questions are held out. */
  at: number;
  response: string;
  /** What the TRM said when it was asked in training. */
  said: JudgeScore;
}

/** Annotates the responses of the last `every` steps up to `step`, and trains the TRM on them. */
export async function refreshTrm(
  { trm, judge, chat, config, annotator, settings }: Refresh,
  { records, stage, prompts }: { records: Records; stage: Stage; prompts: number },
  step: number,
): Promise<TrmCheck> {
  const newest: Newest[] = [];
  for (let s = Math.max(1, step - settings.every + 1); s <= step; s++)
    newest.push(...(await responsesOf(s, records, stage, prompts)));
  const once = [...new Map(newest.map((row) => [`${row.at} ${row.response}`, row])).values()];
  const annotations = await annotator.score(once);
  const rows = once.flatMap((row, i) => {
    const { score } = annotations[i];
    return score === null ? [] : [{ ...row, score }];
  });

  const held = ({ at }: Newest) => isHeldOut(stage.seed, at, settings.held_out);
  const heldOut = rows.filter(held);
  const learnt = rows.filter((row) => !held(row));
  const before = reliabilityOf(
    heldOut.map(({ said }) => said),
    heldOut,
  );
  let loss: number | null = null;
  if (learnt.length > 0) {
    const { batch, steps, optimizer } = settings;
    const lessons = trmLessons(lessonRows(learnt), {
      chat,
      templates: config,
      batch,
      // other draws at each refresh
      seed: stage.seed + step,
      order: 'balanced',
    });
    for (let k = 0; k < steps; k++) {
      const result = await sftStep(trm, await lessons(k), stepOptions(optimizer, k + 1, steps));
      loss = loss === null ? result.loss : 0.9 * loss + 0.1 * result.loss;
    }
  }
  const after = reliabilityOf(await judge.score(heldOut), heldOut);
  return { annotated: rows.length, trained_on: learnt.length, loss, before, after };
}

async function responsesOf(step: number, records: Records, stage: Stage, prompts: number): Promise<Newest[]> {
  const groups = await readRollouts(stage.dir, step);
  const items = itemsOf(step, prompts, stage.seed, records.length);
  const asked = await Promise.all(items.map(({ at }) => records.get(at)));
  return groups.flatMap(({ responses }, p) =>
    responses
      .filter(({ format_ok, text }) => format_ok && canBeJudged(text))
      .map(({ text, thinking, failure }) => ({
        record: asked[p],
        at: items[p].at,
        response: text,
        said: { score: thinking, failure },
      })),
  );
}

function isHeldOut(seed: number, at: number, share: number): boolean {
  return keyed('trm refresh', seed, at).uniform() < share;
}
