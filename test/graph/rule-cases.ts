/**
 * For every operator that has a differentiation rule, small graphs in which a gradient passes through it.
 * A case lists its inputs by name: float inputs are differentiated, integer ones are indices.
 */
import * as op from '../../src/graph/ops.ts';
import { addOp, type Dim, ints, type Value } from '../../src/graph/tensor.ts';
import { elements, noise, type Tensor } from './evaluate.ts';

export interface RuleCase {
  inputs: Record<string, Tensor>;
  /** Shapes as the graph sees them, where they have names. */
  declared?: Record<string, Dim[]>;
  build: (inputs: Record<string, Value>) => Value;
  /** Inputs by which the result is not differentiated, other than the integer ones. */
  fixed?: string[];
  /** Where the rule passes no gradient on: the inputs that must get none. */
  blocked?: string[];
}

let seed = 0;
const float = (...shape: number[]): Tensor => ({ shape, data: noise(elements(shape), seed++) });
/** Numbers with 0.5 ≤ |x| ≤ 1.5. */
const awayFromZero = (...shape: number[]): Tensor => ({
  shape,
  data: noise(elements(shape), seed++).map((x) => x + Math.sign(x) * 0.5),
});
const index = (shape: number[], data: number[], type: 'int64' | 'int32' = 'int64'): Tensor => ({
  shape,
  data,
  type,
});

type Binary = (a: Value, b: Value) => Value;
const binary = (f: Binary, second = float): Record<string, RuleCase> => ({
  'equal shapes': { inputs: { a: float(2, 3), b: second(2, 3) }, build: ({ a, b }) => f(a, b) },
  'a row against a matrix': { inputs: { a: float(3, 4), b: second(4) }, build: ({ a, b }) => f(a, b) },
  'a column against a row': { inputs: { a: float(3, 1), b: second(1, 4) }, build: ({ a, b }) => f(a, b) },
  'a scalar on either side': {
    inputs: { a: float(), b: second(2, 3), c: second() },
    build: ({ a, b, c }) => f(f(a, b), c),
  },
  'more axes on the right': {
    inputs: { a: float(2, 1), b: second(3, 1, 4) },
    build: ({ a, b }) => f(a, b),
  },
  'dimensions with names': {
    inputs: { a: float(3, 2), b: second(3, 1) },
    declared: { a: ['N', 2], b: ['N', 1] },
    build: ({ a, b }) => f(a, b),
  },
  'the same value on both sides': {
    inputs: { a: awayFromZero(3) },
    build: ({ a }) => f(op.exp(a), op.mul(a, a)),
  },
});

const unary = (f: (x: Value) => Value): Record<string, RuleCase> => ({
  'a matrix': { inputs: { x: float(2, 3) }, build: ({ x }) => f(x) },
  'a batch of unknown size': {
    inputs: { x: float(2, 3) },
    declared: { x: ['N', 3] },
    build: ({ x }) => f(x),
  },
});

function matmulCases(): Record<string, RuleCase> {
  const cases: Record<string, RuleCase> = {};
  const [m, k, n] = [2, 3, 4];
  const batches: [string, number[], number[]][] = [
    ['matrices', [], []],
    ['batches', [2], [2]],
    ['two batch axes', [2, 2], [2, 2]],
    ['a batch against one matrix', [2, 2], []],
    ['one matrix against a batch', [], [3]],
    ['batches stretched over each other', [2, 1], [1, 3]],
    ['a batch with an axis less', [2, 3], [3]],
  ];
  for (const transA of [false, true]) {
    for (const transB of [false, true]) {
      for (const [name, batchA, batchB] of batches) {
        cases[`${name}${transA ? ', left transposed' : ''}${transB ? ', right transposed' : ''}`] = {
          inputs: {
            a: float(...batchA, ...(transA ? [k, m] : [m, k])),
            b: float(...batchB, ...(transB ? [n, k] : [k, n])),
          },
          build: ({ a, b }) => op.matmul(a, b, { transA, transB, alpha: 0.7 }),
        };
      }
    }
  }
  cases['batch and rows with names'] = {
    inputs: { a: float(2, 2, 3), b: float(2, 4, 3) },
    declared: { a: ['G', 'L', 3], b: ['G', 'S', 3] },
    build: ({ a, b }) => op.matmul(a, b, { transB: true }),
  };
  return cases;
}

function gemmCases(): Record<string, RuleCase> {
  const cases: Record<string, RuleCase> = {};
  for (const transA of [false, true]) {
    for (const transB of [false, true]) {
      for (const bias of [false, true]) {
        const name = `${transA ? 'left transposed, ' : ''}${transB ? 'right transposed, ' : ''}${bias ? 'with' : 'without'} bias`;
        const inputs: Record<string, Tensor> = {
          a: transA ? float(3, 2) : float(2, 3),
          b: transB ? float(4, 3) : float(3, 4),
        };
        if (bias) inputs.bias = float(4);
        cases[name] = { inputs, build: (v) => op.gemm(v.a, v.b, v.bias ?? null, transA, transB) };
      }
    }
  }
  cases['a linear layer on rows of unknown number'] = {
    inputs: { x: float(2, 3), w: float(4, 3), b: float(4) },
    declared: { x: ['N', 3] },
    build: ({ x, w, b }) => op.linear(x, w, b),
  };
  return cases;
}

