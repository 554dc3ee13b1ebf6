/**
 * The graphs the local engine runs, as ONNX models with the names of what they are fed and return.
 *
 *   features   patches → picture features (for inspection)
 *   score      packed sequences → log p of the target tokens
 *   candidates packed sequences → log p of given ids, and the entropy, at the target positions
 *   train      as score, with weights → also the gradients of Σ weight·log p by every trained parameter and by the
 *              embedded tokens
 *   prefill    packed prompts → logits of the last token, keys and values of every layer
 *   decode     one token a response, against the keys and values of the prompts and of the responses so far → logits,
 *              the new keys and values
 *   extend     the same, but returns the responses' keys and values with the new ones among them, for memory on a device
 *
 * Dimensions are named, so one session serves batches of every size. Text is packed as [tokens of prompts without their
 * last][last prompt token and completion without its last, of every sequence] (`batch.ts`): the second block is what is
 * scored, and a prompt that several sequences share is there once.
 */
import { gradients } from '../../../graph/gradient.ts';
import type { Lowering } from '../../../graph/lower.ts';
import { emit, usedInputs } from '../../../graph/onnx.ts';
import {
  add,
  exp,
  joinAt,
  logSoftmax,
  mul,
  neg,
  reduceSum,
  replaceRows,
  reshape,
  splitAt,
  targetLogProbs,
} from '../../../graph/ops.ts';
import {
  addOp,
  type DataType,
  type Graph,
  input,
  newGraph,
  type Shape,
  type Value,
} from '../../../graph/tensor.ts';
import {
  type AnswerLayout,
  answerAttention,
  type CacheLayout,
  cachedAttention,
  cacheEntry,
  type GroupLayout,
  groupAttention,
} from '../../../models/qwen2-5-vl/attention.ts';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import type { Network } from '../../../models/qwen2-5-vl/network.ts';
import { type Attending, decoder, embed, head } from '../../../models/qwen2-5-vl/text.ts';
import { visionTower } from '../../../models/qwen2-5-vl/vision.ts';

export type GraphKind = 'features' | 'score' | 'candidates' | 'train' | 'prefill' | 'decode' | 'extend';

/** What a graph is specialised for. `decode` and `extend` disregard it. */
export interface GraphVariant {
  /** The batch has pictures. */
  pictures: boolean;
  /** Pictures, or windows of them, of unequal size: padding slots are masked. */
  raggedPictures: boolean;
  /** Prompts have more than one token. */
  prompts: boolean;
  /** Prompts or answers of unequal length. */
  ragged: boolean;
  /** Training: layers are computed again in the backward pass instead of being kept. */
  recompute: boolean;
}

/** What graphs are made of: the architecture, its parameters' shapes, what is trained. */
export interface Blueprint {
  config: Qwen25VlConfig;
  /** Name → shape, adapters' too. */
  shapes: ReadonlyMap<string, readonly number[]>;
  trained: ReadonlySet<string>;
  /** Linear layer → what multiplies its adapter. */
  adapters: ReadonlyMap<string, number>;
}

export interface EmittedGraph {
  model: Uint8Array;
  inputs: string[];
  outputs: string[];
}

/** Prefix of the outputs that hold a parameter's gradient. */
export const GRAD = 'grad:';

/** `lowering`: operators to write as others, where a provider lacks them. */
export function buildGraph(
  blueprint: Blueprint,
  kind: GraphKind,
  variant: GraphVariant,
  lowering: Lowering = {},
): EmittedGraph {
  const graph = newGraph();
  const declared = new Map<string, Value>();
  const network: Network = {
    parameter(name) {
      const known = declared.get(name);
      if (known) return known;
      const shape = blueprint.shapes.get(name);
      if (!shape) throw new Error(`the architecture has no parameter ${name}`);
      const value = input(graph, name, 'float32', shape);
      declared.set(name, value);
      return value;
    },
    has: (name) => blueprint.shapes.has(name),
    adapterScale: (layer) => blueprint.adapters.get(layer) ?? null,
    recompute: variant.recompute,
  };
  const outputs = BUILD[kind]({ graph, config: blueprint.config, network, declared, blueprint, variant });
  return {
    model: emit(graph, outputs, lowering),
    inputs: usedInputs(graph, outputs),
    outputs: Object.keys(outputs),
  };
}

interface Building {
  graph: Graph;
  config: Qwen25VlConfig;
  network: Network;
  declared: Map<string, Value>;
  blueprint: Blueprint;
  variant: GraphVariant;
}

