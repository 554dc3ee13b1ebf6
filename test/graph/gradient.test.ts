import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/graph/gradient.ts';
import * as op from '../../src/graph/ops.ts';
import { addOp, input, newGraph, type Value } from '../../src/graph/tensor.ts';
import { elements, evaluator, noise } from './evaluate.ts';

describe('gradients of Σ seed·value', () => {
  it('name the operator that has no rule', () => {
    const x = input(newGraph(), 'x', 'float32', [2]);
    const y = addOp('Sin', [x], [2]);
    expect(() => gradients(x.graph, [[y, y]], [x])).toThrow('no differentiation rule for operator Sin');
  });

  it('refuse a gather along another axis than the first', () => {
    const graph = newGraph();
    const [x, at] = [input(graph, 'x', 'float32', [2, 3]), input(graph, 'at', 'int64', [2])];
    const y = addOp('Gather', [x, at], [2, 2], { axis: 1 });
    expect(() => gradients(graph, [[y, y]], [x])).toThrow('Gather: only the gradient by rows');
  });

  it('do not ask for a rule where no gradient has to pass', () => {
    const graph = newGraph();
    const [x, fixed] = [input(graph, 'x', 'float32', [2]), input(graph, 'fixed', 'float32', [2])];
    const y = op.mul(x, addOp('Sin', [fixed], [2]));
    addOp('Cos', [x], [2]);
    expect(gradients(graph, [[y, y]], [x])[0]).not.toBeNull();
  });

  it('are null for a value that nothing seeded depends on', () => {
    const graph = newGraph();
    const [x, other] = [input(graph, 'x', 'float32', [2]), input(graph, 'other', 'float32', [2])];
    const y = op.exp(x);
    op.exp(other);
    expect(gradients(graph, [[y, y]], [x, other])[1]).toBeNull();
  });

  it('add up over every use of a value and over every seed', async () => {
    const graph = newGraph();
    const x = input(graph, 'x', 'float32', [2]);
    const square = op.mul(x, x);
    const cube = op.mul(square, x);
    const one = op.add(op.mul(x, 0), 1);
    const [byX, bySquare] = gradients(
      graph,
      [
        [cube, one],
        [square, op.mul(one, 10)],
      ],
      [x, square],
    ) as Value[];
    const out = await (await evaluator(graph, { byX, bySquare }))({ x: { shape: [2], data: [2, -3] } });
    expect(out.byX.data).toEqual([3 * 4 + 20 * 2, 3 * 9 - 20 * 3]);
    expect(out.bySquare.data).toEqual([2 + 10, -3 + 10]);
  });

  it('of a broadcast sum are the seed, summed over what was stretched, for all shapes that broadcast', async () => {
    const shapes = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.boolean()), { maxLength: 4 })
      .chain((axes) =>
        fc.record({
          a: fc.nat(axes.length).map((drop) => axes.map(([n, one]) => (one ? 1 : n)).slice(drop)),
          b: fc.constant(axes.map(([n, , one]) => (one ? 1 : n))),
        }),
      );
    await fc.assert(
      fc.asyncProperty(shapes, async ({ a: shapeA, b: shapeB }) => {
        const graph = newGraph();
        const [a, b] = [input(graph, 'a', 'float32', shapeA), input(graph, 'b', 'float32', shapeB)];
        const sum = op.add(a, b);
        const seed = input(graph, 'seed', 'float32', sum.shape);
        const [byA, byB] = gradients(graph, [[sum, seed]], [a, b]) as Value[];
        const shape = sum.shape as number[];
        const data = noise(elements(shape), 1).map((x) => Math.round(8 * x) || 0);
        const out = await (await evaluator(graph, { byA, byB }))({ seed: { shape, data } });
        expect(out.byA).toEqual({ shape: shapeA, data: summedDownTo(shapeA, shape, data) });
        expect(out.byB).toEqual({ shape: shapeB, data: summedDownTo(shapeB, shape, data) });
      }),
      { numRuns: 60 },
    );
  });
});

/** Adds every number of `data` into the slot of `to` that broadcasting takes it from. */
function summedDownTo(to: readonly number[], shape: readonly number[], data: readonly number[]): number[] {
  const result: number[] = Array(elements(to)).fill(0);
  data.forEach((value, flat) => {
    let slot = 0;
    let stride = 1;
    let rest = flat;
    for (let axis = 1; axis <= shape.length; axis++) {
      const at = rest % shape.at(-axis)!;
      rest = Math.floor(rest / shape.at(-axis)!);
      if (axis > to.length) continue;
      if (to.at(-axis) !== 1) slot += at * stride;
      stride *= to.at(-axis)!;
    }
    result[slot] += value;
  });
  return result;
}
