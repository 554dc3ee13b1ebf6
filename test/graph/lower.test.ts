import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/graph/gradient.ts';
import { WEBGPU } from '../../src/graph/lower.ts';
import { emit } from '../../src/graph/onnx.ts';
import { addNode, input, newGraph, type Value } from '../../src/graph/tensor.ts';
import { distance, evaluator, noise, norm } from './evaluate.ts';
import { CASES, type RuleCase } from './rule-cases.ts';

const operators = (model: Uint8Array) => new TextDecoder('latin1').decode(model);

/** The result of a case, and its gradients by whatever has one. */
function graphOf({ inputs, declared, build }: RuleCase) {
  const graph = newGraph();
  const values: Record<string, Value> = {};
  for (const [name, { shape, type = 'float32' }] of Object.entries(inputs))
    values[name] = input(graph, name, type, declared?.[name] ?? shape);
  const result = build(values);
  const wanted = Object.values(values).filter((v) => v.type === 'float32');
  const outputs: Record<string, Value> = { result };
  gradients(graph, [[result, result]], wanted).forEach((grad, i) => {
    if (grad) outputs[`by ${wanted[i].name}`] = grad;
  });
  return { graph, outputs };
}

describe('operators that WebGPU lacks are written as others', () => {
  for (const operator of ['FusedMatMul', 'LogSoftmax', 'SimplifiedLayerNormalization']) {
    it.each(Object.entries(CASES[operator]))(
      `${operator}, %s: the same result and gradients`,
      async (_, of) => {
        const { graph, outputs } = graphOf(of);
        const before = await (await evaluator(graph, outputs))(of.inputs);
        const after = await (await evaluator(graph, outputs, WEBGPU))(of.inputs);
        for (const [name, { shape, data }] of Object.entries(before)) {
          expect(after[name].shape).toEqual(shape);
          expect(distance(after[name].data, data), name).toBeLessThan(1e-6 * (1 + norm(data)));
        }
      },
    );
  }

  it('and no longer there', () => {
    for (const operator of ['FusedMatMul', 'LogSoftmax'])
      for (const of of Object.values(CASES[operator])) {
        const { graph, outputs } = graphOf(of);
        expect(operators(emit(graph, outputs))).toContain(operator);
        expect(operators(emit(graph, outputs, WEBGPU))).not.toContain(operator);
      }
  });

  it('LogSoftmax: without overflow, and without 0 for small probabilities', async () => {
    const { graph, outputs } = graphOf(Object.values(CASES.LogSoftmax)[0]);
    const [{ name }] = graph.inputs;
    const run = await evaluator(graph, { result: outputs.result }, WEBGPU);
    const { result } = await run({ [name]: { shape: [2, 3], data: [900, 700, 900, -900, -900, -700] } });
    const half = -Math.LN2;
    expect(distance(result.data, [half, half - 200, half, -200, -200, 0])).toBeLessThan(1e-4);
  });

  it('1/rms beside the normalised rows, or alone', async () => {
    const graph = newGraph();
    const x = input(graph, 'x', 'float32', ['N', 4]);
    const weight = input(graph, 'weight', 'float32', [4]);
    const [, inverse] = addNode(
      'SimplifiedLayerNormalization',
      [x, weight],
      [{ shape: ['N', 4] }, { shape: ['N', 1] }],
      { axis: -1, epsilon: { float: 0.01 } },
    );
    const data = noise(8, 1);
    const rms = (row: number[]) => Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / 4 + 0.01);
    const expected = [1 / rms(data.slice(0, 4)), 1 / rms(data.slice(4))];
    const run = await evaluator(graph, { inverse }, WEBGPU);
    const feeds = { x: { shape: [2, 4], data }, weight: { shape: [4], data: [1, 2, 3, 4] } };
    const { shape, data: found } = (await run(feeds)).inverse;
    expect(shape).toEqual([2, 1]);
    expect(distance(found, expected)).toBeLessThan(1e-5);
    expect(operators(emit(graph, { inverse }, WEBGPU))).not.toContain('SimplifiedLayerNormalization');
  });
});
