/**
 * The operators models are written with. Each builds one node (or a few) and states the result's shape;
 * how each is differentiated stands in `rules.ts`, under the same operator names.
 */
import {
  addNode,
  addOp,
  constant,
  type Dim,
  defineGradient,
  ints,
  type Shape,
  sameShape,
  showShape,
  type Value,
} from './tensor.ts';

/** Shape of an element-wise result under NumPy broadcasting. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new Error(`shapes ${showShape(a)} and ${showShape(b)} do not broadcast`);
  });
}

const binary = (op: string) => (a: Value, b: Value | number) => {
  const right = typeof b === 'number' ? constant(a.graph, b) : b;
  return addOp(op, [a, right], broadcast(a.shape, right.shape));
};
const unary = (op: string) => (x: Value) => addOp(op, [x], x.shape);

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const neg = unary('Neg');
export const exp = unary('Exp');
export const erf = unary('Erf');
export const sigmoid = unary('Sigmoid');

/** 1 − x, with x broadcast against a scalar. */
export function oneMinus(x: Value): Value {
  return sub(constantLike(x, 1), x);
}

export function constantLike(x: Value, value: number): Value {
  return constant(x.graph, value);
}

/** Exact (erf) GELU. */
export function gelu(x: Value): Value {
  return addOp('Gelu', [x], x.shape, {}, 'com.microsoft');
}

/** x · sigmoid(x). */
export function silu(x: Value): Value {
  return mul(x, sigmoid(x));
}

/** SwiGLU (Shazeer 2020): x·sigmoid(x) of `gate`, times `up`. */
export function swiglu(gate: Value, up: Value): Value {
  const s = sigmoid(gate);
  const active = mul(gate, s);
  return defineGradient(
    gate.graph,
    [gate, up],
    () => [mul(active, up)],
    (_, [g]) => {
      // (x·σ(x))' = σ(x)·(1 + x − x·σ(x))
      const slope = mul(s, add(sub(gate, active), 1));
      return [mul(mul(g!, up), slope), mul(g!, active)];
    },
  )[0];
}

/** Batched matrix product over the last two axes: alpha · op(a) op(b). */
export function matmul(
  a: Value,
  b: Value,
  options: { transA?: boolean; transB?: boolean; alpha?: number } = {},
): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  const m = a.shape.at(transA ? -1 : -2)!;
  const n = b.shape.at(transB ? -2 : -1)!;
  requireEqual('matmul', a.shape.at(transA ? -2 : -1)!, b.shape.at(transB ? -1 : -2)!, a, b);
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const attributes = { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } };
  return addOp('FusedMatMul', [a, b], [...batch, m, n], attributes, 'com.microsoft');
}

/** op(a) op(b) + bias for matrices; `bias` of shape [columns] or none. */
export function gemm(a: Value, b: Value, bias: Value | null, transA: boolean, transB: boolean): Value {
  requireEqual('gemm', a.shape[transA ? 0 : 1], b.shape[transB ? 1 : 0], a, b);
  const shape: Shape = [a.shape[transA ? 1 : 0], b.shape[transB ? 0 : 1]];
  return addOp('Gemm', bias ? [a, b, bias] : [a, b], shape, {
    transA: Number(transA),
    transB: Number(transB),
  });
}

/** A linear layer as Hugging Face stores it: x [N, in], weight [out, in], bias [out] or none → [N, out]. */
export function linear(x: Value, weight: Value, bias: Value | null = null): Value {
  return gemm(x, weight, bias, false, true);
}

/**
 * Same elements, another shape. Named dimensions are found by position or as the one that is left over;
 * where that does not decide, use `reshapeLike`.
 */
export function reshape(x: Value, shape: Shape): Value {
  const target = reshapeTarget(x.shape, shape);
  if (!target) throw new Error(`cannot tell how ${showShape(x.shape)} becomes ${showShape(shape)}`);
  return addOp('Reshape', [x, ints(x.graph, target)], shape);
}

