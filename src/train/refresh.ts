/**
 * Refreshing: a TRM that was trained once is asked about a policy that has moved away from what it was trained on, and
 * is gamed. At an interval, the newest responses of the policy are annotated and the TRM is trained on them; before and
 * after, its reliability on the policy as it is now is measured on questions that it is never trained on.
 * Ours: the paper trains its TRM once.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Chat } from '../data/chat/chat.ts';
import { relativeAddress } from '../data/pictures/address.ts';
import type { LoadedRecord, Records } from '../data/records/reader.ts';
import { readRollouts } from '../data/run-files.ts';
import type { RolloutGroup, TrmCheck } from '../data/run-folder.ts';
import type { Engine } from '../engine/types.ts';
import { InputError, RunError } from '../errors.ts';
import { type Annotator, annotate } from '../trm/annotate.ts';
import type { Judge, JudgeScore } from '../trm/judge.ts';
import { JUDGE_FILE, type JudgeConfig, judgeConfigJson } from '../trm/judge-config.ts';
import { lessonRows, trmLessons } from '../trm/lessons.ts';
import { canBeJudged } from '../trm/prompt.ts';
import { firstTimes } from '../trm/question.ts';
import { reliabilityOf } from '../trm/reliability.ts';
import type { Collected, Row, ScoredResponse } from '../trm/rows.ts';
import { type OptimizerSettings, stepOptions } from './optimizer.ts';
import type { RlSettings } from './rollout.ts';
import { itemsOf } from './sample-groups.ts';
import { sftStep } from './sft.ts';
import { copyTokenizer, type Stage, skipCounter } from './stage.ts';

export interface RefreshSettings {
  /** Steps of the policy between two refreshes. */
  every: number;
  /** Updates of the TRM at each, and responses an update. */
  steps: number;
  batch: number;
  optimizer: OptimizerSettings;
}

export interface Refresh {
  /** The judge's own, which is trained. */
  trm: Engine;
  /** The folder it comes from: its tokenizer and chat template are there. */
  dir: string;
  judge: Judge;
  chat: Chat;
  config: JudgeConfig;
  annotator: Annotator;
  /** Whether a question is one that the TRM is never trained on. */
  isHeldOut: (record: LoadedRecord) => boolean;
  settings: RefreshSettings;
}

/** The TRM as it was at a checkpoint of the policy, with its optimizer. */
export async function loadTrm({ trm }: Refresh, checkpoint: string): Promise<void> {
  const dir = trmFolder(checkpoint);
  if (existsSync(dir)) await trm.load(dir, { optimizer: true });
}

/** Saves the TRM inside a checkpoint of the policy: a folder that can be named as a judge. */
export async function saveTrm({ trm, dir, config }: Refresh, checkpoint: string): Promise<void> {
  const out = trmFolder(checkpoint);
  await trm.save(out, { optimizer: true });
  await copyTokenizer(dir, out);
  await writeFile(join(out, JUDGE_FILE), judgeConfigJson(config));
}

export const trmFolder = (checkpoint: string) => join(checkpoint, 'trainer', 'trm');

export const isDue = ({ settings }: Refresh, step: number) => step % settings.every === 0;

/** A response of the policy, and what the TRM said of it when it was asked in training. */
interface Newest extends Row<Collected> {
  said: JudgeScore;
}

/**
 * Annotates the responses of the last `every` steps up to `step`, and trains the TRM on them. Throws RunError where the
 * annotator scores less than a share `minCoverage` of them.
 */
export async function refreshTrm(
  { trm, judge, chat, config, annotator, isHeldOut, settings }: Refresh,
  { records, stage, settings: rl }: { records: Records; stage: Stage; settings: RlSettings },
  step: number,
): Promise<TrmCheck> {
  const newest: Newest[] = [];
  for (let s = Math.max(1, step - settings.every + 1); s <= step; s++)
    newest.push(...(await responsesOf(s, records, stage, rl.prompts)));
  const isNew = firstTimes();
  const once = newest.filter(({ record, facts }) => isNew(record, facts.response));
  const failures: string[] = [];
  const rows: (ScoredResponse & { said: JudgeScore })[] = [];
  let i = 0;
  for await (const { record, facts } of annotate(once, annotator)) {
    const { said } = once[i++];
    if (facts.score === null) failures.push(facts.failure!);
    else rows.push({ record, response: facts.response, score: facts.score, said });
  }
  checkAnnotated(once.length, failures, rl, stage, step);

  const heldOut = rows.filter(({ record }) => isHeldOut(record));
  const learnt = rows.filter(({ record }) => !isHeldOut(record));
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
    const noteSkipped = skipCounter(stage);
    for (let k = 0; k < steps; k++) {
      const result = await sftStep(trm, await lessons(k), stepOptions(optimizer, k + 1, steps));
      noteSkipped(step, result.applied);
      loss = loss === null ? result.loss : 0.9 * loss + 0.1 * result.loss;
    }
  }
  const after = reliabilityOf(await judge.score(heldOut), heldOut);
  return { annotated: rows.length, trained_on: learnt.length, loss, before, after };
}

/** An annotator that does not answer leaves the TRM as stale as it was. */
function checkAnnotated(
  asked: number,
  failures: readonly string[],
  { min_coverage, warn_coverage }: RlSettings,
  { name, warn, howToResume }: Stage,
  step: number,
): void {
  const coverage = asked > 0 ? 1 - failures.length / asked : 1;
  const said = `only ${asked - failures.length} of ${asked} responses were annotated (${failures[0]})`;
  if (coverage < min_coverage)
    throw new RunError(
      `${name}, refresh at step ${step}: ${said}; mend trm.annotator and go on with: ${howToResume}`,
    );
  if (coverage < warn_coverage) warn(`${name}, refresh at step ${step}: ${said}`);
}

/** Those that a judge was asked about. */
async function responsesOf(step: number, records: Records, stage: Stage, prompts: number): Promise<Newest[]> {
  const groups = await readRollouts(stage.dir, step);
  const asked = await recordsOf(groups, step, records, stage, prompts);
  return groups.flatMap(({ responses }, p) =>
    responses
      .filter(({ format_ok, text }) => format_ok && canBeJudged(text))
      .map(({ text, finish, format_ok, outcome, right, thinking, failure }) => ({
        record: asked[p],
        facts: { response: text, finish, format_ok, outcome, right, policy: stage.name },
        said: { score: thinking, failure },
      })),
  );
}

/** The record of each group: those of the step's questions, in their order, that were not left out. */
async function recordsOf(
  groups: readonly RolloutGroup[],
  step: number,
  records: Records,
  { seed, runDir }: Stage,
  prompts: number,
): Promise<LoadedRecord[]> {
  const found: LoadedRecord[] = [];
  for (let ahead = 0; found.length < groups.length && ahead * prompts <= records.length; ahead++)
    for (const { at } of itemsOf(step + ahead, prompts, seed, records)) {
      const record = await records.get(at).catch((error) => {
        if (error instanceof InputError) return null;
        throw error;
      });
      const group = groups[found.length];
      if (record !== null && group !== undefined && isOf(group, record, runDir)) found.push(record);
    }
  return found;
}

function isOf({ problem_id, problem, path }: RolloutGroup, record: LoadedRecord, runDir: string): boolean {
  return (
    problem_id === record.problem_id && problem === record.problem && path === rolloutPath(record, runDir)
  );
}

/** A picture as rollouts name it. */
export function rolloutPath({ picture }: Pick<LoadedRecord, 'picture'>, runDir: string): string | null {
  return picture === null ? null : relativeAddress(runDir, picture);
}
