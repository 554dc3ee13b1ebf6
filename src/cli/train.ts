/** `sophia train`: runs a recipe (by default the quickstart) into a run folder. */
import { relative } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../errors.ts';
import type { Estimate } from '../experiments/estimate/estimate.ts';
import { onInterrupt } from './interrupt.ts';
import { createProgress } from './progress.ts';
import { shellQuoted } from './shell.ts';

interface Flags {
  set: string[];
  run?: string;
  resume?: boolean;
  seed?: string;
  dryRun?: boolean;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('train')
    .description(
      'Train by a recipe; without one, the quickstart: a small model learns to reason, with and without thinking rewards',
    )
    .argument('[recipe]', 'a YAML file (docs/recipes.md)')
    .option(
      '--set <key=value>',
      'set one key of the recipe; may be given again',
      (value, all: string[]) => [...all, value],
      [],
    )
    .option('--run <dir>', 'run folder; by default runs/NAME')
    .option('--resume', 'go on with the run in --run DIR')
    .option('--seed <list>', 'one seed, or several with commas: 0,1,2')
    .option('--dry-run', 'print the resolved recipe with an estimate of memory and time, and do nothing')
    .option('--json', 'print the results as JSON')
    .action(train);
}

async function train(file: string | undefined, flags: Flags): Promise<void> {
  const { checkRecipe, readRecipe, recipeYaml } = await import('../experiments/recipe-file.ts');
  const { dropUnstarted, freeRunFolder, newRunFolder, resumedRecipe, runRecipe } = await import(
    '../experiments/run.ts'
  );
  const { resultsJson, resultsTable } = await import('../experiments/table.ts');

  if (flags.resume) {
    if (!flags.run) throw new InputError('--resume: say which run: --run DIR');
    if (file || flags.set.length > 0 || flags.seed) {
      throw new InputError(
        '--resume: the run goes on with its own recipe.yaml; leave out the recipe, --set and --seed',
      );
    }
  }
  const read = flags.resume ? await resumedRecipe(flags.run!) : await readRecipe(file ?? null, flags.set);
  const recipe = flags.seed ? checkRecipe({ ...read, seeds: seedsOf(flags.seed) }, '--seed') : read;

  if (flags.dryRun) {
    const { estimate } = await import('../experiments/estimate/estimate.ts');
    const { parametersSaid } = await import('../experiments/adapters.ts');
    const taken = await estimate(recipe);
    process.stdout.write(
      flags.json
        ? `${JSON.stringify({ recipe, ...taken })}\n`
        : `${recipeYaml(recipe)}${inComments(taken, parametersSaid(taken.parameters))}`,
    );
    return;
  }

  const dir = flags.run ?? freeRunFolder(recipe.name);
  if (!flags.resume) await newRunFolder(dir, recipe);
  const progress = createProgress();
  const interrupt = onInterrupt();
  try {
    const say = (line: string) => process.stderr.write(`${line}\n`);
    const howToResume = `npx sophia train --run ${shellQuoted(dir)} --resume`;
    const { rows, report } = await runRecipe(recipe, dir, {
      reporter: progress,
      say,
      signal: interrupt.signal,
      howToResume,
    });
    progress.stop();
    if (flags.json)
      process.stdout.write(`${JSON.stringify({ run: dir, report, results: resultsJson(rows) })}\n`);
    else process.stdout.write(`\n${resultsTable(rows)}\n\nReport: ${relative('.', report)}\n`);
  } catch (error) {
    if (!flags.resume && error instanceof InputError) await dropUnstarted(dir);
    throw error;
  } finally {
    progress.stop();
    interrupt.stop();
  }
}

/** Minutes in the unit a person would choose. */
function duration(minutes: number): string {
  const units: [name: string, minutes: number][] = [
    ['years', 525_960],
    ['days', 1440],
    ['hours', 60],
  ];
  const [name, size] = units.find(([, length]) => minutes >= 2 * length) ?? ['minutes', 1];
  return `${Number((minutes / size).toPrecision(2))} ${name}`;
}

/** An estimate below a recipe, which stays one that can be read back. */
function inComments({ memory_mb, minutes, stages, note }: Estimate, model: string): string {
  const widest = stages.reduce((most, { stage }) => Math.max(most, stage.length), 0);
  return [
    `model: ${model}`,
    `memory: about ${memory_mb} MB`,
    `time: about ${duration(minutes)} (${note})`,
    ...stages.map(({ stage, seconds }) => `  ${stage.padEnd(widest)}  ${Math.round(seconds)} s`),
  ]
    .map((line) => `# ${line}\n`)
    .join('');
}

function seedsOf(list: string): number[] {
  const seeds = list.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (seeds.some((seed) => !Number.isSafeInteger(seed)) || new Set(seeds).size !== seeds.length) {
    throw new InputError(
      `--seed ${list}: must be whole numbers from 0, each once, with commas between: 0,1,2`,
    );
  }
  return seeds;
}
