/**
 * Runs a small graph on one execution provider of ONNX Runtime and compares the numbers, then measures float32
 * matrix products. A process of its own: a provider that is missing or has no device may abort or hang.
 *
 *     node probe.js PROVIDER THREADS      prints one JSON line, a `Probe`
 */
import * as ort from 'onnxruntime-node';
import { emit } from '../../../graph/onnx.ts';
import { add, reduceSum } from '../../../graph/ops.ts';
import { addOp, input, newGraph, type Value } from '../../../graph/tensor.ts';
import type { Probe } from './report.ts';

/** Chained products of [size, size] matrices, so that copying in and out does not count. */
const SIZE = 1024;
const PRODUCTS = 4;
/** Below this speed (a GPU played by the CPU) a smaller size has to do: the large one would take a minute. */
const SMALL_SIZE = 256;
const SLOW_GFLOPS = 2;
/** At least this long, and the fastest run counts: other programs can only make it slower. */
const MEASURE_MS = 400;

const matmul = (a: Value, b: Value) => addOp('MatMul', [a, b], a.shape);

async function session(
  provider: string,
  threads: number,
  build: (a: Value, b: Value) => Value,
  size: number,
) {
  const graph = newGraph();
  const output = build(
    input(graph, 'a', 'float32', [size, size]),
    input(graph, 'b', 'float32', [size, size]),
  );
  return ort.InferenceSession.create(emit(graph, { output }), {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    // Without this, a provider that can do nothing hands every node to the CPU and seems to work.
    ...(provider === 'cpu' ? {} : { extra: { session: { disable_cpu_ep_fallback: '1' } } }),
  });
}

function square(size: number, value: (row: number, column: number) => number): ort.Tensor {
  const data = Float32Array.from({ length: size * size }, (_, i) => value(Math.floor(i / size), i % size));
  return new ort.Tensor('float32', data, [size, size]);
}

/** a·b + a over small integers, which float32 holds exactly whatever the order of the sums. */
async function computesRight(provider: string, threads: number): Promise<boolean> {
  const size = 48;
  const a = (i: number, j: number) => ((i * 7 + j * 3) % 11) - 5;
  const b = (i: number, j: number) => ((i * 5 + j * 2) % 13) - 6;
  const run = await session(provider, threads, (x, y) => add(matmul(x, y), x), size);
  const { output } = await run.run({ a: square(size, a), b: square(size, b) });
  const expected = square(size, (i, j) => {
    let sum = a(i, j);
    for (let k = 0; k < size; k++) sum += a(i, k) * b(k, j);
    return sum;
  });
  return (output.data as Float32Array).every((value, i) => value === (expected.data as Float32Array)[i]);
}

async function measureGflops(provider: string, threads: number, size: number): Promise<number> {
  const chain = (x: Value, y: Value) => {
    let product = x;
    for (let i = 0; i < PRODUCTS; i++) product = matmul(product, y);
    return reduceSum(product, [0, 1]);
  };
  const run = await session(provider, threads, chain, size);
  const feeds = {
    a: square(size, (i, j) => ((i + j) % 7) - 3),
    b: square(size, (i, j) => (((i * 3 + j) % 5) - 2) / 64),
  };
  await run.run(feeds);
  let bestMs = Number.POSITIVE_INFINITY;
  const until = performance.now() + MEASURE_MS;
  while (performance.now() < until) {
    const start = performance.now();
    await run.run(feeds);
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  return (PRODUCTS * 2 * size ** 3) / bestMs / 1e6;
}

/** ONNX Runtime puts its own source line and assertion before what it has to say. */
function reason(message: string): string {
  return message
    .split('\n')[0]
    .replace(/^.* was false\. /, '')
    .replace(/^\w+: (?=[A-Z])/, '');
}

async function probe(provider: string, threads: number): Promise<Probe> {
  try {
    if (!(await computesRight(provider, threads)))
      return { runs: false, why: 'a small graph gave wrong numbers' };
    const small = await measureGflops(provider, threads, SMALL_SIZE);
    const gflops = small < SLOW_GFLOPS ? small : await measureGflops(provider, threads, SIZE);
    return { runs: true, gflops: Number(gflops.toPrecision(3)) };
  } catch (error) {
    return { runs: false, why: reason((error as Error).message) };
  }
}

const [provider, threads] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await probe(provider, Number(threads)))}\n`);
// Some providers keep the process alive after the work is done.
process.exit(0);
