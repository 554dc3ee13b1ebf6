/**
 * Reverse-mode differentiation rules, one short entry an operator: given a node and the gradients of its outputs,
 * the gradients of its inputs (null: none flows there). An operator without an entry is an error when a gradient
 * has to pass through it.
 */
import {
  add,
  div,
  erf,
  exp,
  gatherRows,
  gemm,
  layRows,
  liftRows,
  matmul,
  mul,
  neg,
  oneMinus,
  reduceSum,
  reshape,
  reshapeLike,
  rotary,
  split,
  sub,
  transpose,
} from './ops.ts';
import { addOp, constant, intScalar, ints, type Node, type Rule, type Value } from './tensor.ts';

/** Sums a gradient down to the shape of the broadcast operand. */
export function unbroadcast(grad: Value, like: Value): Value {
  const extra = grad.shape.length - like.shape.length;
  const lead = extra > 0 ? reduceSum(grad, [...Array(extra).keys()]) : grad;
  const stretched = like.shape.flatMap((d, i) => (d === 1 && lead.shape[i] !== 1 ? [i] : []));
  return stretched.length > 0 ? reduceSum(lead, stretched, true) : lead;
}

const only =
  (rule: (node: Node, grad: Value, needs: (i: number) => boolean) => (Value | null)[]): Rule =>
  (node, grads, needs) =>
    rule(node, grads[0]!, needs);

const in0 = (node: Node) => node.inputs[0]!;
const in1 = (node: Node) => node.inputs[1]!;
const out = (node: Node) => node.outputs[0];

