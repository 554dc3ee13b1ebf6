/**
 * One seed of a recipe, stage after stage: the world's files → cold start → thinking reward model → the main variant and
 * its baselines → evaluation. Every stage leaves its result in the run folder and is skipped where that is there, so a
 * run that stopped anywhere goes on from its last checkpoint.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Chat, loadChat } from '../data/chat/chat.ts';
import type { Records } from '../data/records/reader.ts';
import { evalFolder, readScores } from '../data/run-files.ts';
import type { Scores } from '../data/run-folder.ts';
import { evaluate } from '../eval/predict.ts';
import { badRowCount } from '../train/bad-rows.ts';
import { finishedCheckpoint, stepsDone } from '../train/stage.ts';
import { asksForThinking, trustGrpo } from '../train/trust-grpo.ts';
import type { VariantName } from '../trust/variants.ts';
import { coldStart } from './cold-start.ts';
import { engineOf, isInterruption, type SeedRun, stageOf } from './context.ts';
import { type JudgeMaker, judgeMaker } from './judges.ts';
import type { ResultRow } from './results.ts';
import { openTestFiles, openTraining } from './training-data.ts';
import { measureOnPolicy } from './trm-stage.ts';
import { type WorldFiles, worldFiles, writeWorld } from './world-files.ts';

/** What is trained and tested on, opened. */
interface Sources {
  chat: Chat;
  train: Records;
  tests: Partial<Record<'id' | 'ood', Records>>;
  /** The tests are the training questions. */
  onTraining: boolean;
}

/** Runs (or goes on with) one seed; returns a row a variant, the start first. */
export async function runSeed(run: SeedRun): Promise<ResultRow[]> {
  const { recipe, dir } = run;
  const world = needsWorld(run) ? await prepareWorld(run) : null;
  const base = recipe.model ?? (await coldStart(run, world!));
  const chat = await loadChat(base);
  const train = await openTraining(recipe, world?.rl, chat, run.context.say);
  const sources: Sources = { chat, train, ...(await openTests(run, world, train)) };
  const makeJudge = await judgeMaker(run, base, sources, world);
  const variants = runnable(run, makeJudge);

  // two chains side by side, each with one busy engine: the main variant (and the TRM before it), and the rest
  const [main, rest] = await sideBySide(
    run,
    async (link) => [await trainVariant(link, variants.main, dir, base, sources, makeJudge)],
    async (link) => {
      const start = recipe.model === null ? 'cold-start' : 'start';
      const rows = [await scored(link, start, join(dir, start), base, sources)];
      for (const variant of variants.baselines) {
        rows.push(await trainVariant(link, variant, join(dir, variant), base, sources, makeJudge));
      }
      return rows;
    },
  );
  if (makeJudge) await measureOnPolicy(run, base, await finalPolicy(run, dir), sources.chat);
  return [...rest, ...main];
}

function needsWorld({ recipe }: SeedRun): boolean {
  return recipe.model === null || recipe.data.train === null;
}

async function prepareWorld(run: SeedRun): Promise<WorldFiles> {
  const dir = join(run.dir, 'data');
  const files = worldFiles(dir);
  // written last of all
  if (existsSync(files.testOod)) return files;
  const { reporter, prefix, signal } = run.context;
  const stage = `${prefix}world`;
  let total = 0;
  await writeWorld({
    dir,
    seed: run.seed,
    sizes: run.recipe.world,
    onProgress: (done, all) => {
      if (total === 0) reporter.start(stage, all);
      total = all;
      reporter.update(stage, done);
      signal.throwIfAborted();
    },
  });
  reporter.finish(stage, `${total} pictures in ${dir}`);
  return files;
}

/** The world's tests, or the user's; without any, the training questions, which the user is told. */
async function openTests(
  { recipe, context }: SeedRun,
  world: WorldFiles | null,
  train: Records,
): Promise<Pick<Sources, 'tests' | 'onTraining'>> {
  const { id, ood } = await openTestFiles(recipe, world, train);
  const onTraining = id === train;
  if (onTraining)
    context.say(`no data.id or data.ood: evaluating on the training questions themselves (${train.source})`);
  const limit = (records: Records): Records => ({
    ...records,
    length: Math.min(records.length, recipe.eval.limit ?? records.length),
  });
  const tests = { ...(id ? { id: limit(id) } : {}), ...(ood ? { ood: limit(ood) } : {}) };
  return { tests, onTraining };
}

/** Variants that need thinking rewards give way to outcome-only GRPO where nobody can give any; the user is told. */
function runnable(
  { recipe, context }: SeedRun,
  makeJudge: JudgeMaker | null,
): { main: VariantName; baselines: VariantName[] } {
  const wanted = [recipe.variant, ...recipe.baselines];
  const possible = wanted.filter((variant) => makeJudge !== null || !asksForThinking(variant));
  for (const variant of wanted.filter((v) => !possible.includes(v))) {
    const why =
      recipe.judge === 'none'
        ? 'the recipe has judge: none'
        : "there is no judge for these records (set judge={model: DIR}, a TRM's folder)";
    context.say(`${variant} is left out: it needs thinking rewards, and ${why}`);
  }
  const [main = 'grpo', ...baselines] = [...new Set(possible)];
  return { main, baselines };
}

