/**
 * Times a whole GRPO step on the local engine: 8 prompts with a picture each × 8 samples of 64 new tokens, a trivial
 * reward, advantages, one update on all 64. The shapes are those of peers/trl_grpo.py; each step has new pictures.
 *
 *     npx tsx bench/grpo.ts XS [--threads 2] [--provider cpu] [--reps 5] [--prompt 58] [--only step,watch]
 *
 * Prints one JSON object; `detail` splits the fastest step into its phases. `watch` says where a step's time goes
 * between threads (see watch.ts).
 */
import { parseArgs } from 'node:util';
import type { Prompt } from '../src/engine/types.ts';
import { groupAdvantages, scalings } from '../src/trust/advantage.ts';
import { policyWeights } from '../src/trust/loss.ts';
import { withFreshPictures } from './fresh.ts';
import { OPTIONS, randomEngine } from './program.ts';
import { batchOf, SHAPES, type ShapeName } from './shapes.ts';
import { runSide } from './side.ts';
import { watched } from './watch.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...OPTIONS,
    only: { type: 'string', default: 'step' },
    // what TRL's chat template and tokenizer make of its question, 16 tokens of the picture included
    prompt: { type: 'string', default: '58' },
  },
});
const PROMPTS = 8;
const SAMPLES = 8;
const NEW_TOKENS = 64;
const name = (positionals[0] ?? 'XS') as ShapeName;
const shape = { ...SHAPES[name], rows: PROMPTS, prompt: Number(values.prompt), completion: NEW_TOKENS };
const threads = Number(values.threads);
const { engine, nextRound } = withFreshPictures(await randomEngine(shape, values));
const { prompts }: { prompts: Prompt[] } = batchOf(shape);
const optimizer = {
  learningRate: 1e-5,
  betas: [0.9, 0.999] as [number, number],
  eps: 1e-8,
  weightDecay: 0,
  maxGradNorm: 1,
};
let steps = 0;

/** How many different tokens there are. */
const reward = (tokens: number[]) => new Set(tokens).size;

async function step(): Promise<Record<string, number>> {
  nextRound();
  const seconds: Record<string, number> = {};
  let last = performance.now();
  const ended = (phase: string) => {
    const now = performance.now();
    seconds[phase] = (now - last) / 1000;
    last = now;
  };
  const sampled = await engine.sample(prompts, {
    samples: SAMPLES,
    maxTokens: NEW_TOKENS,
    temperature: 1,
    seed: ++steps,
    stop: [],
  });
  ended('sample_s');

  const rows = sampled.flatMap((group, p) => {
    const rewards = group.map(({ tokens }) => reward(tokens));
    const advantages = groupAdvantages(rewards, scalings.paper, { scale: 1, floor: 0 });
    return group.map((sample, i) => ({ prompt: prompts[p], sample, advantage: advantages[i] }));
  });
  const logp = rows.map(({ sample }) => sample.logprobs);
  const { weights } = policyWeights({
    logp,
    oldLogp: logp,
    refLogp: null,
    advantages: rows.map((row) => row.advantage),
    clipLow: 0.2,
    clipHigh: 0.2,
    klBeta: 0,
    aggregation: 'token_mean',
  });
  ended('rewards_s');

  await engine.backward(
    rows.map(({ prompt, sample }) => ({ prompt, completion: sample.tokens })),
    weights,
  );
  ended('backward_s');
  await engine.step(optimizer);
  ended('optimizer_s');
  return { ...seconds, update_s: seconds.backward_s + seconds.optimizer_s };
}

await runSide(
  {
    facts: { name, threads, parameters: engine.capabilities.parameters, prompt_tokens: shape.prompt },
    parts: { step, watch: () => watched(step) },
    tokens: { step: PROMPTS * SAMPLES * NEW_TOKENS },
    close: () => engine.dispose(),
  },
  { serve: values.serve, reps: Number(values.reps), only: values.only.split(',') },
);
