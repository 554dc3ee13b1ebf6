/** A model on this machine: parameters, packing and sessions; log-probabilities and gradients of packed batches. */
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import { parameters } from '../../models/qwen2-5-vl/parameters.ts';
import type { ProcessorConfig } from '../../models/qwen2-5-vl/processor.ts';
import type { LogprobOptions, Logprobs, Sequence } from '../types.ts';
import {
  addRows,
  newPacker,
  type PackedPictures,
  type Packer,
  packPictures,
  packText,
  type Row,
  requireTokens,
  rowOf,
  takeRows,
} from './batch.ts';
import { type Feeds, float, gradientOf, int64, newSessions, run, type Sessions } from './sessions.ts';
import { newStore, type ParameterStore, requireTrainable, view } from './store.ts';

export interface LocalModel {
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
  packer: Packer;
  store: ParameterStore;
  sessions: Sessions;
  /** Tokens computed at once; longer batches are cut into micro-batches. */
  tokenBudget: number;
}

export interface ModelOptions {
  provider: string;
  threads: number;
  trainable: boolean;
  tokenBudget: number;
}

/** A model with all parameters zero: fill `store.weights` next. */
export function newModel(
  config: Qwen25VlConfig,
  processor: ProcessorConfig,
  options: ModelOptions,
): LocalModel {
  const store = newStore(parameters(config), options.trainable);
  return {
    config,
    processor,
    packer: newPacker(config, processor),
    store,
    sessions: newSessions(config, store, options.provider, options.threads),
    tokenBudget: options.tokenBudget,
  };
}

/** log p of completion tokens; with `candidates` or `entropy`, those too. Sequences with an empty completion are an error. */
export async function logprobs(
  model: LocalModel,
  sequences: Sequence[],
  options: LogprobOptions,
): Promise<Logprobs[]> {
  const { temperature = 1, candidates: ids = [] } = options;
  if (!(temperature > 0)) throw new Error(`temperature ${temperature}: log p needs one above 0`);
  requireTokens(model.config, ids);
  const results: Logprobs[] = [];
  for (const batch of microBatches(model, sequences)) {
    const pass = await preparePass(model, batch);
    const feeds = {
      ...pass.feeds,
      inverseTemperature: float(new Float32Array([1 / temperature]), []),
    };
    const scored = await run(model.sessions, 'score', pass.variant, feeds);
    const perToken = split(scored.logprobs.data as Float32Array, pass.counts);
    const extra =
      options.candidates || options.entropy ? await candidates(model, pass, feeds, options) : null;
    results.push(...perToken.map((row, i) => ({ logprobs: row, ...extra?.[i] })));
  }
  return results;
}

async function candidates(model: LocalModel, pass: Pass, feeds: Feeds, options: LogprobOptions) {
  const ids = options.candidates ?? [0];
  const result = await run(model.sessions, 'candidates', pass.variant, {
    ...feeds,
    candidateIds: int64(ids),
  });
  const all = result.candidates.data as Float32Array;
  const entropy = split(result.entropy.data as Float32Array, pass.counts);
  let end = 0;
  return pass.counts.map((count, i) => {
    end += count;
    return {
      ...(options.candidates
        ? { candidates: [...all.subarray((end - 1) * ids.length, end * ids.length)] }
        : {}),
      ...(options.entropy ? { entropy: entropy[i] } : {}),
    };
  });
}

/**
 * Adds ∇ Σ weight·log p to the store's gradient, micro-batch after micro-batch in order; returns log p.
 * `weights`: one list a sequence, one number a completion token; anything else is an error.
 */
export async function backward(
  model: LocalModel,
  sequences: Sequence[],
  weights: number[][],
): Promise<number[][]> {
  requireTrainable(model.store);
  requireWeights(sequences, weights);
  const results: number[][] = [];
  for (const batch of microBatches(model, sequences)) {
    const pass = await preparePass(model, batch);
    const flat = weights.slice(results.length, results.length + batch.length).flat();
    const feeds = {
      ...pass.feeds,
      inverseTemperature: float(new Float32Array([1]), []),
      weights: float(Float32Array.from(flat), [flat.length]),
    };
    const out = await run(model.sessions, 'train', pass.variant, feeds);
    addGradients(model.store, out);
    await backwardRows(model, pass, out.rowsGrad.data as Float32Array);
    results.push(...split(out.logprobs.data as Float32Array, pass.counts));
  }
  return results;
}

