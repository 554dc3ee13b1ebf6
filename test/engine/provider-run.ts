/**
 * What an engine on one provider computes, for comparison with another's: a process of its own, since a driver is chosen
 * before the runtime starts and may keep the process alive.
 *
 *     node --import tsx provider-run.ts PROVIDER FOLDER     prints one JSON line, a `ProviderRun`; leaves checkpoints in FOLDER
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openModel } from '../../src/engine/local/files/folder.ts';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import type { Engine, Logprobs, Sample, StepResult } from '../../src/engine/types.ts';
import { GOLDEN_MODEL, goldenCase, goldenStep } from './golden-cases.ts';

const ADAPTER = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/adapter', import.meta.url));
const [provider, folder] = process.argv.slice(2);
const computing = { provider, threads: 2, trainable: true };
const source = { dir: GOLDEN_MODEL };

const tokenBudget = 1e5;
const batch = (await goldenCase('batch')).sequences;
// a software driver takes long: two rows, one of them with a picture
const sequences = [batch[0], batch[3]];
const prompts = sequences.map(({ prompt }) => prompt);
const weights = sequences.map(({ completion }) => completion.map((_, i) => Math.sin(i + 1) / 10));
const greedy = { samples: 1, maxTokens: 24, temperature: 0, seed: 0, stop: [] };
// rows end one by one, so that the cache shrinks, and some outgrow its first slots
const stop = Array.from({ length: 50 }, (_, i) => 12 * i);
const drawn = { samples: 4, maxTokens: 20, temperature: 1, seed: 3, stop };

async function whole(engine: Engine) {
  const score = async () => (await engine.logprobs(sequences)).map((s) => s.logprobs);
  const scored = await engine.logprobs(sequences, { temperature: 0.7, candidates: [5, 9], entropy: true });
  const written = await engine.sample(prompts, greedy);
  const sampled = await engine.sample(prompts, drawn);
  const reference = await engine.reference();
  const losses: number[][][] = [];
  const steps: StepResult[] = [];
  for (let k = 0; k < 3; k++) {
    losses.push(await engine.backward(sequences, weights));
    steps.push(await engine.step(goldenStep));
  }
  const checkpoint = join(folder, 'trained');
  await engine.save(checkpoint, { optimizer: true });
  const goOn = async () => [
    await engine.backward(sequences, weights),
    await engine.step(goldenStep),
    await score(),
  ];
  const continued = [await goOn()];
  await engine.load(checkpoint, { optimizer: true });
  continued.push(await goOn());
  const untouched = (await reference.logprobs(sequences)).map((s) => s.logprobs);
  await reference.dispose();

  await engine.load(GOLDEN_MODEL);
  await engine.backward(
    sequences,
    weights.map((row) => row.map(() => Number.NaN)),
  );
  const dropped = await engine.step(goldenStep);
  // with no clipping, the first moment of the first step is a tenth of the gradient
  await engine.backward(sequences, weights);
  await engine.backward(
    sequences,
    weights.map((row) => row.map((w) => 1 - w)),
  );
  await engine.step({ ...goldenStep, maxGradNorm: 0 });
  await engine.save(join(folder, 'first-step'), { optimizer: true });
  return { scored, written, sampled, losses, steps, continued, untouched, dropped };
}

async function adapted() {
  const engine = await createLocalEngine({ ...computing, source, adapter: { dir: ADAPTER }, tokenBudget });
  const reference = await engine.reference();
  await engine.backward(sequences, weights);
  const { gradNorm } = await engine.step(goldenStep);
  const after = (await engine.logprobs(sequences)).map((s) => s.logprobs);
  const before = (await reference.logprobs(sequences)).map((s) => s.logprobs);
  await engine.dispose();
  return { gradNorm, before, after };
}

/** A second engine at work beside the first, as the two chains of a run have them; it goes before the first. */
async function beside(first: Engine) {
  const second = await createLocalEngine({ ...computing, trainable: false, source, tokenBudget });
  const score = async (engine: Engine) => (await engine.logprobs(sequences)).map((s) => s.logprobs);
  await first.load(GOLDEN_MODEL);
  const together = await Promise.all([score(first), score(second)]);
  await second.dispose();
  return [...together, await score(first)];
}

export interface ProviderRun {
  scored: Logprobs[];
  written: Sample[][];
  sampled: Sample[][];
  losses: number[][][];
  steps: StepResult[];
  untouched: number[][];
  dropped: StepResult;
  continued: unknown[];
  adapted: { gradNorm: number; before: number[][]; after: number[][] };
  beside: number[][][];
  lanes: number;
}

const engine = await createLocalEngine({ ...computing, source, tokenBudget });
const all: ProviderRun = {
  ...(await whole(engine)),
  adapted: await adapted(),
  beside: await beside(engine),
  lanes: (await openModel(source, null, { ...computing, tokenBudget })).lanes,
};
process.stdout.write(`${JSON.stringify(all)}\n`, () => process.exit(0));