const reduceCases = (
  f: (x: Value, axes: readonly number[], keep?: boolean) => Value,
): Record<string, RuleCase> => ({
  'one axis': { inputs: { x: float(2, 3, 2) }, build: ({ x }) => f(x, [1]) },
  'one axis kept': { inputs: { x: float(2, 3, 2) }, build: ({ x }) => f(x, [1], true) },
  'two axes': { inputs: { x: float(2, 3, 2) }, build: ({ x }) => f(x, [0, 2]) },
  'axes from the end': { inputs: { x: float(2, 3, 2) }, build: ({ x }) => f(x, [-1, -3], true) },
  'all axes': { inputs: { x: float(2, 3) }, build: ({ x }) => f(x, [0, 1]) },
  'beside an axis with a name': {
    inputs: { x: float(2, 3) },
    declared: { x: ['N', 3] },
    build: ({ x }) => f(x, [-1]),
  },
});

/** Five rows of two heads in groups of three and two tokens: slot 5 of each head of group 1 is padding. */
const layout = (() => {
  const groups = [
    [0, 2, 4],
    [1, 3],
  ];
  const slots: number[] = [];
  const inverse: number[] = Array(10).fill(-1);
  for (const group of groups)
    for (let head = 0; head < 2; head++)
      for (let l = 0; l < 3; l++) {
        const row = group[l < group.length ? l : 0] * 2 + head;
        if (l < group.length) inverse[row] = slots.length;
        slots.push(row);
      }
  const real = [1, 1, 1, 1, 1, 0];
  return {
    index: index([2, 2, 3], slots, 'int32'),
    inverse: index([10], inverse, 'int32'),
    real: { shape: [2, 1, 3, 1], data: real } satisfies Tensor,
    names: { index: ['G', 2, 'L'], inverse: ['rows'], real: ['G', 1, 'L', 1] } as Record<string, Dim[]>,
  };
})();

const rotaryInputs = () => {
  const angles = [0.3, 1.1, -0.7, 2.5, 0.9, -1.6];
  return {
    x: float(3, 8),
    cos: { shape: [3, 2], data: angles.map(Math.cos) },
    sin: { shape: [3, 2], data: angles.map(Math.sin) },
  };
};

/** A distinct row order, so that scatter and gather are not the identity. */
const rows = index([3], [3, 0, 2]);

