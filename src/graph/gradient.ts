/** Reverse-mode automatic differentiation over a graph: walks the nodes backwards and applies the rules. */
import { add } from './ops.ts';
import { RULES } from './rules.ts';
import type { Graph, Node, Value } from './tensor.ts';

/**
 * Gradients of Σ seed·value over the given (value, seed) pairs with respect to `wanted`, added to the graph.
 * A wanted value that nothing depends on gets null. Throws where a gradient meets an operator without a rule.
 * `from`: number of the first node to walk back to; what stands before it is taken as given.
 */
export function gradients(
  graph: Graph,
  seeds: readonly [Value, Value][],
  wanted: readonly Value[],
  from = 0,
): (Value | null)[] {
  const forward: Node[] = graph.nodes.slice(from).filter((node) => !graph.inner.has(node));
  const relevant = new Set<Value>(wanted);
  for (const node of forward) {
    if (node.inputs.some((v) => v !== null && relevant.has(v))) for (const o of node.outputs) relevant.add(o);
  }
  const grads = new Map<Value, Value>();
  const accumulate = (value: Value, grad: Value) => {
    const known = grads.get(value);
    grads.set(value, known ? add(known, grad) : grad);
  };
  for (const [value, seed] of seeds) accumulate(value, seed);

  for (const node of forward.reverse()) {
    if (!node.outputs.some((o) => relevant.has(o) && grads.has(o))) continue;
    const rule = node.gradient ?? RULES[node.op];
    if (!rule) throw new Error(`no differentiation rule for operator ${node.op}`);
    const needs = (i: number) => node.inputs[i] !== null && relevant.has(node.inputs[i]!);
    const result = rule(
      node,
      node.outputs.map((o) => grads.get(o) ?? null),
      needs,
    );
    result.forEach((grad, i) => {
      if (grad && needs(i)) accumulate(node.inputs[i]!, grad);
    });
  }
  return wanted.map((v) => grads.get(v) ?? null);
}
