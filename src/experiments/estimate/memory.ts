/** Bytes that a run needs at its widest, when the main variant and a baseline are trained side by side. */

import {
  activationBytes,
  cacheBytes,
  keptBytes,
  type Learning,
  modelBytes,
  passBytes,
} from '../../engine/local/compute/memory.ts';
import { lanesOf } from '../../engine/local/deal.ts';
import { readModelConfig } from '../../engine/local/files/checkpoint.ts';
import { asksForThinking } from '../../train/trust-grpo.ts';
import { CHAINS } from '../context.ts';
import type { Recipe } from '../recipe.ts';
import { lengthOf, type Model, ROWS_AT_ONCE } from './counted.ts';
import type { Shapes } from './shapes.ts';

const FLOAT = 4;
/** Node with the program and its libraries. */
const BASE = 120 * 2 ** 20;
/** An engine remembers the pictures it has cut into patches, up to so much. */
const REMEMBERED = 256 * 2 ** 20;

/**
 * For a small model, after its calls have been measured: what that took at its most (two engines, one of which has made
 * every kind of graph), and the pictures that a whole run remembers.
 */
export function measuredMemory(recipe: Recipe, shapes: Shapes): number {
  const { world, model, data } = recipe;
  const picture = pictureBytes(shapes);
  const asked = data.train === null ? world.rl : shapes.questions.length;
  const remembered = (pictures: number) => Math.min(REMEMBERED, pictures * picture);
  const pictures = Math.max(model === null ? remembered(world.pictures) : 0, 2 * remembered(asked));
  return process.resourceUsage().maxRSS * 1024 + pictures;
}

/** For a large one, from its configuration: the widest of the cold start alone, the TRM and the main variant beside a baseline. */
export async function countedMemory(
  recipe: Recipe,
  shapes: Shapes,
  model: Model,
  learning: { policy: Learning; trm: Learning },
): Promise<number> {
  const { variant, baselines, judge } = recipe;
  const learner = (of: Learning) => learnerBytes(recipe, shapes, model, of);
  const frozen = frozenBytes(model, learning.policy);
  const prompt = longestPrompt(shapes, model, 'tokens');
  const asker = frozen + askedBytes(model, 120, prompt + recipe.eval.max_tokens);
  const judges = [variant, ...baselines].some(asksForThinking);
  const judging = judges ? await judgingBytes(recipe, model, learning.trm) : 0;
  const { threads, ...engine } = recipe.engine;
  const alone = { ...recipe, engine: { ...engine, threads: CHAINS * threads } };
  const coldStart = recipe.model === null ? learnerBytes(alone, shapes, model, 'everything') : 0;
  const trm = judges && judge === 'trm' ? learner(learning.trm) : 0;
  const beside = baselines.length > 0 ? learner(learning.policy) : asker;
  return BASE + Math.max(coldStart, Math.max(trm, learner(learning.policy) + judging) + beside);
}

/** Bytes of the judge beside the policy: none where it is a server's or the oracle. */
async function judgingBytes({ judge, trm }: Recipe, model: Model, learning: Learning): Promise<number> {
  if (judge === 'trm') return trm.refresh ? modelBytes(model.config, learning) : frozenBytes(model, learning);
  if (typeof judge !== 'object' || 'url' in judge) return 0;
  const { config } = await readModelConfig(judge.model);
  return modelBytes(config, trm.refresh ? learning : 'nothing');
}

/** Bytes of a model that learns by reinforcement: its update, or its sampling, and the reference. */
function learnerBytes({ rl, engine }: Recipe, shapes: Shapes, model: Model, learning: Learning): number {
  const { config } = model;
  const longest = longestPrompt(shapes, model, 'tokens') + rl.max_tokens;
  const patches = longestPrompt(shapes, model, 'patches');
  const rows = rl.prompts * rl.samples;
  const lanes = lanesOf(config, learning, engine.threads);
  const tokens = Math.max(longest, Math.min(engine.token_budget, Math.ceil(rows / lanes) * longest));
  // responses to one question share its picture
  const pictures = Math.ceil(tokens / longest / rl.samples);
  const work = {
    tokens,
    longest,
    scored: Math.ceil((tokens / longest) * rl.max_tokens),
    patches: pictures * patches,
    largestPicture: patches,
  };
  // beyond this the engine computes activations twice
  const kept = activationBytes(config, work, learning) > keptBytes(lanes) ? 'layer inputs' : 'all';
  const pass = passBytes(config, work, learning, kept);
  const loaded = modelBytes(config, learning);
  const frozen = frozenBytes(model, learning);
  const trained = typeof learning === 'object' ? FLOAT * learning.adapter : frozen;
  // a lane has weights, gradient and activations of its own; the moments are shared
  const another = pass - loaded + frozen + trained;
  // a reference shares what is frozen in the policy too
  const reference = rl.kl_beta > 0 ? lanes * trained : 0;
  const update = pass + (lanes - 1) * another;
  return reference + Math.max(update, loaded + askedBytes(model, rows, longest));
}

/** Bytes of the weights, adapters included. */
function frozenBytes({ config }: Model, learning: Learning): number {
  const adapters = typeof learning === 'object' ? FLOAT * learning.adapter : 0;
  return modelBytes(config, 'nothing') + adapters;
}

/** Bytes of the cache of `rows` sequences, as far as they are written at once. */
function askedBytes({ config }: Model, rows: number, slots: number): number {
  return cacheBytes(config, Math.min(rows, ROWS_AT_ONCE), slots);
}

function longestPrompt({ questions }: Shapes, model: Model, of: 'tokens' | 'patches'): number {
  return questions.reduce((largest, prompt) => Math.max(largest, lengthOf(prompt, model)[of]), 0);
}

/** Bytes of one picture's patches: three float32 a pixel. */
function pictureBytes({ questions }: Shapes): number {
  for (const { chunks } of questions)
    for (const chunk of chunks) if ('image' in chunk) return chunk.image.width * chunk.image.height * 12;
  return 0;
}
