/** Bytes that a run needs at its widest, when the main variant and a baseline are trained side by side. */
import { readModelConfig } from '../../engine/local/checkpoint.ts';
import { cacheBytes, modelBytes, passBytes } from '../../engine/local/memory.ts';
import { asksForThinking } from '../../train/trust-grpo.ts';
import type { Recipe } from '../recipe.ts';
import { lengthOf, type Model, ROWS_AT_ONCE } from './counted.ts';
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
  const { config } = model;
  const most = (of: 'tokens' | 'patches') =>
    shapes.questions.reduce((largest, prompt) => Math.max(largest, lengthOf(prompt, model)[of]), 0);
  const prompt = most('tokens');
  const longest = prompt + rl.max_tokens;
  const rows = rl.prompts * rl.samples;
  const tokens = Math.max(longest, Math.min(engine.token_budget, rows * longest));
  // responses to one question share its picture
  const pictures = Math.ceil(tokens / longest / rl.samples);
  const work = {
    tokens,
    longest,
    scored: Math.ceil((tokens / longest) * rl.max_tokens),
    patches: pictures * most('patches'),
    largestPicture: most('patches'),
  };
  const cache = (asked: number, slots: number) => cacheBytes(config, Math.min(asked, ROWS_AT_ONCE), slots);
  const loaded = modelBytes(config, 'everything');
  const frozen = modelBytes(config, 'nothing');
  const reference = rl.kl_beta > 0 ? frozen : 0;
  const learner = reference + Math.max(passBytes(config, work, 'everything'), loaded + cache(rows, longest));
  const asker = frozen + cache(120, prompt + evaluation.max_tokens);
  const judges = [recipe.variant, ...recipe.baselines].some(asksForThinking);
  const judging = !judges
    ? 0
    : typeof judge === 'object'
      ? modelBytes((await readModelConfig(judge.model)).config, 'nothing')
      : judge === 'trm'
        ? frozen
        : 0;
  return BASE + learner + judging + (recipe.baselines.length > 0 ? learner : asker);
}

/** Bytes of one picture's patches: three float32 a pixel. */
function pictureBytes({ questions }: Shapes): number {
  for (const { chunks } of questions)
    for (const chunk of chunks) if ('image' in chunk) return chunk.image.width * chunk.image.height * 12;
  return 0;
}
