/**
 * Times the quickstart's own stages on the local engine: a cold-start step on each kind of lesson, a step of the TRM, a
 * step of Trust-GRPO (sampling, judging, update), the evaluation of 120 questions. Model, batches and limits are the
 * default recipe's; every response is as long as allowed, so that the work is always the same. What a stage does around
 * the engine counts too: reading pictures, rendering chats, rewards, advantages; a training batch is made ready while
 * the engine is at work on the one before, as in training.
 *
 *     npx tsx bench/world.ts [--threads 1] [--reps 5] [--only captions,lookups,listings,mixed,trm,rl,evaluate,watch]
 *
 * Prints one JSON object; `detail` splits the fastest RL step into its phases. `watch` says where an RL step's time goes
 * between threads (see watch.ts). `--batches FILE` writes the batches as peers/world_stages.py reads them.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { recordPrompt } from '../src/data/chat/prompting.ts';
import { createLocalEngine } from '../src/engine/local/index.ts';
import { predict } from '../src/eval/predict.ts';
import type { Recipe } from '../src/experiments/recipe.ts';
import { readRecipe } from '../src/experiments/recipe-file.ts';
import { outcomeReward } from '../src/rewards/outcome.ts';
import { stepOptions } from '../src/train/optimizer.ts';
import type { Example } from '../src/train/sft.ts';
import { checkpointJudge } from '../src/trm/checkpoint-judge.ts';
import { judgeConfigOf } from '../src/trm/judge-config.ts';
import { trustGroup } from '../src/trust/group.ts';
import { policyWeights } from '../src/trust/loss.ts';
import { withFreshPictures } from './fresh.ts';
import { runSide } from './side.ts';
import { watched } from './watch.ts';
import { QUESTIONS, worldBatches, writePlain } from './world-batches.ts';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    provider: { type: 'string', default: 'cpu' },
    reps: { type: 'string', default: '5' },
    only: { type: 'string', default: 'captions,lookups,listings,mixed,trm,rl,evaluate' },
    batches: { type: 'string' },
    serve: { type: 'boolean', default: false },
  },
});
const recipe: Recipe = await readRecipe(null, []);
const threads = Number(values.threads);
const dir = await mkdtemp(join(tmpdir(), 'sophia-bench-'));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    rmSync(dir, { recursive: true, force: true });
    process.exit(1);
  });
const made = await worldBatches(recipe, dir);
const { chat, lessons, asked, response } = made;
if (values.batches) await writePlain(values.batches, made);

const start = (trainable: boolean) =>
  createLocalEngine({
    source: { dir: made.model },
    trainable,
    provider: values.provider,
    threads,
    tokenBudget: recipe.engine.token_budget,
  });
const policy = withFreshPictures(await start(true));
const frozen = withFreshPictures(await start(false));
const judge = checkpointJudge({
  engine: frozen.engine,
  chat,
  config: judgeConfigOf(chat, recipe.data.template),
});
const adamW = stepOptions(recipe.cold_start.optimizer, 1, 1000);

/** The next batch is read while this one is computed; what is left of reading it then counts. */
function trainingStep(make: () => Promise<Example[]>): () => Promise<Record<string, number>> {
  let next: Promise<Example[]> | null = null;
  return async () => {
    policy.nextRound();
    const batch = await (next ?? make());
    next = make();
    const mass = batch.reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0);
    const started = performance.now();
    await policy.engine.backward(
      batch.map(({ prompt, tokens }) => ({ prompt, completion: tokens })),
      batch.map(({ weights }) => weights.map((w) => w / mass)),
    );
    await policy.engine.step(adamW);
    const computed = performance.now();
    await next;
    const ended = performance.now();
    return { engine_s: (computed - started) / 1000, waiting_s: (ended - computed) / 1000 };
  };
}

let rlSteps = 0;
/** As train/trust-grpo.ts has it, but that nothing ends early and every response counts. */
async function rlStep(): Promise<Record<string, number>> {
  policy.nextRound();
  frozen.nextRound();
  const { samples, temperature, top_p: topP, max_tokens: maxTokens, alpha, aggregation } = recipe.rl;
  const started = performance.now();
  const prompts = await Promise.all(asked.map((record) => recordPrompt(chat, record, recipe.data.template)));
  const sampled = await policy.engine.sample(prompts, {
    samples,
    temperature,
    topP,
    maxTokens,
    seed: ++rlSteps,
    stop: [],
  });
  for (const [p, group] of sampled.entries()) {
    const { problem_type: problemType, solution } = asked[p];
    for (const { tokens } of group)
      outcomeReward({ problemType, response: chat.tokenizer.decode(tokens), solution });
  }
  const sampledAt = performance.now();

  const scores = await judge.score(
    asked.flatMap((record) => Array.from({ length: samples }, () => ({ record, response }))),
  );
  const advantages = sampled.flatMap((group, p) => {
    const outcome = group.map((_, i) => i % 2);
    const thinking = group.map((_, i) => scores[p * samples + i].score);
    return trustGroup({ outcome, thinking, step: 0, totalSteps: recipe.rl.steps, alpha }).advantage;
  });
  const judgedAt = performance.now();

  const rows = sampled.flatMap((group, p) => group.map((sample) => ({ prompt: prompts[p], sample })));
  const logp = rows.map(({ sample }) => sample.logprobs);
  const { weights } = policyWeights({
    logp,
    oldLogp: logp,
    refLogp: null,
    advantages,
    clipLow: recipe.rl.clip_low,
    clipHigh: recipe.rl.clip_high,
    klBeta: 0,
    aggregation,
    maxTokens,
  });
  await policy.engine.backward(
    rows.map(({ prompt, sample }) => ({ prompt, completion: sample.tokens })),
    weights,
  );
  await policy.engine.step(stepOptions(recipe.rl.optimizer, 1, recipe.rl.steps));
  const ended = performance.now();
  return {
    sample_s: (sampledAt - started) / 1000,
    judge_s: (judgedAt - sampledAt) / 1000,
    update_s: (ended - judgedAt) / 1000,
  };
}

/** No token ends a response. */
const endless = { ...chat, tokenizer: { ...chat.tokenizer, stop: [] } };

async function evaluate(): Promise<void> {
  frozen.nextRound();
  await predict(
    { ...made.evaluation, length: QUESTIONS },
    {
      engine: frozen.engine,
      chat: endless,
      template: recipe.data.template,
      maxTokens: recipe.eval.max_tokens,
      temperature: 0,
      seed: 0,
    },
  );
}

try {
  await runSide(
    {
      facts: {
        name: recipe.name,
        threads,
        parameters: policy.engine.capabilities.parameters,
        shares: made.shares,
        questions: QUESTIONS,
      },
      parts: {
        captions: trainingStep(lessons.captions),
        lookups: trainingStep(lessons.lookups),
        listings: trainingStep(lessons.listings),
        mixed: trainingStep(lessons.mixed),
        trm: trainingStep(lessons.trm),
        rl: rlStep,
        evaluate,
        watch: () => watched(rlStep),
      },
      repeat: { captions: 8, lookups: 8, listings: 8, mixed: 8, trm: 8 },
      close: async () => {
        await policy.engine.dispose();
        await frozen.engine.dispose();
      },
    },
    { serve: values.serve, reps: Number(values.reps), only: values.only.split(',') },
  );
} finally {
  await rm(dir, { recursive: true, force: true });
}
