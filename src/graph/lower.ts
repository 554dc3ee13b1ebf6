/**
 * Operators that a provider of ONNX Runtime lacks, written as ones that it has when a graph is emitted (`onnx.ts`).
 * Graphs are built and differentiated with the operators that suit the CPU; a rule here gives the same results.
 */
import { add, exp, mul, reduceMean, reduceSum, sub, transpose } from './ops.ts';
import { addOp, ints, type Node, type Value } from './tensor.ts';

/** Operator → results equal to the node's, built of other operators; null for one that is not live. */
export type Lowering = Readonly<
  Record<string, (node: Node, live: ReadonlySet<Value>) => readonly (Value | null)[]>
>;

/** The nodes that stand for a node: itself, or what the rule of its operator builds, which make its live outputs. */
export function lower(node: Node, lowering: Lowering, live: ReadonlySet<Value>): readonly Node[] {
  const rule = lowering[node.op];
  if (!rule) return [node];
  const { nodes } = node.outputs[0].graph;
  const from = nodes.length;
  const results = rule(node, live);
  const standIn = new Map<Value, Value>();
  results.forEach((result, i) => {
    if (result) standIn.set(result, node.outputs[i]);
  });
  const named = (value: Value) => standIn.get(value) ?? value;
  return nodes.splice(from).map((made) => ({
    ...made,
    inputs: made.inputs.map((v) => v && named(v)),
    outputs: made.outputs.map(named),
  }));
}

/**
 * What the WebGPU provider of ONNX Runtime 1.30 lacks and would hand, with its tensors, to the CPU: FusedMatMul and
 * LogSoftmax. And what it gets wrong: the second result of SimplifiedLayerNormalization, 1/rms, holds means instead.
 */
export const WEBGPU: Lowering = {
  FusedMatMul: ({ inputs, attributes, outputs: [{ shape }] }) => {
    const [a, b] = inputs as [Value, Value];
    const { transA, transB } = attributes;
    const { float: alpha } = attributes.alpha as { float: number };
    const left = transA ? transposeMatrix(a) : a;
    const right = transB ? transposeMatrix(b) : b;
    if (alpha === 1) return [addOp('MatMul', [left, right], shape)];
    // of scores, which are large, and queries, which are small, the queries are scaled
    if (typeof left.shape.at(-1) === 'number') return [addOp('MatMul', [mul(left, alpha), right], shape)];
    return [mul(addOp('MatMul', [left, right], shape), alpha)];
  },
  LogSoftmax: ({ inputs }) => {
    const x = inputs[0]!;
    const row = [...x.shape.slice(0, -1), 1];
    const shifted = sub(x, addOp('ReduceMax', [x, ints(x.graph, [-1])], row, { keepdims: 1 }));
    return [sub(shifted, addOp('Log', [reduceSum(exp(shifted), [-1], true)], row))];
  },
  SimplifiedLayerNormalization: ({ op, inputs, attributes, outputs: [normal, inverse] }, live) => {
    const x = inputs[0]!;
    const { float: epsilon } = attributes.epsilon as { float: number };
    const rms = () => addOp('Sqrt', [add(reduceMean(mul(x, x), [-1], true), epsilon)], inverse.shape);
    return [
      live.has(normal) ? addOp(op, inputs, normal.shape, { ...attributes }) : null,
      live.has(inverse) ? addOp('Reciprocal', [rms()], inverse.shape) : null,
    ];
  },
};

function transposeMatrix(x: Value): Value {
  const axes = x.shape.map((_, i) => i);
  return transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}
