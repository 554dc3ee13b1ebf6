/** The Thinking Reward Model of a run: responses of the policy it will judge, scored by the oracle; training; reliability. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { writeFileWhole } from '../data/atomic.ts';
import type { Chat } from '../data/chat.ts';
import { exportModel } from '../data/export-model.ts';
import { readJsonlValues, writeJsonl } from '../data/jsonl.ts';
import { type LoadedRecord, openRecords, type Records } from '../data/reader.ts';
import type { Reliability } from '../data/run-folder.ts';
import { isAdapterFolder } from '../engine/local/files/adapter.ts';
import type { Engine } from '../engine/types.ts';
import { RunError } from '../errors.ts';
import { MAX_SHARD_BYTES } from '../models/checkpoint-index.ts';
import { trmFolder } from '../train/refresh.ts';
import { trainSft } from '../train/sft.ts';
import { finishedCheckpoint, stepsDone } from '../train/stage.ts';
import { checkpointJudge, scoreTokens } from '../trm/checkpoint-judge.ts';
import { collect, type ScoredResponse } from '../trm/collect.ts';
import type { Judge } from '../trm/judge.ts';
import { type JudgeConfig, judgeConfigOf } from '../trm/judge-config.ts';
import { lessonRows, trmLessons } from '../trm/lessons.ts';
import { oracleJudge } from '../trm/oracle-judge.ts';
import { reliability } from '../trm/reliability.ts';
import { engineOf, type SeedRun, stageOf, type Trained } from './context.ts';
import type { Recipe } from './recipe.ts';

const dirOf = (run: SeedRun) => join(run.dir, 'trm');
const files = (run: SeedRun) => ({
  lessons: join(dirOf(run), 'responses.jsonl'),
  heldOut: join(dirOf(run), 'held-out.jsonl'),
  reliability: join(dirOf(run), 'reliability.json'),
});

/** Trains the TRM unless that has been done; returns its folder. `base`: the policy it starts from and will judge. */
export async function trainTrm(run: SeedRun, base: string, chat: Chat, questions: Records): Promise<string> {
  const { recipe, seed, context } = run;
  const { steps, batch, order, optimizer, save_every } = recipe.trm;
  const done = await finishedCheckpoint(dirOf(run), steps);
  if (done && existsSync(files(run).reliability)) return done;

  if (!existsSync(files(run).heldOut)) await collectLessons(run, base, chat, questions);
  const rows = await readScored(files(run).lessons);
  const trained = trmTraining(chat);
  const start = trained === 'everything' ? await wholeStart(run, base) : base;
  const engine = await engineOf(run, done ?? start, trained);
  const stage = stageOf(run, 'trm', dirOf(run), steps, save_every, 1, base);
  try {
    if (!done) {
      const templates = trmConfig(recipe, chat);
      const lessons = trmLessons(lessonRows(rows), { chat, templates, batch, seed, order });
      context.reporter.start(stage.label, steps, await stepsDone(dirOf(run)));
      await trainSft({
        engine,
        sources: { scores: lessons },
        phases: [{ steps, cycle: ['scores'] }],
        optimizer,
        stage,
      });
    }
    const measured = await reliability(judgeOf(run, engine, chat), await readScored(files(run).heldOut));
    await writeReliability(run, { ...measured, on_trained_policy: null });
    context.reporter.finish(
      stage.label,
      `agrees with the oracle on held-out responses: Spearman ${measured.spearman?.toFixed(2) ?? 'undefined'}`,
    );
  } finally {
    await engine.dispose();
  }
  return (await finishedCheckpoint(dirOf(run), steps))!;
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
  const out = join(dirOf(run), 'start');
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
export async function measureOnPolicy(run: SeedRun, policyDir: string, chat: Chat): Promise<void> {
  const { recipe, context, seed } = run;
  if (!existsSync(files(run).reliability)) return;
  const known = await readReliability(run);
  if (known.on_trained_policy) return;
  // the same questions as the held-out responses were given to
  const questions = await openRecords(files(run).heldOut);
  const distinct = await distinctQuestions(questions);
  const label = `${context.prefix}trm: reliability on the trained policy`;
  context.reporter.start(label, distinct.length);
  const policy = await engineOf(run, policyDir, 'nothing');
  const refreshed = trmFolder(policyDir);
  const trmDir = existsSync(refreshed)
    ? refreshed
    : (await finishedCheckpoint(dirOf(run), recipe.trm.steps))!;
  const trm = await engineOf(run, trmDir, 'nothing');
  try {
    const rows = await collect(distinct, 0, distinct.length, {
      ...collecting(run, policy, chat),
      samples: 1,
      seed: seed + 1,
      progress: (done) => context.reporter.update(label, done),
    });
    const measured = await reliability(judgeOf(run, trm, chat), rows);
    await writeReliability(run, { ...known, on_trained_policy: measured });
    context.reporter.finish(label, `Spearman ${measured.spearman?.toFixed(2) ?? 'undefined'}`);
  } finally {
    await policy.dispose();
    await trm.dispose();
  }
  context.signal.throwIfAborted();
}

/** The run's TRM on an engine, as a judge. */
export function judgeOf({ recipe }: SeedRun, engine: Engine, chat: Chat): Judge {
  return checkpointJudge({ engine, chat, config: trmConfig(recipe, chat) });
}

/** How a TRM of this recipe is asked. */
export function trmConfig({ trm, data }: Recipe, chat: Chat): JudgeConfig {
  const usual = judgeConfigOf(chat, data.template);
  return { ...usual, template: trm.template ?? usual.template, reads: 'expected' };
}

async function collectLessons(run: SeedRun, base: string, chat: Chat, questions: Records): Promise<void> {
  const { recipe, context } = run;
  const label = `${context.prefix}trm: collect responses`;
  const policy = await engineOf(run, base, 'nothing');
  try {
    const kept = Math.max(1, Math.round(questions.length * (1 - recipe.trm.held_out)));
    context.reporter.start(label, questions.length);
    const report = (from: number) => ({
      progress: (done: number) => context.reporter.update(label, from + done),
    });
    const lessons = await collect(questions, 0, kept, { ...collecting(run, policy, chat), ...report(0) });
    const others = await collect(questions, kept, questions.length, {
      ...collecting(run, policy, chat),
      ...report(kept),
    });
    const learnt = new Set(lessons.map(({ record }) => contentOf(record)));
    const heldOut = others.filter(({ record }) => !learnt.has(contentOf(record)));
    if (lessons.length === 0 || heldOut.length === 0) {
      throw new RunError(
        `trm: the policy gave ${lessons.length} well-formed responses to learn from and ${heldOut.length} to hold out; it needs a longer cold start, or more questions (world.trm)`,
      );
    }
    await writeScored(run, files(run).lessons, lessons);
    await writeScored(run, files(run).heldOut, heldOut);
    context.reporter.finish(label, `${lessons.length} to learn from, ${heldOut.length} held out`);
  } finally {
    await policy.dispose();
  }
}

/** What a question asks of what: text-only questions of a world may come twice under different numbers. */
function contentOf({ problem, picture, world }: LoadedRecord): string {
  const { cells, rule, relevant } = (world ?? {}) as Record<string, unknown>;
  return JSON.stringify(world === undefined ? [problem, picture] : [cells, rule, relevant]);
}

function collecting({ recipe, seed, context }: SeedRun, policy: Engine, chat: Chat) {
  const { samples, temperature } = recipe.trm;
  const { template } = recipe.data;
  return {
    policy,
    annotator: oracleJudge,
    chat,
    template,
    samples,
    temperature,
    maxTokens: recipe.rl.max_tokens,
    seed,
    signal: context.signal,
  };
}

async function writeScored(run: SeedRun, file: string, rows: ScoredResponse[]): Promise<void> {
  await writeJsonl(
    file,
    rows.map(({ record: { picture, source: _, ...record }, response, score }) => ({
      ...record,
      path: picture === null ? '' : relative(dirOf(run), picture),
      response,
      score,
    })),
  );
}

async function readScored(file: string): Promise<ScoredResponse[]> {
  const records = await openRecords(file);
  const rows = await Promise.all(Array.from({ length: records.length }, (_, i) => records.get(i)));
  return rows.map((record) => ({ record, response: record.response!, score: record.score! }));
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
  await writeFileWhole(files(run).reliability, `${JSON.stringify(value)}\n`);
}

async function readReliability(run: SeedRun): Promise<ReliabilityFile> {
  return (await readJsonlValues(files(run).reliability))[0] as ReliabilityFile;
}
