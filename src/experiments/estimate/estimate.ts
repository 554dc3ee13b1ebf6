/**
 * What a recipe will take on this machine, before it is run: seconds of its calls times how often its stages make
 * them, and the memory of the engines that are alive at once.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadChat } from '../../data/chat.ts';
import { openRecords } from '../../data/reader.ts';
import { readModelConfig } from '../../engine/local/checkpoint.ts';
import { createLocalEngine } from '../../engine/local/index.ts';
import { engineOf } from '../context.ts';
import type { Recipe } from '../recipe.ts';
import { startConfig, writeStartModel } from '../start-model.ts';
import { countedMeter, type Model, sizesOf, yardstick } from './counted.ts';
import { countedMemory, measuredMemory } from './memory.ts';
import { type Meter, measuredMeter } from './meter.ts';
import { type Call, type Part, planOf } from './plan.ts';
import { drawSome, shapesOf } from './shapes.ts';

export interface Estimate {
  memory_mb: number;
  minutes: number;
  stages: { stage: string; seconds: number }[];
  /** What the estimate rests on. */
  note: string;
}

/** Larger models are counted, smaller ones measured. */
const LARGEST_MEASURED = 30e6;

/** Takes some seconds. Throws InputError where the recipe names a model or records that cannot be used. */
export async function estimate(recipe: Recipe): Promise<Estimate> {
  const folder = await mkdtemp(join(tmpdir(), 'sophia-estimate-'));
  try {
    return await estimateIn(folder, recipe);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function estimateIn(folder: string, recipe: Recipe): Promise<Estimate> {
  const model: Model =
    recipe.model === null ? startConfig(recipe.architecture) : await readModelConfig(recipe.model);
  const dir = recipe.model ?? join(folder, 'start');
  if (recipe.model === null) await writeStartModel(dir, recipe.architecture, 0);
  const drawn = recipe.model === null || recipe.data.train === null ? await drawSome(recipe, folder) : null;
  const shapes = await shapesOf(recipe, await loadChat(dir), drawn?.files ?? null);
  const plan = planOf(recipe, shapes, await countRecords(recipe));
  const drawing = drawn ? picturesOf(recipe) * drawn.pictureSeconds : 0;

  const typical = plan.main.flatMap((part) => part.calls).find(([, call]) => call.kind === 'backward')![1];
  const measured = sizesOf(model).all <= LARGEST_MEASURED;
  const meter = measured
    ? await measuredMeter(() => engineOf(recipe, dir, true), typical)
    : await meterOfLarge(recipe, model);
  try {
    const stages = drawing > 0 ? [{ stage: 'draw the world', seconds: drawing }] : [];
    const chain = async (parts: Part[]) => {
      let total = 0;
      for (const part of parts) {
        const seconds = await partSeconds(part, meter);
        stages.push({ stage: part.stage, seconds });
        total += seconds;
      }
      return total;
    };
    const [before, main, rest, after] = [
      await chain(plan.before),
      await chain(plan.main),
      await chain(plan.rest),
      await chain(plan.after),
    ];
    const together = Math.min(main, rest) * meter.contention + Math.abs(main - rest);
    const aSeed = drawing + before + together + after;
    const memory = measured ? measuredMemory(recipe, shapes) : await countedMemory(recipe, shapes, model);
    return {
      memory_mb: Math.round(memory / 2 ** 20),
      minutes: Number(((aSeed * recipe.seeds.length) / 60).toPrecision(2)),
      stages: stages.map(({ stage, seconds }) => ({ stage, seconds: Number(seconds.toPrecision(3)) })),
      note: measured
        ? 'measured on this machine as it is now, on a few batches of each stage'
        : `counted for ${(sizesOf(model).all / 1e9).toFixed(1)} billion parameters at this machine's speed; good to a factor of two`,
    };
  } finally {
    await meter.dispose();
  }
}

async function meterOfLarge(recipe: Recipe, model: Model): Promise<Meter & { dispose: () => Promise<void> }> {
  const { provider, threads } = recipe.engine;
  const engine = await createLocalEngine({
    source: { config: yardstick(model.config), seed: 0 },
    trainable: true,
    provider: provider === 'auto' ? 'cpu' : provider,
    threads,
    tokenBudget: recipe.engine.token_budget,
  });
  // two engines at once need twice the cores
  const contention = 2 * threads <= availableParallelism() ? 1 : 2;
  return { ...(await countedMeter(model, engine, contention)), dispose: () => engine.dispose() };
}

async function partSeconds({ calls, engines, otherSeconds }: Part, meter: Meter): Promise<number> {
  let total = otherSeconds + engines * meter.startSeconds;
  const met = new Set<Call>();
  for (const [times, call] of calls) {
    total += times * (await meter.seconds(call));
    if (!met.has(call)) total += await meter.firstSeconds(call);
    met.add(call);
  }
  return total;
}

/** Pictures that the world's files hold: five templates of six have one. */
function picturesOf({ world }: Recipe): number {
  const lessons = Math.min(world.pictures, world.captions + world.listings + world.mixed);
  return lessons + ((world.trm + world.rl + world.test) * 5) / 6;
}

async function countRecords(recipe: Recipe): Promise<{ tests: number; trm: number | null }> {
  const { data, world, judge, eval: evaluation } = recipe;
  const most = evaluation.limit ?? Number.POSITIVE_INFINITY;
  const train = data.train === null ? null : await openRecords(data.train);
  const size = async (file: string | null, otherwise: number) =>
    Math.min(most, file === null ? otherwise : (await openRecords(file)).length);
  const ownTests = train !== null && data.ood === null ? train.length : 0;
  const tests =
    (await size(data.id, train === null ? world.test : ownTests)) +
    (await size(data.ood, train === null ? world.test : 0));
  const ofWorld = train === null || (await train.get(0)).world !== undefined;
  return { tests, trm: judge === 'trm' && ofWorld ? (train?.length ?? world.trm) : null };
}