export const CASES: Record<string, Record<string, RuleCase>> = {
  Add: binary(op.add),
  Sub: binary(op.sub),
  Mul: binary(op.mul),
  Div: binary(op.div, awayFromZero),
  Neg: unary(op.neg),
  Exp: unary(op.exp),
  Sigmoid: unary(op.sigmoid),
  Erf: unary(op.erf),
  Gelu: unary(op.gelu),
  Softmax: {
    ...unary(op.softmax),
    'four axes': { inputs: { x: float(2, 1, 2, 3) }, build: ({ x }) => op.softmax(x) },
    'masked scores': {
      inputs: { x: float(2, 3), mask: { shape: [2, 3], data: [0, -1e30, -1e30, 0, 0, -1e30] } },
      fixed: ['mask'],
      build: ({ x, mask }) => op.softmax(op.add(x, mask)),
    },
  },
  LogSoftmax: unary(op.logSoftmax),
  GatherElements: {
    'one column a row': {
      inputs: { x: float(3, 4), at: index([3], [2, 0, 3]) },
      build: ({ x, at }) => op.takeTargets(x, at),
    },
    'log p of target tokens': {
      inputs: { x: float(3, 4), at: index([3], [1, 1, 0]) },
      declared: { x: ['M', 4], at: ['M'] },
      build: ({ x, at }) => op.takeTargets(op.logSoftmax(x), at),
    },
  },
  FusedMatMul: matmulCases(),
  Gemm: gemmCases(),
  Reshape: {
    'known shape': {
      inputs: { x: float(2, 6), y: float(3, 4) },
      build: ({ x, y }) => op.mul(op.reshape(x, [3, 4]), y),
    },
    'one dimension left over': {
      inputs: { x: float(4, 6) },
      declared: { x: ['N', 6] },
      build: ({ x }) => op.reshape(x, ['2N', 3]),
    },
    'a shape only known at run time': {
      inputs: { x: float(2, 3), like: float(3, 2) },
      declared: { x: ['A', 'B'], like: ['C', 'D'] },
      fixed: ['like'],
      build: ({ x, like }) => op.reshapeLike(x, like),
    },
  },
  Unsqueeze: {
    'two axes': {
      inputs: { x: float(2, 3) },
      build: ({ x }) => addOp('Unsqueeze', [x, ints(x.graph, [0, -1])], [1, 2, 3, 1]),
    },
  },
  Squeeze: {
    'two axes': {
      inputs: { x: float(1, 2, 3, 1) },
      build: ({ x }) => addOp('Squeeze', [x, ints(x.graph, [0, -1])], [2, 3]),
    },
  },
  Transpose: {
    'a matrix': { inputs: { x: float(2, 3) }, build: ({ x }) => op.transpose(x, [1, 0]) },
    'a cycle of three axes': {
      inputs: { x: float(2, 3, 4) },
      declared: { x: ['N', 3, 4] },
      build: ({ x }) => op.transpose(x, [2, 0, 1]),
    },
  },
  ReduceSum: reduceCases(op.reduceSum),
  ReduceMean: reduceCases(op.reduceMean),
  Concat: {
    'three parts': {
      inputs: { a: float(2, 1), b: float(2, 3), c: float(2, 2) },
      build: ({ a, b, c }) => op.concat([a, b, c], 1),
    },
    'the same part twice': {
      inputs: { a: float(2, 2), b: float(1, 2) },
      build: ({ a, b }) => op.concat([a, b, a], 0),
    },
  },
  Split: {
    'all parts used': {
      inputs: { x: float(2, 6) },
      build: ({ x }) => {
        const [a, b, c] = op.split(x, [2, 2, 2], 1);
        return op.add(op.mul(a, b), c);
      },
    },
    'parts that nobody uses': {
      inputs: { x: float(2, 6) },
      declared: { x: ['N', 6] },
      build: ({ x }) => op.exp(op.split(x, [1, 3, 2], 1)[1]),
    },
    'sizes that are known at run time': {
      inputs: { x: float(5, 2), sizes: index([2], [2, 3]) },
      declared: { x: ['N', 2] },
      build: ({ x, sizes }) => op.exp(op.splitAt(x, sizes, ['A', 'B'], 0)[1]),
    },
  },
  Gather: {
    'distinct rows': {
      inputs: { x: float(4, 3), at: rows },
      declared: { x: ['N', 3], at: ['M'] },
      build: ({ x, at }) => op.gatherRows(x, at),
    },
  },
  LookUp: {
    'repeated rows': {
      inputs: { table: float(3, 2), ids: index([4], [2, 0, 2, 2]), y: float(4, 2) },
      build: ({ table, ids, y }) => op.mul(op.lookUp(table, ids), y),
      blocked: ['table'],
    },
  },
  LayRows: {
    'groups of unequal length': {
      inputs: { x: float(10, 2), index: layout.index, inverse: layout.inverse, real: layout.real },
      declared: { x: ['rows', 2], ...layout.names },
      fixed: ['real'],
      build: ({ x, index, inverse, real }) => op.mul(op.layRows(x, index, inverse), real),
    },
  },
  LiftRows: {
    'groups of unequal length': {
      inputs: { x: float(2, 2, 3, 2), index: layout.index, inverse: layout.inverse, real: layout.real },
      declared: { x: ['G', 2, 'L', 2], ...layout.names },
      fixed: ['real'],
      build: ({ x, index, inverse, real }) => op.liftRows(op.mul(x, real), index, inverse),
    },
    'there and back': {
      inputs: { x: float(10, 2), index: layout.index, inverse: layout.inverse, real: layout.real },
      declared: { x: ['rows', 2], ...layout.names },
      fixed: ['real'],
      build: ({ x, index, inverse, real }) => {
        const laid = op.layRows(x, index, inverse);
        return op.liftRows(op.mul(op.mul(laid, laid), real), index, inverse);
      },
    },
  },
  ScatterND: {
    'replaced rows': {
      inputs: { x: float(4, 2), at: rows, rows: float(3, 2) },
      declared: { x: ['N', 2], at: ['I'], rows: ['I', 2] },
      build: ({ x, at, rows }) => op.replaceRows(x, at, rows),
    },
  },
  SimplifiedLayerNormalization: {
    'rows of a matrix': {
      inputs: { x: awayFromZero(3, 4), weight: float(4) },
      declared: { x: ['N', 4] },
      build: ({ x, weight }) => op.rmsNorm(x, weight, 1e-6),
    },
    'a large epsilon': {
      inputs: { x: float(4, 3), weight: float(3) },
      build: ({ x, weight }) => op.rmsNorm(x, weight, 0.5),
    },
  },
  RotaryEmbedding: {
    'two heads': {
      inputs: rotaryInputs(),
      declared: { x: ['N', 8], cos: ['N', 2], sin: ['N', 2] },
      fixed: ['cos', 'sin'],
      build: ({ x, cos, sin }) => op.rotary(x, cos, sin),
    },
  },
};
