/** Writes a graph as an ONNX model (protobuf, onnx.proto3; only the messages this project uses). */
import protobuf from 'protobufjs';
import { type Lowering, lower } from './lower.ts';
import type { Attribute, Constant, DataType, Graph, Node, Value } from './tensor.ts';

const SCHEMA = protobuf.parse(
  `
  syntax = "proto3";
  message AttributeProto { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated int64 ints = 8; int32 type = 20; }
  message NodeProto { repeated string input = 1; repeated string output = 2; string op_type = 4; repeated AttributeProto attribute = 5; string domain = 7; }
  message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
  message TensorShapeProto { repeated Dimension dim = 1; }
  message TensorType { int32 elem_type = 1; TensorShapeProto shape = 2; }
  message TypeProto { TensorType tensor_type = 1; }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message GraphProto { repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5; repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message ModelProto { int64 ir_version = 1; repeated OperatorSetIdProto opset_import = 8; GraphProto graph = 7; string producer_name = 2; }
`,
  { keepCase: true },
).root;
const MODEL = SCHEMA.lookupType('ModelProto');

const ELEMENT: Record<DataType, number> = { float32: 1, int32: 6, int64: 7, bool: 9 };
const OPSET = 20;
const IR_VERSION = 9;

/**
 * The model's bytes. `outputs`: the values it returns, under these names. Nodes that no output needs are left out.
 * `lowering`: operators to write as others, where a provider lacks them.
 *
 * The runtime orders nodes by a depth-first search back from those that nothing else needs, the last of the file first.
 * They are written behind all others, in reverse: so each is computed as soon as it can be (a weight's gradient, while
 * what it is made from is at hand), instead of when all others are done.
 */
export function emit(
  graph: Graph,
  outputs: Readonly<Record<string, Value>>,
  lowering: Lowering = {},
): Uint8Array {
  const live = liveNodes(outputs);
  const nodes = graph.nodes
    .filter((node) => live.nodes.has(node))
    .flatMap((node) => lower(node, lowering, live.values));
  const used = new Set(nodes.flatMap((node) => emitted(node).inputs));
  const names = new Map<Value, string>();
  const copies: object[] = [];
  for (const [name, value] of Object.entries(outputs)) {
    const once = Object.values(outputs).filter((v) => v === value).length === 1;
    if (value.node && !used.has(value) && once) names.set(value, name);
    else copies.push({ input: [value.name], output: [name], op_type: 'Identity', attribute: [], domain: '' });
  }
  const isLast = (node: Node) => node.outputs.every((v) => !used.has(v));
  const model = {
    ir_version: IR_VERSION,
    producer_name: 'sophiavl',
    opset_import: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'graph',
      node: [...nodes.filter((n) => !isLast(n)), ...nodes.filter(isLast).reverse()]
        .map((n): object => nodeProto(n, names))
        .concat(copies),
      initializer: [...graph.constants.values()]
        .filter(({ value }) => live.values.has(value) || used.has(value))
        .map(tensorProto),
      input: graph.inputs.filter((v) => live.values.has(v)).map((v) => valueInfo(v.name, v)),
      output: Object.entries(outputs).map(([name, v]) => valueInfo(name, v)),
    },
  };
  return MODEL.encode(MODEL.fromObject(model)).finish();
}

/** Names of the inputs that the given outputs depend on: what a session of `emit` has to be fed. */
export function usedInputs(graph: Graph, outputs: Readonly<Record<string, Value>>): string[] {
  const live = liveNodes(outputs);
  return graph.inputs.filter((v) => live.values.has(v)).map((v) => v.name);
}

function liveNodes(outputs: Readonly<Record<string, Value>>): { nodes: Set<Node>; values: Set<Value> } {
  const nodes = new Set<Node>();
  const values = new Set<Value>();
  const open: Value[] = Object.values(outputs);
  while (open.length > 0) {
    const value = open.pop()!;
    if (values.has(value)) continue;
    values.add(value);
    if (!value.node || nodes.has(value.node)) continue;
    nodes.add(value.node);
    for (const v of emitted(value.node).inputs) if (v) open.push(v);
  }
  return { nodes, values };
}

/** Composite operators (`LookUp`, `LayRows`, `LiftRows`) are gathers that differ in how they are differentiated. */
function emitted(node: Node): Pick<Node, 'op' | 'domain' | 'inputs' | 'attributes'> {
  if (node.domain === 'composite') {
    return { op: 'Gather', domain: '', inputs: node.inputs.slice(0, 2), attributes: { axis: 0 } };
  }
  return node;
}

function nodeProto(node: Node, names: ReadonlyMap<Value, string>) {
  const { op, domain, inputs, attributes } = emitted(node);
  return {
    input: inputs.map((v) => v?.name ?? ''),
    output: node.outputs.map((v) => names.get(v) ?? v.name),
    op_type: op,
    domain,
    attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
  };
}

function attributeProto(name: string, value: Attribute) {
  if (typeof value === 'number') return { name, i: value, type: 2 };
  if (typeof value === 'string') return { name, s: new TextEncoder().encode(value), type: 3 };
  if (Array.isArray(value)) return { name, ints: value, type: 7 };
  return { name, f: value.float, type: 1 };
}

function tensorProto({ value, data }: Constant) {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dims: value.shape, data_type: ELEMENT[value.type], name: value.name, raw_data: raw };
}

function valueInfo(name: string, value: Value) {
  const dim = value.shape.map((d) => (typeof d === 'number' ? { dim_value: d } : { dim_param: d }));
  return { name, type: { tensor_type: { elem_type: ELEMENT[value.type], shape: { dim } } } };
}
