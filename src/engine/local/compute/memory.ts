/**
 * Bytes the local engine takes, counted from a model's configuration: what stays (weights, and what learning adds to
 * them), and what one call adds (activations, logits, key/value cache). Everything is float32. The counts follow the
 * graphs in `models/qwen2-5-vl/`; what is not counted are Node itself and the runtime's scratch memory for a product.
 */
import { InputError } from '../../../errors.ts';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import { parameters } from '../../../models/qwen2-5-vl/parameters.ts';
import { elements } from '../../../models/safetensors.ts';
import { memory as machineMemory } from '../doctor/hardware.ts';

/** What is trained: nothing, every parameter, or so many parameters of an adapter on frozen weights. */
export type Learning = 'nothing' | 'everything' | { adapter: number };

/** One micro-batch. Where sequences differ in length, count the padding that attention adds to them. */
export interface Work {
  /** Tokens of all sequences together, and of the longest. */
  tokens: number;
  longest: number;
  /** Tokens whose log-probability is wanted. */
  scored: number;
  /** Patches of all pictures together, and of the largest; none by default. */
  patches?: number;
  largestPicture?: number;
}

/** What a backward pass finds again: all activations, or each layer's input, from which the rest is computed again. */
export type Kept = 'all' | 'layer inputs';

/** All lanes of a model together may keep the machine's memory divided by this, for activations. */
const KEPT_SHARE = 4;

const FLOAT = 4;
/** Node's typed arrays have at most 2³² elements, and all weights stand in one. */
const MOST_PARAMETERS = 2 ** 32;

export function parameterCount(config: Qwen25VlConfig): number {
  return parameters(config).reduce((sum, { shape }) => sum + elements(shape), 0);
}

/**
 * Bytes of a loaded model: weights, and for each parameter that learns its gradient and AdamW's two moments (for an
 * adapter its own weights too). `weightBytes`: bytes a number of weights that do not learn.
 */
export function modelBytes(config: Qwen25VlConfig, learning: Learning, weightBytes = FLOAT): number {
  const count = parameterCount(config);
  if (learning === 'nothing') return weightBytes * count;
  if (learning === 'everything') return 4 * FLOAT * count;
  return weightBytes * count + 4 * FLOAT * learning.adapter;
}

/** Bytes of the keys and values of `rows` sequences with room for `slots` tokens each. */
export function cacheBytes({ text }: Qwen25VlConfig, rows: number, slots: number): number {
  return FLOAT * rows * slots * text.layers * 2 * text.kvHeads * text.headDim;
}

/** Bytes of the logits of `scored` tokens: with their softmax; learning, also the gradients of both. */
export function logitBytes({ text }: Qwen25VlConfig, scored: number, learning: Learning): number {
  return FLOAT * (learning === 'nothing' ? 2 : 4) * scored * text.vocabulary;
}

/**
 * Numbers that one decoder layer keeps for its backward pass, a token: its input, normalised, rotated queries, keys,
 * values, attention probabilities, mixed values; the stream after attention, normalised, gate, its sigmoid, its SiLU,
 * up, gate times up.
 */
export function layerNumbers({ text }: Qwen25VlConfig, longest: number): number {
  const { hidden, heads, kvHeads, headDim, intermediate } = text;
  return 4 * hidden + 2 * heads * headDim + 2 * kvHeads * headDim + heads * longest + 5 * intermediate;
}

/** The same of one block of the vision tower, a patch; a group is what the block attends over (a window, a picture). */
export function blockNumbers({ vision }: Qwen25VlConfig, group: number): number {
  const { hidden, heads, intermediate } = vision;
  return 8 * hidden + heads * group + 5 * intermediate;
}

/** Bytes between the layers of both towers. Where nothing learns, those of the widest layer; else what is kept, and one layer's gradients. */
export function activationBytes(
  config: Qwen25VlConfig,
  { tokens, longest, patches = 0, largestPicture = patches }: Work,
  learning: Learning,
  kept: Kept = 'all',
): number {
  const { text, vision } = config;
  const window = Math.floor(vision.window / vision.patch) ** 2;
  const blocks = Array.from({ length: vision.depth }, (_, block) =>
    blockNumbers(config, vision.fullAttentionBlocks.includes(block) ? largestPicture : window),
  );
  const layers = Array<number>(text.layers).fill(layerNumbers(config, longest));
  const towerNumbers = (widths: number[], hidden: number) => {
    const widest = Math.max(...widths);
    if (learning === 'nothing') return hidden + widest;
    if (kept === 'layer inputs') return widths.length * hidden + 2 * widest;
    return widths.reduce((a, b) => a + b, 0) + widest;
  };
  const patchNumbers = vision.inChannels * vision.patch ** 2;
  return (
    FLOAT *
    (tokens * towerNumbers(layers, text.hidden) +
      patches * (patchNumbers + towerNumbers(blocks, vision.hidden)))
  );
}