export const RULES: Record<string, Rule> = {
  Add: only((n, g) => [unbroadcast(g, in0(n)), unbroadcast(g, in1(n))]),
  Sub: only((n, g, needs) => [
    needs(0) ? unbroadcast(g, in0(n)) : null,
    needs(1) ? unbroadcast(neg(g), in1(n)) : null,
  ]),
  Mul: only((n, g, needs) => [
    needs(0) ? unbroadcast(mul(g, in1(n)), in0(n)) : null,
    needs(1) ? unbroadcast(mul(g, in0(n)), in1(n)) : null,
  ]),
  Div: only((n, g, needs) => [
    needs(0) ? unbroadcast(div(g, in1(n)), in0(n)) : null,
    needs(1) ? unbroadcast(neg(div(mul(g, out(n)), in1(n))), in1(n)) : null,
  ]),
  Neg: only((_, g) => [neg(g)]),
  Exp: only((n, g) => [mul(g, out(n))]),
  Sigmoid: only((n, g) => [mul(g, mul(out(n), oneMinus(out(n))))]),
  Erf: only((n, g) => {
    const x = in0(n);
    return [mul(g, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))];
  }),
  Gelu: only((n, g) => {
    const x = in0(n);
    const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    const cumulative = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
    return [mul(g, add(cumulative, mul(x, density)))];
  }),
  Softmax: only((n, g) => {
    const y = out(n);
    return [mul(sub(g, reduceSum(mul(g, y), [-1], true)), y)];
  }),
  LogSoftmax: only((n, g) => [sub(g, mul(exp(out(n)), reduceSum(g, [-1], true)))]),
  GatherElements: only((n, g) => {
    const [x, at] = [in0(n), in1(n)];
    const columns = x.shape.at(-1);
    if (typeof columns !== 'number') throw new Error('GatherElements: the last axis must have a known size');
    const flat = addOp('Squeeze', [at, ints(x.graph, [-1])], [at.shape[0]], {}, '', at.type);
    const onOff = constant(x.graph, new Float32Array([0, 1]), [2]);
    return [mul(g, addOp('OneHot', [flat, intScalar(x.graph, columns), onOff], x.shape, { axis: -1 })), null];
  }),
  FusedMatMul: only((n, g, needs) => {
    const [a, b] = [in0(n), in1(n)];
    const { transA, transB } = n.attributes;
    const alpha = (n.attributes.alpha as { float: number }).float;
    const gradA = () =>
      transA
        ? matmul(b, g, { transA: !!transB, transB: true, alpha })
        : matmul(g, b, { transB: !transB, alpha });
    const gradB = () =>
      transB
        ? matmul(g, a, { transA: true, transB: !!transA, alpha })
        : matmul(a, g, { transA: !transA, alpha });
    return [needs(0) ? unbroadcast(gradA(), a) : null, needs(1) ? unbroadcast(gradB(), b) : null];
  }),
  Gemm: only((n, g, needs) => {
    const [a, b] = [in0(n), in1(n)];
    const [transA, transB] = [!!n.attributes.transA, !!n.attributes.transB];
    const gradA = () => (transA ? gemm(b, g, null, transB, true) : gemm(g, b, null, false, !transB));
    const gradB = () => (transB ? gemm(g, a, null, true, transA) : gemm(a, g, null, !transA, false));
    return [
      needs(0) ? gradA() : null,
      needs(1) ? gradB() : null,
      n.inputs[2] && needs(2) ? reduceSum(g, [0]) : null,
    ];
  }),
  Reshape: only((n, g) => [reshapeLike(g, in0(n)), null]),
  Unsqueeze: only((n, g) => [addOp('Squeeze', [g, in1(n)], in0(n).shape), null]),
  Squeeze: only((n, g) => [addOp('Unsqueeze', [g, in1(n)], in0(n).shape), null]),
  Transpose: only((n, g) => {
    const permutation = n.attributes.perm as number[];
    return [
      transpose(
        g,
        permutation.map((_, i) => permutation.indexOf(i)),
      ),
    ];
  }),
  ReduceSum: only((n, g) => [spread(g, n), null]),
  ReduceMean: only((n, g) => {
    const count = reducedAxes(n).map((axis) => in0(n).shape[axis]);
    if (count.some((d) => typeof d !== 'number'))
      throw new Error('ReduceMean: the reduced axes must have known sizes');
    return [spread(mul(g, 1 / (count as number[]).reduce((a, b) => a * b, 1)), n), null];
  }),
  Concat: only((n, g) => {
    const axis = n.attributes.axis as number;
    const sizes = n.inputs.map((v) => v!.shape[axis]);
    if (sizes.some((d) => typeof d !== 'number')) throw new Error('Concat: the joined sizes must be known');
    return split(g, sizes as number[], axis);
  }),
  Split: (n, grads) => {
    const parts = n.outputs.map((part, i) => grads[i] ?? mul(part, 0));
    return [addOp('Concat', parts, in0(n).shape, { axis: n.attributes.axis }), null];
  },
  /** Right only where no row is taken twice: every use in this project selects distinct rows. */
  Gather: only((n, g) => {
    const [x, index] = [in0(n), in1(n)];
    if (n.attributes.axis !== 0) throw new Error('Gather: only the gradient by rows (axis 0) is known');
    const at = addOp('Unsqueeze', [index, ints(x.graph, [-1])], [...index.shape, 1], {}, '', index.type);
    return [addOp('ScatterND', [mul(x, 0), at, g], x.shape), null];
  }),
  LookUp: () => [null, null],
  LayRows: only((n, g) => [liftRows(g, in1(n), n.inputs[2]!), null, null]),
  LiftRows: only((n, g) => [reshapeLike(layRows(g, n.inputs[2]!, in1(n)), in0(n)), null, null]),
  ScatterND: only((n, g, needs) => {
    const [x, at, rows] = n.inputs as Value[];
    const index = addOp('Squeeze', [at, ints(x.graph, [-1])], [at.shape[0]], {}, '', at.type);
    const kept = () => addOp('ScatterND', [g, at, mul(rows, 0)], x.shape);
    return [needs(0) ? kept() : null, null, needs(2) ? gatherRows(g, index) : null];
  }),
  /** dx = g·w/rms − x·(Σ g·w·x)/(width·rms³): the sums as matrix products, which read each tensor once. */
  SimplifiedLayerNormalization: only((n, g, needs) => {
    const [x, weight] = [in0(n), in1(n)];
    const inverse = n.outputs[1];
    const width = weight.shape[0];
    if (x.shape.length !== 2 || typeof width !== 'number')
      throw new Error('SimplifiedLayerNormalization: rows of a known width are needed');
    const product = mul(g, x);
    const gradX = () => {
      const dots = gemm(product, reshape(weight, [width, 1]), null, false, false);
      const along = mul(mul(dots, mul(inverse, mul(inverse, inverse))), 1 / width);
      return sub(mul(mul(g, weight), inverse), mul(x, along));
    };
    const gradWeight = () => reshape(gemm(inverse, product, null, true, false), [width]);
    return [needs(0) ? gradX() : null, needs(1) ? gradWeight() : null];
  }),
  RotaryEmbedding: only((n, g) => {
    const [, , cos, sin] = n.inputs as Value[];
    const flat = (v: Value) => addOp('Squeeze', [v, ints(v.graph, [0])], v.shape.slice(1));
    const turned = rotary(flat(g), cos, neg(sin));
    return [addOp('Unsqueeze', [turned, ints(g.graph, [0])], g.shape), null, null, null];
  }),
};

function reducedAxes(node: Node): number[] {
  const axes = node.inputs[1]!.graph.constants.get(node.inputs[1]!.name)!.data;
  const rank = in0(node).shape.length;
  return Array.from(axes, Number).map((a) => (a < 0 ? a + rank : a));
}

/** The gradient of a reduction, stretched back over the reduced axes. */
function spread(grad: Value, node: Node): Value {
  const x = in0(node);
  const axes = reducedAxes(node);
  const keptShape = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const kept = node.attributes.keepdims ? grad : addOp('Unsqueeze', [grad, ints(x.graph, axes)], keptShape);
  const shape = addOp('Shape', [x], [x.shape.length], {}, '', 'int64');
  return addOp('Expand', [kept, shape], x.shape);
}
