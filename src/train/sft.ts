/**
 * Supervised fine-tuning: maximises the weighted mean log-likelihood of completions,
 *
 *     L = −Σ w·log p / Σ w      over the completion tokens of a batch.
 *
 * Trains the cold start (captions, look-ups, reasoning traces in a cycle of kinds) and the Thinking Reward Model
 * (one kind: a judge's prompt and the score to emit).
 */
import { readSftMetrics } from '../data/run-files.ts';
import type { SftMetrics } from '../data/run-folder.ts';
import type { Engine, Prompt, StepOptions, StepResult } from '../engine/types.ts';
import { badRowCount, leftOutBefore } from './bad-rows.ts';
import { type OptimizerSettings, stepOptions } from './optimizer.ts';
import { endStep, resumeStage, type Stage, skipCounter } from './stage.ts';

export interface Example {
  prompt: Prompt;
  tokens: number[];
  /** How much each token counts in the loss. */
  weights: number[];
}

/**
 * Batch k (0, 1, …) of one kind of example; a pure function of k, never empty. Examples that cannot be made are left out,
 * and `leaveOut` told of each; without it they are an error.
 */
export type BatchSource = (k: number, leaveOut?: (error: unknown) => void) => Promise<Example[]>;

/** `steps` steps whose kinds follow `cycle`, again and again. */
export interface Phase {
  steps: number;
  cycle: string[];
}

export interface SftOptions {
  engine: Engine;
  sources: Record<string, BatchSource>;
  phases: Phase[];
  optimizer: OptimizerSettings;
  stage: Stage;
  /** Share of the examples that may turn out to be unusable, 0…1, and how many there are; by default none may. */
  maxBad?: { share: number; rows: number; batch: number };
  /** Puts what else belongs to the model into a checkpoint's folder. */
  also?: (checkpoint: string) => Promise<void>;
}

/** Trains until the last step; resumes where checkpoints are. */
export async function trainSft({
  engine,
  sources,
  phases,
  optimizer,
  stage,
  maxBad = { share: 0, rows: 0, batch: 1 },
  also,
}: SftOptions): Promise<void> {
  const plan = planOf(phases);
  const done = await resumeStage(stage, engine);
  const noteSkipped = skipCounter(stage);
  const losses: Record<string, number> = {};
  const before = done > 0 ? leftOutBefore(await readSftMetrics(stage.dir)) : 0;
  const { share, rows, batch: asked } = maxBad;
  const bad = badRowCount(stage, { maxBad: share, rows, asked, before });
  const batchOf = async (step: number) => {
    const left: unknown[] = [];
    const { kind, k } = plan[step - 1];
    const batch = await sources[kind](k, (error) => left.push(error));
    return { batch, left };
  };
  // the next batch is read and decoded while the engine is at work on this one
  let next = done < plan.length ? batchOf(done + 1) : null;

  for (let step = done + 1; step <= plan.length; step++) {
    const started = performance.now();
    const { batch, left } = await next!;
    for (const error of left) bad.note(error, step);
    next = step < plan.length ? batchOf(step + 1) : null;
    next?.catch(() => {}); // reported when it is awaited
    const computing = performance.now();
    const options = stepOptions(optimizer, step, plan.length);
    const { loss, gradNorm, applied } = await sftStep(engine, batch, options);
    noteSkipped(step, applied);

    const { kind } = plan[step - 1];
    losses[kind] = losses[kind] === undefined ? loss : 0.9 * losses[kind] + 0.1 * loss;
    const ended = performance.now();
    const row: SftMetrics = {
      step,
      learning_rate: options.learningRate,
      loss: finite(loss),
      by_kind: { [kind]: finite(loss) },
      tokens: batch.reduce((sum, example) => sum + example.weights.filter((w) => w > 0).length, 0),
      bad_rows: bad.take(),
      grad_norm: finite(gradNorm),
      applied,
      time: { update_s: seconds(ended - computing), total_s: seconds(ended - started) },
    };
    stage.progress(step, losses);
    await endStep(stage, engine, row, step, also);
  }
}

/** One update on a batch. `loss`: nats a trained token, before the update. */
export async function sftStep(
  engine: Engine,
  batch: readonly Example[],
  options: StepOptions,
): Promise<StepResult & { loss: number }> {
  const mass = batch.reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0);
  const sequences = batch.map(({ prompt, tokens }) => ({ prompt, completion: tokens }));
  const weights = batch.map((example) => example.weights.map((w) => w / mass));
  const logprobs = await engine.backward(sequences, weights);
  const likelihood = (row: number[], i: number) => row.reduce((sum, lp, t) => sum + weights[i][t] * lp, 0);
  const loss = -logprobs.reduce((sum, row, i) => sum + likelihood(row, i), 0);
  return { ...(await engine.step(options)), loss };
}

/** The kind of each step, and how many batches of that kind came before. */
export function planOf(phases: readonly Phase[]): { kind: string; k: number }[] {
  const counts: Record<string, number> = {};
  return phases.flatMap(({ steps, cycle }) =>
    Array.from({ length: steps }, (_, i) => {
      const kind = cycle[i % cycle.length];
      const k = counts[kind] ?? 0;
      counts[kind] = k + 1;
      return { kind, k };
    }),
  );
}

/** JSON has no NaN. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