/** Same elements, in the shape that `like` has at run time. */
export function reshapeLike(x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x;
  const target = reshapeTarget(x.shape, like.shape);
  if (target) return addOp('Reshape', [x, ints(x.graph, target)], like.shape);
  const shape = addOp('Shape', [like], [like.shape.length], {}, '', 'int64');
  return addOp('Reshape', [x, shape], like.shape);
}

function reshapeTarget(from: Shape, to: Shape): number[] | null {
  let open = 0;
  const target = to.map((dim, i) => {
    if (typeof dim === 'number') return dim;
    if (from[i] === dim) return 0;
    open++;
    return -1;
  });
  return open <= 1 ? target : null;
}

export function transpose(x: Value, permutation: readonly number[]): Value {
  return addOp(
    'Transpose',
    [x],
    permutation.map((i) => x.shape[i]),
    { perm: [...permutation] },
  );
}

/** Sum over axes. */
export function reduceSum(x: Value, axes: readonly number[], keep = false): Value {
  return reduce('ReduceSum', x, axes, keep);
}

/** Mean over axes. */
export function reduceMean(x: Value, axes: readonly number[], keep = false): Value {
  return reduce('ReduceMean', x, axes, keep);
}

function reduce(op: string, x: Value, axes: readonly number[], keep: boolean): Value {
  const at = axes.map((a) => (a < 0 ? a + x.shape.length : a));
  const shape = x.shape
    .map((d, i): Dim => (at.includes(i) ? 1 : d))
    .filter((_, i) => keep || !at.includes(i));
  return addOp(op, [x, ints(x.graph, axes)], shape, { keepdims: Number(keep) });
}

/** Softmax over the last axis. */
export function softmax(x: Value): Value {
  return addOp('Softmax', [x], x.shape, { axis: -1 });
}

/** Rows of x [R, …] at `index` [I] → [I, …]; differentiable where no row is taken twice. */
export function gatherRows(x: Value, index: Value): Value {
  return addOp('Gather', [x, index], [index.shape[0], ...x.shape.slice(1)], { axis: 0 });
}

/**
 * Rows of x [R, width] laid out anew: `index` [...] says which row stands in each slot → [..., width]; `inverse` [R] (flat
 * slot numbers) where each row went, so that the gradient is a gather too. Padding slots may repeat any row, as long
 * as no gradient comes back from them.
 */
export function layRows(x: Value, index: Value, inverse: Value): Value {
  return addOp('LayRows', [x, index, inverse], [...index.shape, ...x.shape.slice(1)], {}, 'composite');
}

/** The way back from `layRows`: slots [..., width] → rows [R, width]; the gradient of a padding slot is that of some row, so mask it. */
export function liftRows(x: Value, index: Value, inverse: Value): Value {
  const flat = reshape(x, [index.shape.join('·'), x.shape.at(-1)!]);
  return addOp('LiftRows', [flat, inverse, index], [inverse.shape[0], x.shape.at(-1)!], {}, 'composite');
}

/**
 * Rows of a table at ids that may repeat. The graph passes no gradient on to the table: take the gradient by the result
 * and add its rows up outside (a scatter with repeated rows has no fixed order on several threads).
 */
export function lookUp(table: Value, ids: Value): Value {
  return addOp('LookUp', [table, ids], [ids.shape[0], ...table.shape.slice(1)], {}, 'composite');
}

/** A copy of x [R, …] whose rows at `index` [I] (all different) are replaced by `rows` [I, …]. */
export function replaceRows(x: Value, index: Value, rows: Value): Value {
  const at = addOp('Unsqueeze', [index, ints(x.graph, [-1])], [...index.shape, 1], {}, '', index.type);
  return addOp('ScatterND', [x, at, rows], x.shape);
}

