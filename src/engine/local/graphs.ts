/**
 * The graphs the local engine runs, as ONNX models with the names of what they are fed and return.
 *
 *   vision     patches → picture features
 *   visionGrad patches, gradient of the features → gradients of the vision tower's parameters
 *   score      packed sequences → log p of the target tokens
 *   candidates packed sequences → log p of given ids, and the entropy, at the target positions
 *   train      as score, with weights → also the gradients of Σ weight·log p by every parameter and by the input rows
 *   prefill    packed prompts → logits of the last token, keys and values of every layer
 *   decode     one token a row against a key/value cache that is written in place
 *
 * Dimensions are named, so one session serves batches of every size. Pictures' features are inputs of the text
 * graphs: a picture shared by several sequences is computed once, and its gradient comes back as that of input rows.
 */
import { gradients } from '../../graph/gradient.ts';
import { emit, usedInputs } from '../../graph/onnx.ts';
import {
  exp,
  gatherRows,
  logSoftmax,
  mul,
  neg,
  reduceSum,
  replaceRows,
  reshape,
  takeTargets,
} from '../../graph/ops.ts';
import {
  addNode,
  addOp,
  type DataType,
  type Graph,
  input,
  newGraph,
  type Shape,
  type Value,
} from '../../graph/tensor.ts';
import { type GroupLayout, groupAttention } from '../../models/qwen2-5-vl/attention.ts';
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import { parameters as parameterList } from '../../models/qwen2-5-vl/parameters.ts';
import { decoder, embed, head, type Parameters } from '../../models/qwen2-5-vl/text.ts';
import { visionTower } from '../../models/qwen2-5-vl/vision.ts';

export type GraphKind = 'vision' | 'visionGrad' | 'score' | 'candidates' | 'train' | 'prefill' | 'decode';

/** What a graph is specialised for. */
export interface GraphVariant {
  /** Text graphs: the batch has pictures. */
  pictures: boolean;
  /** Groups of unequal length: padding slots are masked. */
  ragged: boolean;
}

export interface EmittedGraph {
  model: Uint8Array;
  inputs: string[];
  outputs: string[];
}

/** Prefix of the outputs that hold a parameter's gradient. */
export const GRAD = 'grad:';

/** Emits one graph of a model. `decode` and the vision graphs disregard `variant.pictures`. */
export function buildGraph(config: Qwen25VlConfig, kind: GraphKind, variant: GraphVariant): EmittedGraph {
  const graph = newGraph();
  const shapes = new Map(parameterList(config).map((p) => [p.name, p.shape]));
  const declared = new Map<string, Value>();
  const parameters: Parameters = (name) => {
    const known = declared.get(name);
    if (known) return known;
    const shape = shapes.get(name);
    if (!shape) throw new Error(`the architecture has no parameter ${name}`);
    const value = input(graph, name, 'float32', shape);
    declared.set(name, value);
    return value;
  };
  const outputs = BUILD[kind]({ graph, config, parameters, declared, variant });
  return { model: emit(graph, outputs), inputs: usedInputs(graph, outputs), outputs: Object.keys(outputs) };
}

interface Building {
  graph: Graph;
  config: Qwen25VlConfig;
  parameters: Parameters;
  declared: Map<string, Value>;
  variant: GraphVariant;
}

const BUILD: Record<GraphKind, (b: Building) => Record<string, Value>> = {
  vision: (b) => ({ features: vision(b) }),
  visionGrad: (b) => {
    const features = vision(b);
    const seed = input(b.graph, 'featuresGrad', 'float32', features.shape);
    return parameterGradients(b, [[features, seed]], []);
  },
  score: (b) => ({ logprobs: score(b, packedInput(b)).logprobs }),
  candidates: (b) => {
    const { all } = score(b, packedInput(b));
    const ids = input(b.graph, 'candidateIds', 'int64', ['K']);
    return {
      candidates: addOp('Gather', [all, ids], [all.shape[0], 'K'], { axis: 1 }),
      entropy: neg(reduceSum(mul(exp(all), all), [-1])),
    };
  },
  train: (b) => {
    const x = packedInput(b);
    const { logprobs } = score(b, x);
    const weights = input(b.graph, 'weights', 'float32', ['M']);
    return { logprobs, ...parameterGradients(b, [[logprobs, weights]], [['rowsGrad', x]]) };
  },
  prefill: (b) => {
    const keep: Record<string, Value> = {};
    const layout = textLayout(b);
    const { headDim } = b.config.text;
    const hidden = decoder(b.config, b.parameters, packedInput(b), rotaryRows(b, 'N'), (layer, q, k, v) => {
      keep[`key${layer}`] = k;
      keep[`value${layer}`] = v;
      return groupAttention(q, k, v, headDim, layout);
    });
    const last = gatherRows(hidden, input(b.graph, 'targetAt', 'int64', ['M']));
    return { logits: head(b.config, b.parameters, last), ...keep };
  },
  decode: (b) => {
    const { graph, config, parameters } = b;
    const { heads, kvHeads, headDim } = config.text;
    const keep: Record<string, Value> = {};
    const ids = input(graph, 'ids', 'int64', ['N']);
    const lengths = input(graph, 'pastLengths', 'int32', ['N']);
    const total = input(graph, 'totalLength', 'int32', []);
    const rows = (x: Value) => reshape(x, ['N', 1, x.shape[1]]);
    const hidden = decoder(
      config,
      parameters,
      embed(parameters, ids),
      rotaryRows(b, 'N'),
      (layer, q, k, v) => {
        const cache: Shape = ['N', kvHeads, 'S', headDim];
        const past = ['pastKey', 'pastValue'].map((name) =>
          input(graph, `${name}${layer}`, 'float32', cache),
        );
        const [mixed, key, value] = addNode(
          'GroupQueryAttention',
          [rows(q), rows(k), rows(v), ...past, lengths, total],
          [{ shape: ['N', 1, heads * headDim] }, { shape: cache }, { shape: cache }],
          { num_heads: heads, kv_num_heads: kvHeads, scale: { float: headDim ** -0.5 } },
          'com.microsoft',
        );
        keep[`presentKey${layer}`] = key;
        keep[`presentValue${layer}`] = value;
        return reshape(mixed, q.shape);
      },
    );
    return { logits: head(config, parameters, hidden), ...keep };
  },
};