async function trainVariant(
  run: SeedRun,
  variant: VariantName,
  dir: string,
  base: string,
  sources: Sources,
  makeJudge: JudgeMaker | null,
): Promise<ResultRow> {
  const { recipe, context } = run;
  const { rl } = recipe;
  if (!(await finishedCheckpoint(dir, rl.steps))) {
    const asked = makeJudge && asksForThinking(variant) ? await makeJudge(run) : null;
    const policy = await engineOf(run, base, 'by recipe');
    const stage = stageOf(run, variant, dir, rl.steps, rl.save_every, rl.keep, base);
    try {
      context.reporter.start(stage.label, rl.steps, await stepsDone(dir));
      const { chat, train } = sources;
      const settings = { ...rl, variant };
      await trustGrpo({
        policy,
        judge: asked?.judge ?? null,
        refresh: asked?.refresh ?? null,
        records: train,
        chat,
        template: recipe.data.template,
        settings,
        stage,
        maxBad: recipe.data.max_bad,
      });
      context.reporter.finish(stage.label);
    } finally {
      await policy.dispose();
      await asked?.judge.dispose();
    }
  }
  return scored(run, variant, dir, await finalPolicy(run, dir), sources);
}

async function finalPolicy({ recipe }: SeedRun, dir: string): Promise<string> {
  return (await finishedCheckpoint(dir, recipe.rl.steps))!;
}

/** Scores a model on the tests, unless that has been done. */
async function scored(
  run: SeedRun,
  variant: string,
  stageDir: string,
  model: string,
  { chat, tests, onTraining }: Sources,
): Promise<ResultRow> {
  const { recipe, seed, context } = run;
  const scores: { id: Scores | null; ood: Scores | null } = { id: null, ood: null };
  const label = `${context.prefix}evaluate ${variant}`;
  const open = Object.entries(tests) as ['id' | 'ood', Records][];
  const todo = open.filter(([split]) => !existsSync(join(evalFolder(stageDir, split), 'scores.json')));
  const engine = todo.length > 0 ? await engineOf(run, model, 'nothing') : null;
  if (engine)
    context.reporter.start(
      label,
      todo.reduce((sum, [, records]) => sum + records.length, 0),
    );
  try {
    let before = 0;
    for (const [split, records] of todo) {
      await evaluate(records, stageDir, split, variant, {
        engine: engine!,
        chat,
        template: recipe.data.template,
        maxTokens: recipe.eval.max_tokens,
        temperature: recipe.eval.temperature,
        seed,
        progress: (done) => context.reporter.update(label, before + done),
        signal: context.signal,
        ...(onTraining ? { leaveOut: leaveOutOf(run, label, records) } : {}),
      });
      before += records.length;
    }
  } finally {
    await engine?.dispose();
  }
  for (const [split] of open) scores[split] = await readScores(stageDir, split);
  const facts = open.map(
    ([split]) => `${split.toUpperCase()} accuracy ${scores[split]!.accuracy.toFixed(2)}`,
  );
  if (engine) context.reporter.finish(label, facts.join(', '));
  return { variant, seeds: [{ seed, ...scores }] };
}

/** Questions that are trained on are left out here as they are there. */
function leaveOutOf({ recipe, context }: SeedRun, label: string, records: Records): (error: unknown) => void {
  const stage = { name: label, warn: context.say, howToResume: context.howToResume };
  const maxBad = recipe.data.max_bad;
  const { note } = badRowCount(stage, { maxBad, rows: records.length, asked: 0, before: 0 });
  return (error) => note(error, 0);
}

/**
 * Runs two chains at once; when one fails or is interrupted, the other saves and stops too. What went wrong first is
 * thrown; that a chain was stopped counts only where nothing went wrong.
 */
async function sideBySide<A, B>(
  run: SeedRun,
  first: (run: SeedRun) => Promise<A>,
  second: (run: SeedRun) => Promise<B>,
): Promise<[A, B]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([run.context.signal, stop.signal]);
  const linked = { ...run, context: { ...run.context, signal } };
  const errors: unknown[] = [];
  const guarded = <T>(chain: (run: SeedRun) => Promise<T>) =>
    chain(linked).catch((error: unknown) => {
      errors.push(error);
      stop.abort();
      return null;
    });
  const results = await Promise.all([guarded(first), guarded(second)]);
  if (errors.length > 0) throw errors.find((error) => !isInterruption(error)) ?? errors[0];
  return results as [A, B];
}
