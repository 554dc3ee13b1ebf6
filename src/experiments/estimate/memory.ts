/** Bytes that a run needs at its widest, when the main variant and a baseline are trained side by side. */
import { readModelConfig } from '../../engine/local/checkpoint.ts';
import { asksForThinking } from '../../train/trust-grpo.ts';
import type { Recipe } from '../recipe.ts';
import { cacheBytes, lengthOf, type Model, modelBytes, passBytes } from './counted.ts';
import type { Shapes } from './shapes.ts';

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

/** For a large one, from its configuration. */
export async function countedMemory(recipe: Recipe, shapes: Shapes, model: Model): Promise<number> {
  const { rl, engine, eval: evaluation, judge } = recipe;
  const lengths = shapes.questions.map((prompt) => lengthOf(prompt, model).tokens);
  const prompt = lengths.reduce((most, length) => Math.max(most, length), 0);
  const longest = prompt + rl.max_tokens;
  const tokens = Math.max(longest, Math.min(engine.token_budget, rl.prompts * rl.samples * longest));
  const predicted = Math.ceil((tokens / longest) * rl.max_tokens);
  const reference = rl.kl_beta > 0 ? modelBytes(model, false) : 0;
  const learner =
    modelBytes(model, true) +
    reference +
    Math.max(
      passBytes(model, tokens, longest, predicted),
      cacheBytes(model, rl.prompts * rl.samples, longest),
    );
  const asker = modelBytes(model, false) + cacheBytes(model, 120, prompt + evaluation.max_tokens);
  const judges = [recipe.variant, ...recipe.baselines].some(asksForThinking);
  const judging = !judges
    ? 0
    : typeof judge === 'object'
      ? modelBytes(await readModelConfig(judge.model), false)
      : judge === 'trm'
        ? modelBytes(model, false)
        : 0;
  return BASE + learner + judging + (recipe.baselines.length > 0 ? learner : asker);
}

/** Bytes of one picture's patches: three float32 a pixel. */
function pictureBytes({ questions }: Shapes): number {
  for (const { chunks } of questions)
    for (const chunk of chunks) if ('image' in chunk) return chunk.image.width * chunk.image.height * 12;
  return 0;
}
