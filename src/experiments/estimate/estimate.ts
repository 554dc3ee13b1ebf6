/**
 * What a recipe will take on this machine, before it is run: seconds of its calls times how often its stages make
 * them, and the memory of the engines that are alive at once.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Chat, loadChat } from '../../data/chat/chat.ts';
import { openRecords } from '../../data/records/reader.ts';
import type { Learning } from '../../engine/local/compute/memory.ts';
import { createLocalEngine } from '../../engine/local/index.ts';
import { LANGUAGE_MODEL } from '../../models/lora/config.ts';
import { type Parameters, parametersOf, policyOf } from '../adapters.ts';
import { teachesOwnRecords } from '../annotator.ts';
import { engineOf, type Trained } from '../context.ts';
import type { Recipe } from '../recipe.ts';
import { testOptions } from '../records.ts';
import { writeStartModel } from '../start-model.ts';
import { openTraining } from '../training-data.ts';
import { trmTraining } from '../trm-stage.ts';
import { countedMeter, type Model, sizesOf, yardstick } from './counted.ts';
import { countedMemory, measuredMemory } from './memory.ts';
import { type Meter, measuredMeter } from './meter.ts';
import { type Call, type Part, planOf } from './plan.ts';
import { drawSome, shapesOf } from './shapes.ts';

export interface Estimate {
  memory_mb: number;
  minutes: number;
  /** Of the policy. */
  parameters: Parameters;
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
  const policy = await policyOf(recipe);
  const { learning, ...model } = policy;
  const dir = recipe.model ?? join(folder, 'start');
  if (recipe.model === null) await writeStartModel(dir, recipe.architecture, 0);
  const drawn = recipe.model === null || recipe.data.train === null ? await drawSome(recipe, folder) : null;
  const chat = await loadChat(dir);
  const shapes = await shapesOf(recipe, chat, drawn?.files ?? null);
  const counted = await countRecords(recipe, chat);
  const apart = learning !== 'everything' && counted.trm !== null;
  const trmTrained = apart ? trmTraining(chat) : 'by recipe';
  const plan = planOf(recipe, shapes, { ...counted, trmTrained });
  const parts = [...plan.before, ...plan.main, ...plan.rest, ...plan.after];
  const drawing = drawn ? picturesOf(recipe) * drawn.pictureSeconds : 0;

  const typical = plan.main.flatMap((part) => part.calls).find(([, call]) => call.kind === 'backward')![1];
  const measured = sizesOf(model).all <= LARGEST_MEASURED;
  const seconds = new Map<Part, number>();
  /** Measures parts that train so much of the model; returns the contention. */
  const measure = async (trained: Trained, parts: Part[]): Promise<number> => {
    const meter = measured
      ? await measuredMeter(() => engineOf({ recipe, seed: 0 }, dir, trained), typical)
      : await meterOfLarge(recipe, model, trained === 'everything' ? trained : learning);
    try {
      for (const part of parts) seconds.set(part, await partSeconds(part, meter));
      return meter.contention;
    } finally {
      await meter.dispose();
    }
  };
  const whole = learning === 'everything' ? [] : parts.filter((part) => part.trained === 'everything');
  if (whole.length > 0) await measure('everything', whole);
  const contention = await measure(
    'by recipe',
    parts.filter((part) => !seconds.has(part)),
  );
  const all = (parts: Part[]) => parts.reduce((sum, part) => sum + seconds.get(part)!, 0);
  const [main, rest] = [all(plan.main), all(plan.rest)];
  const together = Math.min(main, rest) * contention + Math.abs(main - rest);
  const aSeed = drawing + all(plan.before) + together + all(plan.after);
  const stages = [
    ...(drawing > 0 ? [{ stage: 'draw the world', seconds: drawing }] : []),
    ...parts.map((part) => ({ stage: part.stage, seconds: seconds.get(part)! })),
  ];
  const memory = measured
    ? measuredMemory(recipe, shapes)
    : await countedMemory(recipe, shapes, model, {
        policy: learning,
        trm: trmTrained === 'everything' ? trmTrained : learning,
      });
  return {
    memory_mb: Math.round(memory / 2 ** 20),
    minutes: Number(((aSeed * recipe.seeds.length) / 60).toPrecision(2)),
    parameters: parametersOf(policy),
    stages: stages.map(({ stage, seconds }) => ({ stage, seconds: Number(seconds.toPrecision(3)) })),
    note: measured
      ? 'measured on this machine as it is now, on a few batches of each stage'
      : `counted for ${(sizesOf(model).all / 1e9).toFixed(1)} billion parameters at this machine's speed; good to a factor of two`,
  };
}

async function meterOfLarge(
  recipe: Recipe,
  model: Model,
  learning: Learning,
): Promise<Meter & { dispose: () => Promise<void> }> {
  const { provider, threads } = recipe.engine;
  const config = yardstick(model.config);
  const rank = recipe.lora?.rank ?? 16;
  const adapter =
    typeof learning === 'object' ? { rank, alpha: rank, targets: LANGUAGE_MODEL, seed: 0 } : null;
  const engine = await createLocalEngine({
    source: { config, seed: 0 },
    adapter,
    trainable: true,
    provider: provider === 'auto' ? 'cpu' : provider,
    threads,
    tokenBudget: recipe.engine.token_budget,
  });
  const adapters =
    typeof learning === 'object'
      ? {
          model: learning.adapter,
          yardstick: engine.capabilities.parameters - sizesOf({ ...model, config }).all,
        }
      : null;
  // two engines at once need twice the cores
  const contention = 2 * threads <= availableParallelism() ? 1 : 2;
  const meter = await countedMeter(model, engine, adapters, contention);
  return { ...meter, dispose: () => engine.dispose() };
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

async function countRecords(recipe: Recipe, chat: Chat): Promise<{ tests: number; trm: number | null }> {
  const { data, world, judge, eval: evaluation } = recipe;
  const most = evaluation.limit ?? Number.POSITIVE_INFINITY;
  const train = data.train === null ? null : await openTraining(recipe, null, chat);
  const size = async (file: string | null, otherwise: number) =>
    Math.min(most, file === null ? otherwise : (await openRecords(file, testOptions(recipe))).length);
  const ownTests = train !== null && data.ood === null ? train.length : 0;
  const tests =
    (await size(data.id, train === null ? world.test : ownTests)) +
    (await size(data.ood, train === null ? world.test : 0));
  const ofWorld = train === null || (await train.get(0)).world !== undefined;
  const taught = judge === 'trm' && (ofWorld || teachesOwnRecords(recipe));
  return { tests, trm: taught ? (train?.length ?? world.trm) : null };
}
