/** Runs small graphs on ONNX Runtime (one thread, float32) and takes derivatives by finite differences. */
import * as ort from 'onnxruntime-node';
import type { Lowering } from '../../src/graph/lower.ts';
import { emit, usedInputs } from '../../src/graph/onnx.ts';
import type { DataType, Graph, Value } from '../../src/graph/tensor.ts';

export interface Tensor {
  shape: number[];
  data: number[];
  type?: DataType;
}

export type Evaluate = (feeds: Record<string, Tensor>) => Promise<Record<string, Tensor>>;

/** A function from feeds to outputs. Feeds that no output depends on may be given; they are left out. */
export async function evaluator(
  graph: Graph,
  outputs: Record<string, Value>,
  lowering: Lowering = {},
): Promise<Evaluate> {
  const session = await ort.InferenceSession.create(emit(graph, outputs, lowering), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const names = usedInputs(graph, outputs);
  return async (feeds) => {
    const given = Object.fromEntries(names.map((name) => [name, ortTensor(feeds[name])]));
    const results = await session.run(given);
    return Object.fromEntries(
      Object.entries(results).map(([name, { dims, data }]) => [
        name,
        { shape: [...dims], data: Array.from(data as Float32Array, Number) },
      ]),
    );
  };
}

function ortTensor({ shape, data, type = 'float32' }: Tensor): ort.Tensor {
  if (type === 'int64') return new ort.Tensor('int64', BigInt64Array.from(data.map(BigInt)), shape);
  if (type === 'int32') return new ort.Tensor('int32', Int32Array.from(data), shape);
  return new ort.Tensor('float32', Float32Array.from(data), shape);
}

/**
 * The derivative of `f` by each number of `at`, by central differences of fourth order (error O(h⁴)).
 * `f` is computed in float32, so h is large: what rounding adds falls with 1/h.
 */
export async function derivative(
  f: (at: number[]) => Promise<number>,
  at: readonly number[],
  h = 0.04,
): Promise<number[]> {
  const result: number[] = [];
  for (let i = 0; i < at.length; i++) {
    const moved = (by: number) => f(at.map((x, k) => (k === i ? x + by : x)));
    const near = (await moved(h)) - (await moved(-h));
    const far = (await moved(2 * h)) - (await moved(-2 * h));
    result.push((8 * near - far) / (12 * h));
  }
  return result;
}

/** Numbers in [-1, 1) that look random and are the same at every run. */
export function noise(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const x = Math.sin(12.9898 * (i + 1) + 78.233 * (seed + 1)) * 43758.5453;
    return 2 * (x - Math.floor(x)) - 1;
  });
}

export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
}

export function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}`);
  return norm(a.map((v, i) => v - b[i]));
}
