/**
 * Gradient checkpointing (Chen et al. 2016): a part of the graph whose inner values are not kept for the backward pass
 * but computed again there, from its input.
 */
import { gradients } from './gradient.ts';
import { add, mul, reduceSum } from './ops.ts';
import { defineGradient, type Node, type Value } from './tensor.ts';

/** `build(x)`, of whose nodes only the result lives on. */
export function recomputed(x: Value, build: (x: Value) => Value): Value {
  const { graph } = x;
  return defineGradient(
    graph,
    (made) => [x, ...borrowed(made).filter((v) => v !== x)],
    () => [build(x)],
    (node, [grad]) => {
      // A dependence on the gradient: otherwise the runtime would take both computations for one, or do the second early.
      const axes = grad!.shape.map((_, i) => i);
      const again = add(x, mul(reduceSum(grad!, axes), 0));
      const from = graph.nodes.length;
      const [, ...others] = node.inputs as Value[];
      return gradients(graph, [[build(again), grad!]], [again, ...others], from);
    },
  )[0];
}

/** Values that the nodes use but do not make, other than constants. */
function borrowed(nodes: readonly Node[]): Value[] {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const used = new Set(nodes.flatMap((node) => node.inputs.filter((v) => v !== null)));
  return [...used].filter((v) => !made.has(v) && !v.graph.constants.has(v.name));
}