const BUILD: Record<GraphKind, (b: Building) => Record<string, Value>> = {
  features: (b) => ({ features: vision(b) }),
  score: (b) => ({
    logprobs: targetLogProbs(scoredLogits(b, embedded(b).x), input(b.graph, 'targets', 'int64', ['M'])),
  }),
  candidates: (b) => {
    const all = logSoftmax(scoredLogits(b, embedded(b).x));
    const ids = input(b.graph, 'candidateIds', 'int64', ['K']);
    return {
      candidates: addOp('Gather', [all, ids], [all.shape[0], 'K'], { axis: 1 }),
      entropy: neg(reduceSum(mul(exp(all), all), [-1])),
    };
  },
  train: (b) => {
    const { tokens, x } = embedded(b);
    const logprobs = targetLogProbs(scoredLogits(b, x), input(b.graph, 'targets', 'int64', ['M']));
    const weights = input(b.graph, 'weights', 'float32', ['M']);
    const wanted: [string, Value][] = [...b.declared].flatMap(([name, value]) =>
      b.blueprint.trained.has(name) ? [[GRAD + name, value]] : [],
    );
    if (b.blueprint.trained.has('model.embed_tokens.weight')) wanted.push(['tokensGrad', tokens]);
    const grads = gradients(
      b.graph,
      [[logprobs, weights]],
      wanted.map(([, v]) => v),
    );
    return {
      logprobs,
      ...Object.fromEntries(wanted.flatMap(([name], i) => (grads[i] ? [[name, grads[i]]] : []))),
    };
  },
  prefill: (b) => {
    const { kvHeads, headDim } = b.config.text;
    const keep: Record<string, Value> = {};
    const rows = input(b.graph, 'cacheRows', 'int32', ['P', kvHeads, 'C']);
    const laid = (x: Value) =>
      addOp('Gather', [reshape(x, ['N·kv', headDim]), rows], ['P', kvHeads, 'C', headDim], { axis: 0 });
    const attending = packedAttention(b);
    const hidden = decoder(b.config, b.network, embedded(b).x, rotaryRows(b, 'N'), {
      ...attending,
      attend(layer, q, k, v) {
        keep[`promptKey${layer}`] = laid(k);
        keep[`promptValue${layer}`] = laid(v);
        return attending.attend(layer, q, k, v);
      },
    });
    return { logits: head(b.config, b.network, hidden), ...keep };
  },
  decode: (b) => decoding(b, (layer, k, v) => ({ [`key${layer}`]: k, [`value${layer}`]: v })),
  extend: (b) => {
    const { kvHeads, headDim } = b.config.text;
    const slot = input(b.graph, 'newSlot', 'float32', ['L', 1]);
    return decoding(b, (layer, k, v, { ownKey, ownValue, keyShape }) => {
      const extended = (own: Value, x: Value) =>
        add(own, mul(cacheEntry(x, kvHeads, headDim, keyShape), slot));
      return { [`nextKey${layer}`]: extended(ownKey, k), [`nextValue${layer}`]: extended(ownValue, v) };
    });
  },
};

/** `keep`: what is returned of a layer's new keys and values, beside the logits. */
function decoding(
  b: Building,
  keep: (layer: number, k: Value, v: Value, cache: CacheLayout) => Record<string, Value>,
): Record<string, Value> {
  const { graph, config, network } = b;
  const { kvHeads, headDim } = config.text;
  const kept: Record<string, Value> = {};
  const ids = input(graph, 'ids', 'int64', ['N']);
  const shape = (name: string, length: number) => input(graph, name, 'int64', [length]);
  const shared = {
    promptMask: input(graph, 'promptMask', 'float32', ['P', 1, 1, 'K']),
    ownMask: input(graph, 'ownMask', 'float32', ['L']),
    keyShape: shape('keyShape', 5),
    queryShape: shape('queryShape', 5),
    foldedShape: shape('foldedShape', 4),
    scoresShape: shape('scoresShape', 5),
    newShape: shape('newShape', 5),
    keySizes: shape('keySizes', 3),
  };
  const hidden = decoder(config, network, embed(network, ids), rotaryRows(b, 'N'), {
    wanted: (x) => x,
    attend(layer, q, k, v) {
      const past = (name: string, of: Shape) => input(graph, `${name}${layer}`, 'float32', of);
      const cache = {
        ...shared,
        promptKey: past('promptKey', ['P', kvHeads, 'K', headDim]),
        promptValue: past('promptValue', ['P', kvHeads, 'K', headDim]),
        ownKey: past('ownKey', ['P', kvHeads, 'S', 'L', headDim]),
        ownValue: past('ownValue', ['P', kvHeads, 'S', 'L', headDim]),
      };
      Object.assign(kept, keep(layer, k, v, cache));
      return cachedAttention(q, k, v, headDim, cache);
    },
  });
  return { logits: head(config, network, hidden), ...kept };
}

function vision(b: Building): Value {
  const { patch, inChannels, headDim, heads } = b.config.vision;
  const patches = input(b.graph, 'patches', 'float32', ['patches', inChannels * patch * patch]);
  const rows = rotaryRows(b, 'patches', 'vision.', headDim);
  const ragged = b.variant.raggedPictures;
  const layouts = {
    windows: groupLayout(b, 'window', heads, heads, 'key', ragged),
    pictures: groupLayout(b, 'picture', heads, heads, 'key', ragged),
  };
  return visionTower(b.config, b.network, patches, rows, layouts);
}

