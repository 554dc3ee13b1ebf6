/**
 * A tensor graph under construction: values with a shape and a type, and the nodes that make them.
 * Nodes are ONNX operators (`ai.onnx` or ONNX Runtime's `com.microsoft` domain); the graph knows nothing of models.
 *
 * A dimension is a number, or a name where it is known only at run time ('N' tokens). Names are compared, never
 * computed with: two dimensions are equal when their names are.
 */

export type Dim = number | string;
export type Shape = readonly Dim[];
export type DataType = 'float32' | 'int64' | 'int32' | 'bool';
export type Attribute = number | string | number[] | { float: number };

/** One tensor in the graph. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
  readonly shape: Shape;
  readonly type: DataType;
  /** The node that makes it; absent for inputs and constants. */
  readonly node?: Node;
}

export interface Node {
  readonly op: string;
  /** 'composite': one of our own, written as other operators when the graph is emitted (`onnx.ts`). */
  readonly domain: '' | 'com.microsoft' | 'composite';
  /** `null` stands for an optional input that is left out. */
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: Value[];
  /** How it is differentiated, where that is not by the rule of its operator (`defineGradient`). */
  readonly gradient?: Rule;
}

/**
 * From the gradients of a node's outputs to those of its inputs (null: none flows there).
 * `needs(i)`: whether input i lies on a path to a wanted variable; a rule may skip the others.
 */
export type Rule = (node: Node, grads: (Value | null)[], needs: (i: number) => boolean) => (Value | null)[];

export interface Constant {
  readonly value: Value;
  readonly data: Float32Array | BigInt64Array;
}

export interface Graph {
  readonly nodes: Node[];
  readonly inputs: Value[];
  readonly constants: Map<string, Constant>;
  /** Nodes that are differentiated as part of a larger one (`defineGradient`). */
  readonly inner: Set<Node>;
  count: number;
}

export function newGraph(): Graph {
  return { nodes: [], inputs: [], constants: new Map(), inner: new Set(), count: 0 };
}

/** Declares a tensor that is fed at every run. */
export function input(graph: Graph, name: string, type: DataType, shape: Shape): Value {
  const value: Value = { graph, name, shape, type };
  graph.inputs.push(value);
  return value;
}

/** A float constant; a plain number makes a scalar. Equal scalars are shared. */
export function constant(graph: Graph, data: number | Float32Array, shape: number[] = []): Value {
  const array = typeof data === 'number' ? new Float32Array([data]) : data;
  const name = typeof data === 'number' ? `float:${data}` : `float#${graph.count++}`;
  return intern(graph, name, 'float32', array, shape);
}

/** An int64 vector constant (axes, target shapes, slice bounds). Equal vectors are shared. */
export function ints(graph: Graph, data: readonly number[]): Value {
  return intern(graph, `int:${data.join(',')}`, 'int64', BigInt64Array.from(data.map(BigInt)), [data.length]);
}

/** An int64 scalar constant. */
export function intScalar(graph: Graph, data: number): Value {
  return intern(graph, `int0:${data}`, 'int64', BigInt64Array.of(BigInt(data)), []);
}

function intern(graph: Graph, name: string, type: DataType, data: Constant['data'], shape: number[]): Value {
  const known = graph.constants.get(name);
  if (known) return known.value;
  const value: Value = { graph, name, shape, type };
  graph.constants.set(name, { value, data });
  return value;
}

/** Adds an operator; one value for each output shape. */
export function addNode(
  op: string,
  inputs: readonly (Value | null)[],
  outputs: readonly { shape: Shape; type?: DataType }[],
  attributes: Record<string, Attribute> = {},
  domain: Node['domain'] = '',
): Value[] {
  const graph = inputs.find((v) => v !== null)!.graph;
  const node: Node = { op, domain, inputs, attributes, outputs: [] };
  for (const { shape, type = 'float32' } of outputs) {
    node.outputs.push({ graph, name: `v${graph.count++}`, shape, type, node });
  }
  graph.nodes.push(node);
  return node.outputs;
}

/** As `addNode`, for an operator with one output. */
export function addOp(
  op: string,
  inputs: readonly (Value | null)[],
  shape: Shape,
  attributes: Record<string, Attribute> = {},
  domain: Node['domain'] = '',
  type: DataType = 'float32',
): Value {
  return addNode(op, inputs, [{ shape, type }], attributes, domain)[0];
}

/**
 * Builds values and says how they are differentiated as a whole: `rule` gets a node whose inputs are `inputs` and whose
 * outputs are what `build` returns, instead of the nodes that `build` adds. For what has a shorter gradient than its
 * parts, and for what is to be computed a second time in the backward pass.
 */
export function defineGradient(
  graph: Graph,
  inputs: readonly Value[] | ((made: readonly Node[]) => readonly Value[]),
  build: () => Value[],
  rule: Rule,
): Value[] {
  const from = graph.nodes.length;
  const outputs = build();
  const made = graph.nodes.slice(from);
  for (const node of made) graph.inner.add(node);
  const of = typeof inputs === 'function' ? inputs(made) : inputs;
  graph.nodes.push({ op: 'whole', domain: 'composite', inputs: of, attributes: {}, outputs, gradient: rule });
  return outputs;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}
