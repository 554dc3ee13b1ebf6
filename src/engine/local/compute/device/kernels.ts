/**
 * Small graphs over tensors that stay on the device: what training and sampling do with state between passes. One
 * session for each graph and number of axes, made when first needed and kept as long as the thread.
 */
import type * as ort from 'onnxruntime-node';
import { WEBGPU } from '../../../../graph/lower.ts';
import { emit } from '../../../../graph/onnx.ts';
import {
  add,
  concat,
  div,
  gatherRows,
  mul,
  reduceSum,
  replaceRows,
  split,
  sub,
} from '../../../../graph/ops.ts';
import { addOp, type DataType, input, newGraph, type Shape, type Value } from '../../../../graph/tensor.ts';
import { createSession, type Feeds } from '../sessions.ts';

type Take = (name: string, shape: Shape, type?: DataType) => Value;
type Results = Record<string, Value>;

/** x: an input of the shape that the first feed has. */
const KERNELS = {
  /** A tensor of the host's, on the device. */
  upload: (_, x) => ({ result: addOp('Identity', [x], x.shape) }),
  zeros: (_, x) => ({ result: sub(x, x) }),
  add: (take, x) => ({ result: add(x, take('y', x.shape)) }),
  /** `sum` [1] + Σ x². Row by row, so that few numbers are added to a large sum. */
  addSquares: (take, x) => {
    const squares = mul(x, x);
    const rows = x.shape.length > 1 ? reduceSum(squares, [-1]) : squares;
    const axes = rows.shape.map((_, axis) => axis);
    return { result: add(take('sum', [1]), reduceSum(rows, axes)) };
  },
  /** Matrix x with `rows` added to its rows at `index`, all different. */
  addRows: (take, x) => {
    const index = take('index', ['I'], 'int64');
    const sums = add(gatherRows(x, index), take('rows', ['I', x.shape[1]]));
    return { result: replaceRows(x, index, sums) };
  },
  /** `moveRange` of adamw.ts, x the weights; `coefficients`: clip, beta1, 1 − beta1, beta2, 1 − beta2, rate, eps, keep. */
  adamW: (take, x) => {
    const [gradient, m, v] = ['gradient', 'first', 'second'].map((name) => take(name, x.shape));
    const parts = split(take('coefficients', [8]), Array(8).fill(1), 0);
    const [clip, beta1, new1, beta2, new2, rate, eps, keep] = parts;
    const g = mul(gradient, clip);
    const first = add(mul(m, beta1), mul(g, new1));
    const second = add(mul(v, beta2), mul(mul(g, g), new2));
    const move = div(mul(first, rate), add(addOp('Sqrt', [second], x.shape), eps));
    return { weight: add(mul(x, keep), move), newFirst: first, newSecond: second };
  },
  /** x [P, kv, S, L, d] with as many empty slots behind the L. */
  doubleSlots: (_, x) => ({ result: concat([x, sub(x, x)], 3) }),
  /** Entries of the first axis. */
  gather: (take, x) => ({ result: gatherRows(x, take('index', ['I'], 'int64')) }),
  /** Rows of x as a matrix of shape `matrix`, put into `shape`. */
  regrid: (take, x) => {
    const matrix = addOp('Reshape', [x, take('matrix', [2], 'int64')], ['R', 'W']);
    const rows = gatherRows(matrix, take('index', ['I'], 'int64'));
    const axes = x.shape.map((_, axis) => `e${axis}`);
    return { result: addOp('Reshape', [rows, take('shape', [axes.length], 'int64')], axes) };
  },
} satisfies Record<string, (take: Take, x: Value) => Results>;

export type Kernel = keyof typeof KERNELS | 'read';

const OPTIONS: ort.InferenceSession.SessionOptions = { executionProviders: ['webgpu'], logSeverityLevel: 3 };
const sessions = new Map<string, Promise<ort.InferenceSession>>();

/** Runs a kernel on `x` and further feeds; the results are on the device, those of 'read' in the host's memory. Throws InputError where the provider does not run. */
export async function runKernel(
  kernel: Kernel,
  x: ort.Tensor,
  more: Feeds = {},
): Promise<Record<string, ort.Tensor>> {
  const rank = x.dims.length;
  const key = `${kernel} ${rank}`;
  let session = sessions.get(key);
  if (!session) {
    session = makeKernel(kernel, rank);
    sessions.set(key, session);
  }
  return (await (await session).run({ x, ...more })) as Record<string, ort.Tensor>;
}

/** A kernel with one result, called `result`. */
export async function compute(kernel: Kernel, x: ort.Tensor, more: Feeds = {}): Promise<ort.Tensor> {
  return (await runKernel(kernel, x, more)).result;
}

function makeKernel(kernel: Kernel, rank: number): Promise<ort.InferenceSession> {
  const graph = newGraph();
  const take: Take = (name, shape, type = 'float32') => input(graph, name, type, shape);
  const x = take(
    'x',
    Array.from({ length: rank }, (_, axis) => `d${axis}`),
  );
  const results: Results = kernel === 'read' ? KERNELS.upload(take, x) : KERNELS[kernel](take, x);
  const stays = kernel === 'read' ? [] : Object.keys(results);
  return createSession(emit(graph, results, WEBGPU), OPTIONS, stays);
}
