/** ONNX Runtime sessions of one model, made when first needed, and the call that runs one. */
import * as ort from 'onnxruntime-node';
import { InputError } from '../../errors.ts';
import { WEBGPU } from '../../graph/lower.ts';
import {
  type Blueprint,
  buildGraph,
  type EmittedGraph,
  GRAD,
  type GraphKind,
  type GraphVariant,
} from './graphs.ts';
import { type ParameterStore, view } from './store.ts';

export interface Sessions {
  blueprint: Blueprint;
  options: ort.InferenceSession.SessionOptions;
  /** Every parameter as a tensor over its store's weights. */
  weights: Map<string, ort.Tensor>;
  made: Map<string, Promise<Session>>;
}

interface Session {
  session: ort.InferenceSession;
  graph: EmittedGraph;
}

export type Feeds = Record<string, ort.Tensor>;

export function newSessions(
  blueprint: Blueprint,
  stores: readonly ParameterStore[],
  provider: string,
  threads: number,
): Sessions {
  const options: ort.InferenceSession.SessionOptions = {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  };
  const weights = new Map(
    stores.flatMap((store) =>
      store.parameters.map(({ name, shape }) => [name, float(view(store, store.weights, name), shape)]),
    ),
  );
  return { blueprint, options, weights, made: new Map() };
}

/** Runs one graph. Parameters are fed from their stores. Every output is copied by the runtime's binding: fetch few and small ones. */
export async function run(
  sessions: Sessions,
  kind: GraphKind,
  variant: GraphVariant,
  feeds: Feeds,
): Promise<Record<string, ort.Tensor>> {
  const { session, graph } = await sessionOf(sessions, kind, variant);
  const given: Feeds = {};
  for (const name of graph.inputs) given[name] = sessions.weights.get(name) ?? feeds[name];
  return (await session.run(given)) as Record<string, ort.Tensor>;
}

function sessionOf(sessions: Sessions, kind: GraphKind, variant: GraphVariant): Promise<Session> {
  const key = `${kind} ${JSON.stringify(variant)}`;
  let session = sessions.made.get(key);
  if (!session) {
    session = makeSession(sessions, kind, variant);
    sessions.made.set(key, session);
  }
  return session;
}

async function makeSession(sessions: Sessions, kind: GraphKind, variant: GraphVariant): Promise<Session> {
  const lowering = sessions.options.executionProviders![0] === 'webgpu' ? WEBGPU : {};
  const graph = buildGraph(sessions.blueprint, kind, variant, lowering);
  try {
    return { session: await ort.InferenceSession.create(graph.model, sessions.options), graph };
  } catch (error) {
    const provider = String(sessions.options.executionProviders![0]);
    // the CPU takes every graph of ours: there a failure is a defect and keeps its stack
    if (provider === 'cpu') throw error;
    const reason = (error as Error).message.split('\n')[0];
    throw new InputError(
      `engine.provider: ${provider} does not run here (${reason}); \`npx sophia doctor\` tells what does`,
    );
  }
}

export async function releaseSessions(sessions: Sessions): Promise<void> {
  for (const made of sessions.made.values()) await (await made).session.release();
  sessions.made.clear();
}

export function float(data: Float32Array, dims: readonly number[]): ort.Tensor {
  return new ort.Tensor('float32', data, dims);
}

export function int64(data: ArrayLike<number>, dims: readonly number[] = [data.length]): ort.Tensor {
  const wide = new BigInt64Array(data.length);
  for (let i = 0; i < data.length; i++) wide[i] = BigInt(data[i]);
  return new ort.Tensor('int64', wide, dims);
}

export function int32(data: Int32Array, dims: readonly number[] = [data.length]): ort.Tensor {
  return new ort.Tensor('int32', data, dims);
}

/** The parameter an output is the gradient of, or null. */
export function gradientOf(output: string): string | null {
  return output.startsWith(GRAD) ? output.slice(GRAD.length) : null;
}