/** Bytes of a model and one pass over `work`. Learning, the runtime hands out the gradient of each micro-batch by itself. */
export function passBytes(
  config: Qwen25VlConfig,
  work: Work,
  learning: Learning,
  kept: Kept = 'all',
  weightBytes = FLOAT,
): number {
  const count = learning === 'everything' ? parameterCount(config) : 0;
  const gradient = FLOAT * (typeof learning === 'object' ? learning.adapter : count);
  return (
    modelBytes(config, learning, weightBytes) +
    gradient +
    activationBytes(config, work, learning, kept) +
    logitBytes(config, work.scored, learning)
  );
}

/** Bytes the machine (or its container) has, and bytes that programs may still take. */
export interface Memory {
  total: number;
  available: number;
}

/** Bytes of activations that each of a model's lanes may keep; beyond, layers are computed twice. */
export function keptBytes(lanes = 1): number {
  return machineMemory().total / KEPT_SHARE / lanes;
}

/** Throws InputError where `bytes` are not free: what needs them, how many there are, and what to do. */
export function requireMemory(what: string, bytes: number, advice: string, memory = machineMemory()): void {
  if (bytes <= memory.available) return;
  throw new InputError(
    `${what} takes about ${gibibytes(bytes)} GiB of memory, but ${gibibytes(memory.available)} of this machine's ${gibibytes(memory.total)} GiB are free; ${advice}`,
  );
}

/** Throws InputError where a model cannot be loaded here; `what` names it, e.g. by its folder. */
export function requireLoadable(
  what: string,
  config: Qwen25VlConfig,
  learning: Learning,
  memory = machineMemory(),
): void {
  const count = parameterCount(config);
  if (count > MOST_PARAMETERS)
    throw new InputError(
      `${what} has ${billions(count)} billion parameters; this engine takes ${billions(MOST_PARAMETERS)} billion at most, use a smaller model`,
    );
  const bytes = modelBytes(config, learning);
  const frozen = modelBytes(config, 'nothing');
  const advice =
    bytes <= memory.total
      ? 'close other programs'
      : learning === 'everything' && frozen < memory.available
        ? `train an adapter (LoRA) on its frozen weights, which take ${gibibytes(frozen)} GiB`
        : 'use a smaller model or a machine with more memory';
  requireMemory(`${what} with ${billions(count)} billion parameters`, bytes, advice, memory);
}

/** Throws InputError where an update over such micro-batches does not fit; says the first of these that would help: fewer tokens at once, recomputed activations, an adapter. */
export function requireTraining(
  what: string,
  config: Qwen25VlConfig,
  work: Work,
  learning: Learning,
  kept: Kept = 'all',
  memory = machineMemory(),
): void {
  const needed = (less: Work, of: Learning, keeping: Kept) => passBytes(config, less, of, keeping);
  const bytes = needed(work, learning, kept);
  if (bytes <= memory.available) return;
  const one = portion(work, work.longest / work.tokens);
  const small: Learning = { adapter: 0 };
  const advice = (): string => {
    if (needed(one, learning, kept) <= memory.available) {
      const fixed = needed(portion(work, 0), learning, kept);
      const share = (memory.available - fixed) / (bytes - fixed);
      return `lower engine.token_budget to ${Math.floor(share * work.tokens)}`;
    }
    if (needed(one, learning, 'layer inputs') <= memory.available) return 'recompute the activations';
    if (learning === 'everything' && needed(one, small, 'layer inputs') <= memory.available)
      return 'train an adapter (LoRA) instead of all parameters';
    return 'use a smaller model, shorter sequences or a machine with more memory';
  };
  requireMemory(what, bytes, advice(), memory);
}

/** A share of the sequences of a micro-batch. */
function portion(work: Work, share: number): Work {
  const { tokens, scored, patches = 0 } = work;
  return { ...work, tokens: tokens * share, scored: scored * share, patches: patches * share };
}

function gibibytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

function billions(count: number): string {
  return (count / 1e9).toFixed(1);
}
