/** ONNX Runtime sessions of one model, made when first needed, and the call that runs one. */
import * as ort from 'onnxruntime-node';
import { InputError } from '../../../errors.ts';
import { WEBGPU } from '../../../graph/lower.ts';
import { onDevice } from '../on-device.ts';
import {
  type Blueprint,
  buildGraph,
  type EmittedGraph,
  GRAD,
  type GraphKind,
  type GraphVariant,
} from './graphs.ts';

export interface Sessions {
  blueprint: Blueprint;
  options: ort.InferenceSession.SessionOptions;
  /** Every parameter as it is fed, by name, a map a store. */
  weights: readonly ReadonlyMap<string, ort.Tensor>[];
  made: Map<string, Promise<Session>>;
}

interface Session {
  session: ort.InferenceSession;
  graph: EmittedGraph;
}

export type Feeds = Record<string, ort.Tensor>;

export function newSessions(
  blueprint: Blueprint,
  weights: Sessions['weights'],
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
  return { blueprint, options, weights, made: new Map() };
}

/**
 * Runs one graph. Parameters are fed from their stores. Outputs that stay on a device are for the caller to dispose of;
 * every other is copied by the runtime's binding: fetch few and small ones.
 */
export async function run(
  sessions: Sessions,
  kind: GraphKind,
  variant: GraphVariant,
  feeds: Feeds,
): Promise<Record<string, ort.Tensor>> {
  const { session, graph } = await sessionOf(sessions, kind, variant);
  const weights = (name: string) => sessions.weights.find((of) => of.has(name))?.get(name);
  const given: Feeds = {};
  for (const name of graph.inputs) given[name] = weights(name) ?? feeds[name];
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

/** Outputs that stay on a device, where there is one: gradients, keys and values. */
const STAYS = /^(grad:|promptKey|promptValue|nextKey|nextValue)/;

async function makeSession(sessions: Sessions, kind: GraphKind, variant: GraphVariant): Promise<Session> {
  const { options, blueprint } = sessions;
  const device = onDevice(String(options.executionProviders![0]));
  const graph = buildGraph(blueprint, kind, variant, device ? WEBGPU : {});
  const stays = device ? graph.outputs.filter((name) => STAYS.test(name)) : [];
  return { session: await createSession(graph.model, options, stays), graph };
}

/** `stays`: outputs that stay on the device. Throws InputError where the provider does not run. */
export async function createSession(
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
  stays: readonly string[],
): Promise<ort.InferenceSession> {
  const preferredOutputLocation = Object.fromEntries(stays.map((name) => [name, 'gpu-buffer' as const]));
  try {
    return await ort.InferenceSession.create(
      model,
      stays.length > 0 ? { ...options, preferredOutputLocation } : options,
    );
  } catch (error) {
    const provider = String(options.executionProviders![0]);
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
