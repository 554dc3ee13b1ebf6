import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { emit, usedInputs } from '../../src/graph/onnx.ts';
import * as op from '../../src/graph/ops.ts';
import { constant, input, newGraph, type Value } from '../../src/graph/tensor.ts';
import { evaluator } from './evaluate.ts';

function twoRoads() {
  const graph = newGraph();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => input(graph, name, 'float32', ['N', 2]));
  return { graph, a, b, c, sum: op.add(a, b), product: op.mul(b, c) };
}

describe('emitted models', () => {
  it('load, and declare the inputs and outputs that were asked for', async () => {
    const { graph, sum } = twoRoads();
    const session = await ort.InferenceSession.create(emit(graph, { total: sum }));
    expect(session.inputNames).toEqual(['a', 'b']);
    expect(session.outputNames).toEqual(['total']);
    expect(session.inputMetadata).toMatchObject([
      { name: 'a', type: 'float32', shape: ['N', 2] },
      { name: 'b', type: 'float32', shape: ['N', 2] },
    ]);
  });

  it('leave out nodes, constants and inputs that no output needs', () => {
    const { graph, sum, product } = twoRoads();
    const before = emit(graph, { sum });
    op.exp(op.mul(product, 7));
    constant(graph, new Float32Array(1000), [1000]);
    input(graph, 'unused', 'float32', []);
    expect(emit(graph, { sum })).toEqual(before);
    expect(emit(graph, { sum, product }).length).toBeGreaterThan(before.length);
  });

  it('need the inputs that usedInputs names, in the order of declaration', () => {
    const { graph, sum, product } = twoRoads();
    expect(usedInputs(graph, { product })).toEqual(['b', 'c']);
    expect(usedInputs(graph, { product, sum })).toEqual(['a', 'b', 'c']);
    expect(usedInputs(graph, { one: constant(graph, 1) })).toEqual([]);
  });

  it('do not need an index that only the gradient of a composite operator uses', () => {
    const graph = newGraph();
    const x = input(graph, 'x', 'float32', ['R', 2]);
    const index = input(graph, 'index', 'int32', ['S']);
    const laid = op.layRows(x, index, input(graph, 'inverse', 'int32', ['R']));
    expect(usedInputs(graph, { laid })).toEqual(['x', 'index']);
  });

  it('return a value under several names, an input or a constant as it is', async () => {
    const { graph, a, sum } = twoRoads();
    const half = constant(graph, 0.5);
    const run = await evaluator(graph, { sum, again: sum, same: a, half });
    const row = (...data: number[]) => ({ shape: [1, 2], data });
    expect(await run({ a: row(1, 2), b: row(3, 4) })).toEqual({
      sum: row(4, 6),
      again: row(4, 6),
      same: row(1, 2),
      half: { shape: [], data: [0.5] },
    });
  });

  it('carry negative integers and vectors of constants', async () => {
    const graph = newGraph();
    const x = input(graph, 'x', 'float32', ['N', 3]);
    const scaled = op.mul(x, constant(graph, new Float32Array([1, -2, 0.25]), [3]));
    const run = await evaluator(graph, { out: op.reduceSum(scaled, [-1]) });
    const out = await run({ x: { shape: [2, 3], data: [1, 2, 4, 0, -1, 8] } });
    expect(out.out).toEqual({ shape: [2], data: [-2, 4] });
  });
});

describe('building', () => {
  const graph = newGraph();
  const value = (...shape: (number | string)[]): Value =>
    input(graph, `v${graph.inputs.length}`, 'float32', shape);

  it('refuses shapes that do not fit, naming them', () => {
    expect(() => op.add(value(2, 3), value(2, 4))).toThrow('shapes [2, 3] and [2, 4] do not broadcast');
    expect(() => op.matmul(value('N', 3), value(4, 2))).toThrow('matmul: [N, 3] and [4, 2] do not fit');
    expect(() => op.linear(value('N', 3), value(4, 2))).toThrow('gemm: [N, 3] and [4, 2] do not fit');
    expect(() => op.reshape(value('N', 3), ['A', 'B'])).toThrow('cannot tell how [N, 3] becomes [A, B]');
  });

  it('shares equal constants', () => {
    const own = newGraph();
    const x = input(own, 'x', 'float32', [2]);
    op.mul(x, 0.5);
    op.add(x, 0.5);
    expect(own.constants.size).toBe(1);
  });
});
