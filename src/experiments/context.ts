/** What a running experiment is given by whoever started it, and what every stage makes of it. */
import { isAdapterFolder } from '../engine/local/files/adapter.ts';
import { createLocalEngine } from '../engine/local/index.ts';
import type { Engine } from '../engine/types.ts';
import { Interrupted } from '../errors.ts';
import type { Stage } from '../train/stage.ts';
import type { JudgeEngine } from '../trm/open-judge.ts';
import type { Recipe } from './recipe.ts';

/** Where progress is shown. Stages are known by name; several may run at once. */
export interface Reporter {
  start(stage: string, total: number, done?: number): void;
  update(stage: string, done: number, facts?: Record<string, number | string>): void;
  finish(stage: string, summary?: string): void;
}

export interface Context {
  reporter: Reporter;
  /** A line for the person at the terminal. */
  say: (line: string) => void;
  /** Aborted when the user interrupts: stages save and stop. */
  signal: AbortSignal;
  /** The command that goes on after an interruption. */
  howToResume: string;
  /** Put before stage names, e.g. `seed 1 · `. */
  prefix: string;
}

/** Whether an error only says that work was stopped on request. */
export function isInterruption(error: unknown): boolean {
  return error instanceof Interrupted || (error instanceof Error && error.name === 'AbortError');
}

/** One seed under way. `dir` is its run folder. */
export interface SeedRun {
  recipe: Recipe;
  seed: number;
  dir: string;
  context: Context;
}

/** A stage in folder `stageDir`; `label` is its name on the screen. */
export function stageOf(
  { seed, dir, context }: SeedRun,
  name: string,
  stageDir: string,
  steps: number,
  saveEvery: number,
  keep: number,
  modelDir: string,
): Stage & { label: string } {
  const label = `${context.prefix}${name}`;
  const { signal, howToResume } = context;
  const progress = (done: number, facts: Record<string, number | string>) =>
    context.reporter.update(label, done, facts);
  return {
    label,
    name,
    dir: stageDir,
    runDir: dir,
    seed,
    steps,
    saveEvery,
    keep,
    modelDir,
    howToResume,
    signal,
    progress,
    warn: context.say,
  };
}

/** Chains of stages that run side by side (`run-seed.ts`), each with an engine. */
export const CHAINS = 2;

/**
 * What of a model is trained: nothing, all of it, or what the recipe says, which is adapters where it has `lora` or the
 * folder holds some.
 */
export type Trained = 'nothing' | 'everything' | 'by recipe';

/** What judges named by their folder compute with. */
export function judgeEngine({ engine }: Recipe): JudgeEngine {
  return {
    provider: engine.provider === 'auto' ? 'cpu' : engine.provider,
    threads: engine.threads,
    tokenBudget: engine.token_budget,
  };
}

/** The engine a recipe asks for, with the model of a folder; a stage that runs alone gets the threads of all. */
export async function engineOf(
  { recipe, seed }: Pick<SeedRun, 'recipe' | 'seed'>,
  dir: string,
  trained: Trained,
  alone = false,
): Promise<Engine> {
  const { engine, lora } = recipe;
  const adapted = trained === 'by recipe' && lora !== null && !(await isAdapterFolder(dir));
  return createLocalEngine({
    ...judgeEngine(recipe),
    source: { dir },
    adapter: adapted ? { ...lora, seed } : null,
    trainable: trained !== 'nothing',
    threads: engine.threads * (alone ? CHAINS : 1),
  });
}
