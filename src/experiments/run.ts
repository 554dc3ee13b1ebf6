/** A recipe run over its seeds: the run folder, the seeds one after another, the table and the report. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { writeError, writeFileWhole } from '../data/atomic.ts';
import { InputError, Interrupted } from '../errors.ts';
import { parametersOf, parametersSaid, policyOf } from './adapters.ts';
import { checkInputs } from './check-inputs.ts';
import { type Context, isInterruption, type Reporter } from './context.ts';
import type { Recipe } from './recipe.ts';
import { readRecipe, recipeYaml } from './recipe-file.ts';
import { writeReport } from './report/write.ts';
import type { ResultRow } from './results.ts';
import { runSeed } from './run-seed.ts';
import { resultsTable } from './table.ts';

/** The recipe of a run folder. */
export const recipeFile = (dir: string) => join(dir, 'recipe.yaml');

/**
 * Makes a run folder and writes the recipe into it. Throws InputError where the folder is used already or the recipe
 * names something that cannot be used; nothing is left behind then.
 */
export async function newRunFolder(dir: string, recipe: Recipe): Promise<void> {
  const used = await readdir(dir).catch((error) => {
    if (error.code === 'ENOTDIR') throw new InputError(`${dir}: is a file, or lies in one; name a folder`);
    return [];
  });
  if (used.length > 0) {
    throw new InputError(
      `${dir}: is not empty; add --resume to go on with the run in it, or name another folder`,
    );
  }
  await checkInputs(recipe);
  await mkdir(dir, { recursive: true }).catch((error) => {
    throw writeError(error, dir);
  });
  await writeFileWhole(recipeFile(dir), recipeYaml(recipe));
}

/**
 * Removes a new run's folder in which no stage has taken a step or collected a response, so that the same command can be
 * given again.
 */
export async function dropUnstarted(dir: string): Promise<void> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const worked = (name: string) => /^(metrics|collected)\.jsonl/.test(basename(name));
  if (!names.some(worked)) await rm(dir, { recursive: true, force: true });
}

/** The recipe of a run to go on with. Throws InputError where there is no run. */
export async function resumedRecipe(dir: string): Promise<Recipe> {
  if (!existsSync(recipeFile(dir)))
    throw new InputError(`${dir}: no recipe.yaml in it; nothing to resume, leave out --resume`);
  return readRecipe(recipeFile(dir), []);
}

/** A folder for a new run: runs/NAME, or the first of runs/NAME-2, runs/NAME-3 … that is free. */
export function freeRunFolder(name: string): string {
  for (let i = 1; ; i++) {
    const dir = join('runs', i === 1 ? name : `${name}-${i}`);
    if (!existsSync(dir)) return dir;
  }
}

export interface RunResult {
  rows: ResultRow[];
  /** Path of report.html. */
  report: string;
}

/** What the two tests are, said in the report of a run on the world's own questions. */
const WORLD_SPLITS = {
  id: 'The note in the question is right nine times in ten, as in training.',
  ood: 'The same questions and pictures, but the note is drawn at random and says nothing.',
};

/** Runs what is not done yet in `dir`, seed after seed, and writes the report. Throws Interrupted after saving. */
export async function runRecipe(
  recipe: Recipe,
  dir: string,
  context: Omit<Context, 'prefix'>,
): Promise<RunResult> {
  const parameters = parametersOf(await policyOf(recipe));
  if (parameters.trained < parameters.all) context.say(parametersSaid(parameters));
  const rows: ResultRow[] = [];
  const several = recipe.seeds.length > 1;
  for (const seed of recipe.seeds) {
    const seedDir = several ? join(dir, `seed-${seed}`) : dir;
    const prefix = several ? `seed ${seed} · ` : '';
    const clock = await stopwatch(seedDir, context.reporter, prefix);
    try {
      merge(
        rows,
        await runSeed({
          recipe,
          seed,
          dir: seedDir,
          context: { ...context, reporter: clock.reporter, prefix },
        }),
      );
    } catch (error) {
      // what has gone wrong matters more than a stopwatch that cannot write either
      await clock.save().catch(() => {});
      // a stage that has no steps saves nothing: what it has done so far is done again
      if (isInterruption(error) && !(error instanceof Interrupted)) {
        throw new Interrupted(`interrupted. Go on with: ${context.howToResume}`, { cause: error });
      }
      throw error;
    }
    await clock.save();
  }
  await writeFileWhole(join(dir, 'table.txt'), resultsTable(rows));
  const ofWorld = recipe.data.train === null;
  const report = await writeReport(dir, { splits: ofWorld ? WORLD_SPLITS : undefined });
  return { rows, report };
}

function merge(rows: ResultRow[], more: ResultRow[]): void {
  for (const row of more) {
    const known = rows.find((r) => r.variant === row.variant);
    if (known) known.seeds.push(...row.seeds);
    else rows.push(row);
  }
}

interface Timing {
  stage: string;
  seconds: number;
}

/** Times noted so far; what cannot be read is forgotten, it is no result. */
async function readTimings(file: string): Promise<Timing[]> {
  try {
    return z
      .array(z.object({ stage: z.string(), seconds: z.number() }))
      .parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return [];
  }
}

/** A reporter that also notes how long each stage took, in timings.json; a resumed stage's times add up. */
async function stopwatch(dir: string, reporter: Reporter, prefix: string) {
  const file = join(dir, 'timings.json');
  const timings = await readTimings(file);
  const started = new Map<string, number>();
  const note = (stage: string) => {
    const from = started.get(stage);
    if (from === undefined) return;
    started.delete(stage);
    const seconds = Math.round(performance.now() - from) / 1000;
    const name = stage.slice(prefix.length);
    const known = timings.find((t) => t.stage === name);
    if (known) known.seconds += seconds;
    else timings.push({ stage: name, seconds });
  };
  return {
    reporter: {
      start: (stage: string, total: number, done?: number) => {
        if (!started.has(stage)) started.set(stage, performance.now());
        reporter.start(stage, total, done);
      },
      update: reporter.update.bind(reporter),
      finish: (stage: string, summary?: string) => {
        note(stage);
        reporter.finish(stage, summary);
      },
    },
    save: async () => {
      for (const stage of [...started.keys()]) note(stage);
      if (timings.length > 0) await writeFileWhole(file, `${JSON.stringify(timings)}\n`);
    },
  };
}