export function concat(values: readonly Value[], axis: number): Value {
  const sizes = values.map((v) => v.shape[axis]);
  const total = sizes.every((s) => typeof s === 'number')
    ? sizes.reduce((a, b) => (a as number) + (b as number))
    : sizes.join('+');
  return addOp(
    'Concat',
    values,
    values[0].shape.map((d, i) => (i === axis ? total : d)),
    { axis },
  );
}

/** The parts one after another, `size` in all: the way back from `splitAt`. */
export function joinAt(values: readonly Value[], counts: Value, size: Dim, axis: number): Value {
  const shape = values[0].shape.map((d, i) => (i === axis ? size : d));
  const sizes = values.map((v) => v.shape[axis]);
  return defineGradient(
    counts.graph,
    values,
    () => [addOp('Concat', values, shape, { axis })],
    (_, [g]) => splitAt(g!, counts, sizes, axis),
  )[0];
}

/** Cuts x along `axis` into parts of the given sizes. */
export function split(x: Value, sizes: readonly number[], axis: number): Value[] {
  return splitAt(x, ints(x.graph, sizes), sizes, axis);
}

/** As `split`, with sizes that only `counts` (int64, one a part) knows at run time. */
export function splitAt(x: Value, counts: Value, sizes: readonly Dim[], axis: number): Value[] {
  const outputs = sizes.map((size) => ({ shape: x.shape.map((d, i) => (i === axis ? size : d)) }));
  return addNode('Split', [x, counts], outputs, { axis });
}

/** Root-mean-square normalisation over the last axis, times `weight` (Zhang & Sennrich 2019). */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  const inverse = [...x.shape.slice(0, -1), 1];
  const attributes = { axis: -1, epsilon: { float: epsilon } };
  return addNode(
    'SimplifiedLayerNormalization',
    [x, weight],
    [{ shape: x.shape }, { shape: inverse }],
    attributes,
  )[0];
}

/**
 * Rotary positions (Su et al. 2021), halves rotated against each other: x [N, heads·headDim] with one row of
 * `cos` and `sin` [N, headDim/2] a token.
 */
export function rotary(x: Value, cos: Value, sin: Value): Value {
  const batched = addOp('Unsqueeze', [x, ints(x.graph, [0])], [1, ...x.shape]);
  const offset = ints(x.graph, [0]);
  const turned = addOp('RotaryEmbedding', [batched, offset, cos, sin], batched.shape, {}, 'com.microsoft');
  return addOp('Squeeze', [turned, ints(x.graph, [0])], x.shape);
}

/** log softmax over the last axis. */
export function logSoftmax(x: Value): Value {
  return addOp('LogSoftmax', [x], x.shape, { axis: -1 });
}

/** x [M, V] at one column a row → [M]. */
export function takeTargets(x: Value, targets: Value): Value {
  const at = addOp('Unsqueeze', [targets, ints(x.graph, [-1])], [...targets.shape, 1], {}, '', targets.type);
  const taken = addOp('GatherElements', [x, at], [x.shape[0], 1], { axis: -1 });
  return addOp('Squeeze', [taken, ints(x.graph, [-1])], [x.shape[0]]);
}

/** log softmax of logits [M, V] at one column a row → [M]. */
export function targetLogProbs(logits: Value, targets: Value): Value {
  const all = logSoftmax(logits);
  return defineGradient(
    logits.graph,
    [logits, targets],
    () => [takeTargets(all, targets)],
    (node, [g]) => {
      const column = (v: Value) =>
        addOp('Unsqueeze', [v, ints(v.graph, [-1])], [v.shape[0], 1], {}, '', v.type);
      const others = mul(exp(all), neg(column(g!)));
      const own = mul(g!, oneMinus(exp(node.outputs[0])));
      const at = [others, column(targets), column(own)];
      return [addOp('ScatterElements', at, logits.shape, { axis: 1 }), null];
    },
  )[0];
}

function requireEqual(op: string, a: Dim, b: Dim, x: Value, y: Value): void {
  if (a !== b) throw new Error(`${op}: ${showShape(x.shape)} and ${showShape(y.shape)} do not fit`);
}
