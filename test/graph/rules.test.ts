import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/graph/gradient.ts';
import { RULES } from '../../src/graph/rules.ts';
import { input, newGraph, type Value } from '../../src/graph/tensor.ts';
import { derivative, distance, elements, evaluator, noise, norm, type Tensor } from './evaluate.ts';
import { CASES, type RuleCase } from './rule-cases.ts';
import { WHOLES } from './whole-cases.ts';

describe('every differentiation rule is held to finite differences', () => {
  it('has a case for each operator of the table, and no other', () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(RULES).sort());
  });

  for (const [operator, cases] of Object.entries(CASES)) {
    describe(operator, () => {
      for (const [name, ruleCase] of Object.entries(cases)) {
        it(name, () => check(operator, ruleCase));
      }
    });
  }
});

describe('what is differentiated as a whole is held to finite differences', () => {
  for (const [name, ruleCase] of Object.entries(WHOLES)) it(name, () => check(null, ruleCase));
});

/** The gradient of Σ seed·result by every float input, by the rule and by differences of the forward graph. */
async function check(
  operator: string | null,
  { inputs, declared, build, fixed = [], blocked = [] }: RuleCase,
) {
  const graph = newGraph();
  const values: Record<string, Value> = {};
  for (const [name, { shape, type = 'float32' }] of Object.entries(inputs)) {
    values[name] = input(graph, name, type, declared?.[name] ?? shape);
  }
  const result = build(values);
  if (operator) expect(graph.nodes.map((n) => n.op)).toContain(operator);
  else expect(graph.nodes.some((n) => n.gradient)).toBe(true);

  const forward = await evaluator(graph, { result });
  const { shape } = (await forward(inputs)).result;
  const seed: Tensor = { shape, data: noise(elements(shape), 1000) };
  const objective = async (feeds: Record<string, Tensor>) =>
    (await forward(feeds)).result.data.reduce((sum, v, i) => sum + v * seed.data[i], 0);

  const wanted = Object.keys(inputs).filter(
    (name) => (inputs[name].type ?? 'float32') === 'float32' && !fixed.includes(name),
  );
  const seedValue = input(graph, 'seed', 'float32', result.shape);
  const grads = gradients(
    graph,
    [[result, seedValue]],
    wanted.map((name) => values[name]),
  );
  const given = new Map(wanted.flatMap((name, i) => (grads[i] ? [[name, grads[i]] as const] : [])));
  expect(wanted.filter((name) => !given.has(name))).toEqual(blocked);
  expect(given.size).toBeGreaterThan(0);

  const outputs = Object.fromEntries([...given].map(([name, value]) => [`by ${name}`, value]));
  const byRule = await (await evaluator(graph, outputs))({ ...inputs, seed });
  for (const name of given.keys()) {
    const { shape, data } = inputs[name];
    const byDifferences = await derivative(
      (at) => objective({ ...inputs, [name]: { shape, data: at } }),
      data,
    );
    expect(byRule[`by ${name}`].shape, `shape of the gradient by ${name}`).toEqual(shape);
    expect(norm(byDifferences), `the case tests nothing: no gradient by ${name}`).toBeGreaterThan(1e-3);
    expect(distance(byRule[`by ${name}`].data, byDifferences), `gradient by ${name}`).toBeLessThan(
      2e-4 * (1 + norm(byDifferences)),
    );
  }
}
