/** The Thinking Reward Model of a run: its training, and how reliable it is before and after a policy learnt from it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileWhole } from '../data/atomic.ts';
import type { Chat } from '../data/chat/chat.ts';
import { exportModel } from '../data/export-model.ts';
import { readJsonlValues } from '../data/jsonl.ts';
import { openRecords, type Records } from '../data/records/reader.ts';
import type { Reliability } from '../data/run-folder.ts';
import { isAdapterFolder } from '../engine/local/files/adapter.ts';
import type { Engine } from '../engine/types.ts';
import { MAX_SHARD_BYTES } from '../models/checkpoint-index.ts';
import { trmFolder } from '../train/refresh.ts';
import { finishedCheckpoint, stepsDone } from '../train/stage.ts';
import { trainTrm } from '../train/trm.ts';
import { annotate } from '../trm/annotate.ts';
import { checkpointJudge, scoreTokens } from '../trm/checkpoint-judge.ts';
import { collectResponses } from '../trm/collect.ts';
import type { Judge } from '../trm/judge.ts';
import { type JudgeConfig, judgeConfigOf } from '../trm/judge-config.ts';
import { openLessonFile } from '../trm/lesson-file.ts';
import { enginePolicy } from '../trm/policy.ts';
import { reliability } from '../trm/reliability.ts';
import type { ScoredResponse } from '../trm/rows.ts';
import type { Steps } from '../trm/settings.ts';
import { bySteps } from '../trm/steps/step-judge.ts';
import { openAnnotator } from './annotator.ts';
import { engineOf, type SeedRun, stageOf, type Trained } from './context.ts';
import type { Recipe } from './recipe.ts';
import { ownAccess } from './records.ts';
import { makeLessons, readHeldOut, samplingOf, trmDir, trmFiles } from './trm-lessons.ts';

/** Makes the TRM unless that has been done; returns its folder. `base`: the policy it starts from and will judge. */
export async function makeTrm(run: SeedRun, base: string, chat: Chat, questions: Records): Promise<string> {
  const { recipe, context } = run;
  const { steps, batch, order, optimizer, save_every } = recipe.trm;
  const done = await finishedCheckpoint(trmDir(run), steps);
  if (done && existsSync(trmFiles(run).reliability)) return done;

  await makeLessons(run, base, chat, questions);
  const config = trmConfig(recipe, chat);
  const trained = trmTraining(chat);
  const start = trained === 'everything' ? await wholeStart(run, base) : base;
  const engine = await engineOf(run, done ?? start, trained);
  const stage = stageOf(run, 'trm', trmDir(run), steps, save_every, 1, base);
  try {
    if (!done) {
      const { lessons } = await openLessonFile(trmFiles(run).curated, {
        heldOut: 0,
        seed: run.seed,
        bySteps: config.steps !== null,
        access: ownAccess(recipe),
      });
      context.reporter.start(stage.label, steps, await stepsDone(trmDir(run)));
      const maxBad = recipe.data.max_bad;
      await trainTrm({ engine, chat, config, lessons, batch, order, optimizer, stage, maxBad });
    }
    const measured = await reliability(trmJudge(engine, chat, config), await readHeldOut(run));
    await writeReliability(run, { ...measured, on_trained_policy: null });
    context.reporter.finish(
      stage.label,
      `agrees with its annotator on held-out responses: Spearman ${measured.spearman?.toFixed(2) ?? 'undefined'}`,
    );
  } finally {
    await engine.dispose();
  }
  return (await finishedCheckpoint(trmDir(run), steps))!;
}

/** A TRM on an engine, as a judge. */
export function trmJudge(engine: Engine, chat: Chat, config: JudgeConfig): Judge {
  return bySteps(checkpointJudge({ engine, chat, config }), config.steps);
}

/**
 * What of a TRM is trained. A world's model has a word for each score, which nothing has taught it before, and adapters
 * do not reach the embedding where these words stand: it is trained whole. Others spell a score with digits they know.
 */