function vision(b: Building): Value {
  const { patch, inChannels, headDim } = b.config.vision;
  const patches = input(b.graph, 'patches', 'float32', ['P', inChannels * patch * patch]);
  const rows = rotaryRows(b, 'P', headDim);
  const { heads } = b.config.vision;
  const layouts = {
    windows: groupLayout(b, 'window', heads, heads, 'key'),
    pictures: groupLayout(b, 'picture', heads, heads, 'key'),
  };
  return visionTower(b.config, b.parameters, patches, rows, layouts);
}

/** Embedded tokens with the pictures' features in their places, [N, hidden]. */
function packedInput({ graph, config, parameters, variant }: Building): Value {
  const x = embed(parameters, input(graph, 'ids', 'int64', ['N']));
  if (!variant.pictures) return x;
  const at = input(graph, 'featureAt', 'int64', ['I']);
  return replaceRows(x, at, input(graph, 'features', 'float32', ['I', config.text.hidden]));
}

function score(b: Building, x: Value): { all: Value; logprobs: Value } {
  const { graph, config, parameters } = b;
  const layout = textLayout(b);
  const attend = (_: number, q: Value, k: Value, v: Value) =>
    groupAttention(q, k, v, config.text.headDim, layout);
  const hidden = decoder(config, parameters, x, rotaryRows(b, 'N'), attend);
  const scored = gatherRows(hidden, input(graph, 'targetAt', 'int64', ['M']));
  const logits = mul(head(config, parameters, scored), input(graph, 'inverseTemperature', 'float32', []));
  const all = logSoftmax(logits);
  return { all, logprobs: takeTargets(all, input(graph, 'targets', 'int64', ['M'])) };
}

function textLayout(b: Building): GroupLayout {
  return groupLayout(b, 'text', b.config.text.heads, b.config.text.kvHeads, 'causal');
}

/**
 * Inputs of one kind of group. Masks: 'causal' [R·L, L] always (padding slots lie behind the real ones, so no real
 * query sees them); 'key' [G, 1, 1, L] only where groups are ragged.
 */
function groupLayout(
  b: Building,
  name: string,
  heads: number,
  kvHeads: number,
  mask: 'causal' | 'key',
): GroupLayout {
  const { graph, variant } = b;
  const [groups, slots, querySlots] = [
    `G.${name}`,
    `L.${name}`,
    heads === kvHeads ? `L.${name}` : `RL.${name}`,
  ];
  const index = (suffix: string, shape: Shape, type: DataType = 'int32') =>
    input(graph, `${name}.${suffix}`, type, shape);
  const query = index('query', [groups, kvHeads, querySlots]);
  const queryInverse = index('queryInverse', [`rows.${name}.query`]);
  const shared = heads === kvHeads;
  return {
    query,
    queryInverse,
    key: shared ? query : index('key', [groups, kvHeads, slots]),
    keyInverse: shared ? queryInverse : index('keyInverse', [`rows.${name}.key`]),
    mask:
      mask === 'causal'
        ? index('mask', [querySlots, slots], 'float32')
        : variant.ragged
          ? index('mask', [groups, 1, 1, slots], 'float32')
          : null,
    real: variant.ragged ? index('real', [groups, 1, querySlots, 1], 'float32') : null,
  };
}

function rotaryRows({ graph, config }: Building, rows: string, headDim = config.text.headDim) {
  return {
    cos: input(graph, 'cos', 'float32', [rows, headDim / 2]),
    sin: input(graph, 'sin', 'float32', [rows, headDim / 2]),
  };
}

/** Gradients of Σ seed·value by all parameters declared so far, and by further named values. */
function parameterGradients(
  b: Building,
  seeds: [Value, Value][],
  others: [string, Value][],
): Record<string, Value> {
  const wanted: [string, Value][] = [
    ...[...b.declared].map(([n, v]): [string, Value] => [GRAD + n, v]),
    ...others,
  ];
  const grads = gradients(
    b.graph,
    seeds,
    wanted.map(([, v]) => v),
  );
  return Object.fromEntries(wanted.flatMap(([name], i) => (grads[i] ? [[name, grads[i]]] : [])));
}