function requireWeights(sequences: Sequence[], weights: number[][]): void {
  if (weights.length !== sequences.length)
    throw new Error(`${sequences.length} sequences, but weights for ${weights.length}`);
  sequences.forEach(({ completion }, i) => {
    if (weights[i].length !== completion.length)
      throw new Error(`sequence ${i}: ${completion.length} tokens, but ${weights[i].length} weights`);
  });
}

/** From the gradient of the decoder's input rows to that of the embeddings and, through the vision tower, of its parameters. */
async function backwardRows(model: LocalModel, pass: Pass, rowsGrad: Float32Array): Promise<void> {
  const { config, store } = model;
  const width = config.text.hidden;
  const isPicture = new Set(pass.text.featureAt);
  const tokens = Array.from(pass.text.ids.keys()).filter((i) => !isPicture.has(i));
  const embedding = view(store, store.grads, 'model.embed_tokens.weight');
  addRows(
    embedding,
    tokens.map((i) => pass.text.ids[i]),
    rowsGrad,
    tokens,
    width,
  );
  if (!pass.pictures) return;
  const featuresGrad = new Float32Array(pass.pictures.features * width);
  addRows(featuresGrad, pass.text.featureRow, rowsGrad, pass.text.featureAt, width);
  const feeds = {
    ...pass.pictures.feeds,
    featuresGrad: float(featuresGrad, [pass.pictures.features, width]),
  };
  const variant = { pictures: true, ragged: pass.pictures.ragged };
  addGradients(store, await run(model.sessions, 'visionGrad', variant, feeds));
}

function addGradients(store: ParameterStore, outputs: Record<string, { data: unknown }>): void {
  for (const [output, tensor] of Object.entries(outputs)) {
    const name = gradientOf(output);
    if (!name) continue;
    const into = view(store, store.grads, name);
    const grad = tensor.data as Float32Array;
    for (let i = 0; i < grad.length; i++) into[i] += grad[i];
  }
}

/** One forward pass' worth of sequences: packed text, pictures, and where the completion tokens stand. */
interface Pass {
  text: ReturnType<typeof packText>;
  pictures: PackedPictures | null;
  variant: { pictures: boolean; ragged: boolean };
  feeds: Feeds;
  /** Completion tokens of each sequence. */
  counts: number[];
}

async function preparePass(
  model: LocalModel,
  batch: { row: Row; completion: readonly number[] }[],
): Promise<Pass> {
  const rows = batch.map((b) => b.row);
  const pictures = packPictures(model.packer, rows);
  const text = packText(model.packer, rows, pictures, 1);
  const counts = batch.map((b) => b.completion.length);
  const targetAt = batch.flatMap(({ row, completion }, i) =>
    completion.map((_, k) => text.starts[i] + row.ids.length - completion.length + k - 1),
  );
  const feeds: Feeds = {
    ...text.feeds,
    ...(await featureFeeds(model, pictures, text.featureRow)),
    targetAt: int64(targetAt),
    targets: int64(batch.flatMap((b) => b.completion)),
  };
  return { text, pictures, variant: { pictures: pictures !== null, ragged: text.ragged }, feeds, counts };
}

/** The vision tower's features in the order in which `rows` uses them. */
export async function featureFeeds(
  model: LocalModel,
  pictures: PackedPictures | null,
  rows: number[],
): Promise<Feeds> {
  if (!pictures) return {};
  const width = model.config.text.hidden;
  const variant = { pictures: true, ragged: pictures.ragged };
  const { features } = await run(model.sessions, 'vision', variant, pictures.feeds);
  return { features: float(takeRows(features.data as Float32Array, rows, width), [rows.length, width]) };
}

/** Consecutive sequences whose tokens together stay within the budget (a longer one stands alone). */
function* microBatches(
  model: LocalModel,
  sequences: Sequence[],
): Generator<{ row: Row; completion: readonly number[] }[]> {
  let batch: { row: Row; completion: readonly number[] }[] = [];
  let tokens = 0;
  for (const { prompt, completion } of sequences) {
    if (completion.length === 0) throw new Error('a sequence without completion tokens cannot be scored');
    const row = rowOf(model.packer, prompt, completion);
    if (batch.length > 0 && tokens + row.ids.length > model.tokenBudget) {
      yield batch;
      batch = [];
      tokens = 0;
    }
    batch.push({ row, completion });
    tokens += row.ids.length;
  }
  if (batch.length > 0) yield batch;
}

function split(values: Float32Array, counts: readonly number[]): number[][] {
  let at = 0;
  return counts.map((count) => {
    at += count;
    return Array.from(values.subarray(at - count, at));
  });
}
