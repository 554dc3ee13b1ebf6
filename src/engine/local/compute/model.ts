/** A model on this machine: parameters, packing and sessions; log-probabilities and gradients of packed batches. */

import { loraParameters } from '../../../models/lora/parameters.ts';
import type { LoraLayer } from '../../../models/lora/targets.ts';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import { parameters } from '../../../models/qwen2-5-vl/parameters.ts';
import type { ProcessorConfig } from '../../../models/qwen2-5-vl/processor.ts';
import type { LogprobOptions, Logprobs, Sequence } from '../../types.ts';
import { onDevice } from '../on-device.ts';
import {
  type Group,
  newPacker,
  type Packed,
  type Packer,
  pack,
  promptRow,
  requireTokens,
  shareable,
} from './batch.ts';
import type { Caching } from './cache.ts';
import { deviceCaching } from './device/cache.ts';
import { devicePlace } from './device/place.ts';
import { hostCaching } from './host-cache.ts';
import { activationBytes, keptBytes } from './memory.ts';
import { hostPlace, type Place } from './place.ts';
import { type Feeds, float, gradientOf, int64, newSessions, run, type Sessions } from './sessions.ts';
import {
  newStore,
  newTrainingState,
  type ParameterStore,
  requireTrainable,
  type TrainingState,
} from './store.ts';

export interface LocalModel {
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
  packer: Packer;
  /** All parameters of the architecture. */
  base: ParameterStore;
  /** Low-rank adapters of these layers stand beside frozen parameters; null: none. */
  adapter: LoraLayer[] | null;
  /** With adapters: the folder of the checkpoint they belong to. */
  baseDir: string | null;
  /** What is trained, where anything is: the adapters' matrices if there are any, else `base`. */
  store: ParameterStore;
  /** Where the numbers of `base` and `store` are; the same place where these are the same. */
  places: { base: Place; store: Place };
  /** Where keys and values are while it samples. */
  caching: Caching;
  sessions: Sessions;
  /** Tokens computed at once; longer batches are cut into micro-batches. */
  tokenBudget: number;
  /** Bytes of activations that a backward pass may keep; beyond, layers are computed twice. */
  keep: number;
}

/** How a model is computed with. */
export interface Computing {
  provider: string;
  threads: number;
  trainable: boolean;
  tokenBudget: number;
}

export interface ModelOptions extends Computing {
  adapter?: LoraLayer[] | null;
  /** See `LocalModel`. */
  baseDir?: string | null;
  /** Frozen parameters to share with another model of this thread. */
  base?: Place;
  /** Where gradient and moments are kept, by default in memory of this thread's own. */
  training?: (size: number) => TrainingState;
  /** See `LocalModel`; by default a quarter of the machine's memory. */
  keep?: number;
}