/** Embedded tokens, and the same with the pictures' features in their places; [N, hidden]. */
function embedded(b: Building): { tokens: Value; x: Value } {
  const tokens = embed(b.network, input(b.graph, 'ids', 'int64', ['N']));
  if (!b.variant.pictures) return { tokens, x: tokens };
  const at = input(b.graph, 'featureAt', 'int64', ['pictureTokens']);
  return { tokens, x: replaceRows(tokens, at, vision(b)) };
}

/** Logits [M, vocabulary] that predict the targets, after temperature. */
function scoredLogits(b: Building, x: Value): Value {
  const hidden = decoder(b.config, b.network, x, rotaryRows(b, 'N'), packedAttention(b));
  const logits = head(b.config, b.network, hidden);
  return mul(logits, input(b.graph, 'inverseTemperature', 'float32', []));
}

/** Attention of packed prompts and answers: [A] prompt tokens and [M] answer tokens make up the [N]. */
function packedAttention(b: Building): Attending {
  const { heads, kvHeads, headDim, layers } = b.config.text;
  if (!b.variant.prompts) {
    const layout = groupLayout(b, 'answer', heads, kvHeads, 'causal', b.variant.ragged);
    return { wanted: (x) => x, attend: (_, q, k, v) => groupAttention(q, k, v, headDim, layout) };
  }
  const blocks = input(b.graph, 'blocks', 'int64', [2]);
  const cut = (x: Value) => {
    const [prompt, answer] = splitAt(x, blocks, ['A', 'M'], 0);
    return { prompt, answer };
  };
  const prompts = groupLayout(b, 'prompt', heads, kvHeads, 'causal', b.variant.ragged);
  const answers = answerLayout(b);
  return {
    wanted: (x) => cut(x).answer,
    attend(layer, q, k, v) {
      const keys = cut(k);
      const values = cut(v);
      const answer = (queries: Value) => answerAttention(queries, keys, values, headDim, answers);
      if (layer === layers - 1) return answer(q);
      const queries = cut(q);
      const prompt = groupAttention(queries.prompt, keys.prompt, values.prompt, headDim, prompts);
      return joinAt([prompt, answer(queries.answer)], blocks, 'N', 0);
    },
  };
}

/**
 * Inputs of one kind of group. Masks: 'causal' [R·L, L] always (padding slots lie behind the real ones, so no real
 * query sees them); 'key' [G, 1, 1, L] only where groups are ragged.
 */
function groupLayout(
  { graph }: Building,
  name: string,
  heads: number,
  kvHeads: number,
  mask: 'causal' | 'key',
  ragged: boolean,
): GroupLayout {
  const shared = heads === kvHeads;
  const [groups, slots] = [`G.${name}`, `L.${name}`];
  const querySlots = shared ? slots : `RL.${name}`;
  const index = (suffix: string, shape: Shape, type: DataType = 'int32') =>
    input(graph, `${name}.${suffix}`, type, shape);
  const query = index('query', [groups, kvHeads, querySlots]);
  const queryInverse = index('queryInverse', [`rows.${name}.query`]);
  return {
    query,
    queryInverse,
    key: shared ? query : index('key', [groups, kvHeads, slots]),
    keyInverse: shared ? queryInverse : index('keyInverse', [`rows.${name}.key`]),
    mask:
      mask === 'causal'
        ? index('mask', [querySlots, slots], 'float32')
        : ragged
          ? index('mask', [groups, 1, 1, slots], 'float32')
          : null,
    real: ragged ? index('real', [groups, 1, querySlots, 1], 'float32') : null,
  };
}

function answerLayout({ graph, config, variant: { ragged } }: Building): AnswerLayout {
  const { kvHeads } = config.text;
  const index = (name: string, shape: Shape, type: DataType = 'int32') =>
    input(graph, `answer.${name}`, type, shape);
  return {
    query: index('query', ['P', kvHeads, 'S', 'RL']),
    queryInverse: index('queryInverse', ['rows.answer.query']),
    key: index('key', ['P', kvHeads, 'S', 'L']),
    keyInverse: index('keyInverse', ['rows.answer.key']),
    mask: index('mask', ['RL', 'L'], 'float32'),
    promptKey: index('promptKey', ['P', kvHeads, 'K']),
    promptKeyInverse: index('promptKeyInverse', ['rows.prompt']),
    promptMask: ragged ? index('promptMask', ['P', 1, 1, 'K'], 'float32') : null,
    real: ragged ? index('real', ['P', 1, 'S·RL', 1], 'float32') : null,
    foldedShape: index('foldedShape', [4], 'int64'),
    scoresShape: index('scoresShape', [5], 'int64'),
    keySizes: index('keySizes', [2], 'int64'),
  };
}

function rotaryRows({ graph, config }: Building, rows: string, prefix = '', headDim = config.text.headDim) {
  return {
    cos: input(graph, `${prefix}cos`, 'float32', [rows, headDim / 2]),
    sin: input(graph, `${prefix}sin`, 'float32', [rows, headDim / 2]),
  };
}