export function trmTraining(chat: Chat): Trained {
  return scoreTokens(chat).every((tokens) => tokens.length === 1) ? 'everything' : 'by recipe';
}

/** The policy a TRM starts from, adapters merged into its weights. */
async function wholeStart(run: SeedRun, base: string): Promise<string> {
  if (!(await isAdapterFolder(base))) return base;
  const out = join(trmDir(run), 'start');
  const written = {
    model: base,
    adapter: null,
    out,
    dtype: 'float32',
    maxShardBytes: MAX_SHARD_BYTES,
  } as const;
  if (!existsSync(out)) await exportModel(written);
  return out;
}

/** The reliability, on the policy that it has trained, of the TRM as it was in the end; beside that on the start. */
export async function measureOnPolicy(
  run: SeedRun,
  base: string,
  policyDir: string,
  chat: Chat,
): Promise<void> {
  const { recipe, context, seed } = run;
  if (!existsSync(trmFiles(run).reliability)) return;
  const known = await readReliability(run);
  if (known.on_trained_policy) return;
  // the same questions as the held-out responses were given to
  const questions = await openRecords(trmFiles(run).heldOut, { access: ownAccess(recipe) });
  const distinct = await distinctQuestions(questions);
  const label = `${context.prefix}trm: reliability on the trained policy`;
  context.reporter.start(label, distinct.length);
  const engine = await engineOf(run, policyDir, 'nothing');
  const refreshed = trmFolder(policyDir);
  const dir = existsSync(refreshed) ? refreshed : (await finishedCheckpoint(trmDir(run), recipe.trm.steps))!;
  const trm = await engineOf(run, dir, 'nothing');
  const annotator = await openAnnotator(run, base, chat);
  try {
    const sampling = { ...samplingOf(run), samples: 1, seed: seed + 1 };
    const policy = enginePolicy('trained', { engine, chat }, sampling);
    const rows: ScoredResponse[] = [];
    for await (const batch of collectResponses(distinct, 0, distinct.length, { policy })) {
      for await (const { record, facts } of annotate(batch.rows, annotator))
        if (facts.score !== null) rows.push({ record, response: facts.response, score: facts.score });
      context.reporter.update(label, rows.length);
    }
    const measured = await reliability(trmJudge(trm, chat, trmConfig(recipe, chat)), rows);
    await writeReliability(run, { ...known, on_trained_policy: measured });
    context.reporter.finish(label, `Spearman ${measured.spearman?.toFixed(2) ?? 'undefined'}`);
  } finally {
    await engine.dispose();
    await trm.dispose();
    await annotator.dispose();
  }
  context.signal.throwIfAborted();
}

function stepsOf({ by_step }: Recipe['trm']): Steps | null {
  return by_step && { split: by_step.split, aggregate: by_step.aggregate };
}

/** How a TRM of this recipe is asked. */
export function trmConfig({ trm, data }: Recipe, chat: Chat): JudgeConfig {
  const usual = judgeConfigOf(chat, data.template);
  return { ...usual, template: trm.template ?? usual.template, reads: 'expected', steps: stepsOf(trm) };
}

/** Each question once, though several responses to it stand in the file. */
async function distinctQuestions(records: Records): Promise<Records> {
  const first = new Map<string | number, number>();
  for (let i = 0; i < records.length; i++) {
    const { problem_id } = await records.get(i);
    if (!first.has(problem_id)) first.set(problem_id, i);
  }
  const indices = [...first.values()];
  return { ...records, length: indices.length, get: (i) => records.get(indices[i]) };
}

type ReliabilityFile = Reliability & { on_trained_policy: Reliability | null };

async function writeReliability(run: SeedRun, value: ReliabilityFile): Promise<void> {
  await writeFileWhole(trmFiles(run).reliability, `${JSON.stringify(value)}\n`);
}

async function readReliability(run: SeedRun): Promise<ReliabilityFile> {
  return (await readJsonlValues(trmFiles(run).reliability))[0] as ReliabilityFile;
}