/** A model with all parameters zero: fill `base.weights`, and with adapters `store.weights`, next, and let them settle. */
export function newModel(
  config: Qwen25VlConfig,
  processor: ProcessorConfig,
  options: ModelOptions,
): LocalModel {
  const { adapter = null, provider, threads, tokenBudget } = options;
  const training = options.trainable ? (options.training ?? newTrainingState) : null;
  const placed = onDevice(provider) ? devicePlace : hostPlace;
  const basePlace = options.base ?? placed(newStore(parameters(config), adapter ? null : training));
  const storePlace = adapter ? placed(newStore(loraParameters(adapter, config), training)) : basePlace;
  const places = { base: basePlace, store: storePlace };
  const base = basePlace.store;
  const store = storePlace.store;
  const all = adapter ? [basePlace, storePlace] : [basePlace];
  const blueprint = {
    config,
    shapes: new Map(all.flatMap((place) => place.store.parameters.map((p) => [p.name, p.shape] as const))),
    trained: new Set(training ? store.parameters.map((p) => p.name) : []),
    adapters: new Map((adapter ?? []).map(({ weight, scale }) => [weight.replace(/\.weight$/, ''), scale])),
  };
  return {
    config,
    processor,
    packer: newPacker(config, processor),
    base,
    adapter,
    baseDir: options.baseDir ?? null,
    store,
    places,
    caching: onDevice(provider) ? deviceCaching : hostCaching,
    sessions: newSessions(
      blueprint,
      all.map((place) => place.weights),
      provider,
      threads,
    ),
    tokenBudget,
    keep: options.keep ?? keptBytes(),
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
  for (const groups of microBatches(model, sequences)) {
    const pass = preparePass(model, groups, temperature);
    const scored = await run(model.sessions, 'score', pass.packed.variant, pass.feeds);
    const perToken = split(scored.logprobs.data as Float32Array, pass.counts);
    const extra = options.candidates || options.entropy ? await candidates(model, pass, options) : null;
    results.push(...perToken.map((row, i) => ({ logprobs: row, ...extra?.[i] })));
  }
  return results;
}

async function candidates(model: LocalModel, pass: Pass, options: LogprobOptions) {
  const ids = options.candidates ?? [0];
  const result = await run(model.sessions, 'candidates', pass.packed.variant, {
    ...pass.feeds,
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
  for (const groups of microBatches(model, sequences)) {
    const pass = preparePass(model, groups, 1);
    const flat = weights.slice(results.length, results.length + pass.counts.length).flat();
    const feeds = { ...pass.feeds, weights: float(Float32Array.from(flat), [flat.length]) };
    results.push(...split(await gradientPass(model, pass, feeds), pass.counts));
  }
  return results;
}

/** Runs the training graph and adds its gradients up; returns log p. */
async function gradientPass(model: LocalModel, { packed }: Pass, feeds: Feeds): Promise<Float32Array> {
  const { places, sessions } = model;
  const kept = activationBytes(model.config, packed.work, 'everything');
  const out = await run(sessions, 'train', { ...packed.variant, recompute: kept > model.keep }, feeds);
  const gradients = Object.entries(out).flatMap(([output, tensor]) => {
    const name = gradientOf(output);
    return name === null ? [] : [[name, tensor] as const];
  });
  await places.store.addGradients(new Map(gradients));
  if (out.tokensGrad) await addEmbeddings(places.store, packed, out.tokensGrad.data as Float32Array);
  return out.logprobs.data as Float32Array;
}

/** Adds the gradient of the embedded tokens to that of the embeddings, in order of the tokens. */
function addEmbeddings(place: Place, { ids, featureAt }: Packed, grad: Float32Array): Promise<void> {
  const isPicture = new Set(featureAt);
  const at = Array.from(ids.keys()).filter((i) => !isPicture.has(i));
  const rows = at.map((i) => ids[i]);
  return place.addGradientRows('model.embed_tokens.weight', rows, grad, at);
}

function requireWeights(sequences: Sequence[], weights: number[][]): void {
  if (weights.length !== sequences.length)
    throw new Error(`${sequences.length} sequences, but weights for ${weights.length}`);
  sequences.forEach(({ completion }, i) => {
    if (weights[i].length !== completion.length)
      throw new Error(`sequence ${i}: ${completion.length} tokens, but ${weights[i].length} weights`);
  });
}

/** One forward pass' worth of sequences. */
interface Pass {
  packed: Packed;
  feeds: Feeds;
  /** Completion tokens of each sequence. */
  counts: number[];
}

function preparePass(model: LocalModel, groups: readonly Group[], temperature: number): Pass {
  const packed = pack(model.packer, groups);
  const completions = groups.flatMap((g) => g.completions);
  const feeds: Feeds = {
    ...packed.feeds,
    inverseTemperature: float(new Float32Array([1 / temperature]), []),
    targets: int64(completions.flat()),
  };
  return { packed, feeds, counts: completions.map((c) => c.length) };
}

/** Attention pads sequences to the longest: with padding they may take so many times the budget. */
const MOST_PADDING = 4;

/**
 * Consecutive sequences whose tokens together stay within the budget (a longer one stands alone); those that follow one
 * another with the same prompt share it.
 */
function* microBatches(model: LocalModel, sequences: Sequence[]): Generator<Group[]> {
  let groups: Group[] = [];
  let tokens = 0;
  let rows = 0;
  let longest = 0;
  for (const { prompt, completion } of sequences) {
    if (completion.length === 0) throw new Error('a sequence without completion tokens cannot be scored');
    requireTokens(model.config, completion);
    const row = promptRow(model.packer, prompt, completion.length);
    const length = row.ids.length + completion.length;
    const sharing = () => groups.at(-1)?.row.key === row.key && shareable(row);
    const more = () => (sharing() ? completion.length : length);
    const padded = (rows + 1) * Math.max(longest, length);
    if (rows > 0 && (tokens + more() > model.tokenBudget || padded > MOST_PADDING * model.tokenBudget)) {
      yield groups;
      groups = [];
      tokens = rows = longest = 0;
    }
    tokens += more();
    if (sharing()) groups.at(-1)!.completions.push(completion);
    else groups.push({ row, completions: [completion] });
    rows++;
    longest = Math.max(longest, length);
  }
  if (groups.length > 0) yield groups;
}

function split(values: Float32Array, counts: readonly number[]): number[][] {
  let at = 0;
  return counts.map((count) => {
    at += count;
    return Array.from(values.subarray(at - count, at));
  });
}
