/**
 * What runs in the engine's worker thread: models by handle, and the operations of the Engine interface on them.
 * One host serves a trainable model and its frozen references.
 */

import type {
  Capabilities,
  DrawnToken,
  LogprobOptions,
  Prompt,
  SampleOptions,
  Sequence,
  StepOptions,
} from '../types.ts';
import { sample } from './compute/decode.ts';
import { backward, type Computing, type LocalModel, logprobs, newModel } from './compute/model.ts';
import { releaseSessions } from './compute/sessions.ts';
import { clearGradient, clearTraining } from './compute/store.ts';
import { readOptimizer, writeOptimizer } from './files/checkpoint.ts';
import { type AdapterSource, loadModel, type ModelSource, openModel, saveModel } from './files/folder.ts';
import * as lane from './lane.ts';

export interface LocalOptions {
  source: ModelSource;
  /** Low-rank adapters beside frozen weights: those of a PEFT folder, or new ones. By default those of the source's folder, if it is one of adapters. */
  adapter?: AdapterSource | null;
  /** Without gradient and optimizer memory when false. */
  trainable: boolean;
  provider: string;
  threads: number;
  /** Tokens computed at once in each lane. */
  tokenBudget: number;
}

const models = new Map<number, LocalModel>();
let handles = 0;

function modelOf(handle: number): LocalModel {
  const model = models.get(handle);
  if (!model) throw new Error('this engine was disposed of');
  return model;
}

/**
 * The operations a proxy may call, by name. Arguments and results cross the thread border as plain data; a function as
 * last argument is the worker's own, what it is given becomes an event of the call.
 */
export const OPERATIONS = {
  async create({ source, adapter, ...options }: LocalOptions) {
    const { model, lanes, lane } = await openModel(source, adapter ?? null, options);
    return { handle: keep(model), capabilities: capabilitiesOf(model, options), lanes, lane };
  },
  /** Another lane of the model that `snapshot` shows. */
  async join(snapshot: lane.Snapshot, computing: Computing & { keep: number }): Promise<number> {
    return keep(lane.join(snapshot, computing));
  },
  async snapshot(handle: number) {
    return lane.snapshot(modelOf(handle));
  },
  async adoptAll(handle: number, snapshot: lane.Snapshot) {
    lane.adoptAll(modelOf(handle), snapshot);
  },
  async gradients(handle: number) {
    return modelOf(handle).store.grads;
  },
  async meet(handle: number, index: number, gradients: Float32Array[]) {
    lane.meet(modelOf(handle), index, gradients);
  },
  async reduce(handle: number) {
    return lane.reduce(modelOf(handle));
  },
  async move(handle: number, options: StepOptions, gradNorm: number) {
    lane.move(modelOf(handle), options, gradNorm);
  },
  async adopt(handle: number) {
    lane.adopt(modelOf(handle));
  },
  async clear(handle: number) {
    clearGradient(modelOf(handle).store);
  },
  async reference(handle: number): Promise<number> {
    const from = modelOf(handle);
    const { executionProviders, intraOpNumThreads } = from.sessions.options;
    const options = {
      provider: String(executionProviders![0]),
      threads: intraOpNumThreads!,
      trainable: false,
      tokenBudget: from.tokenBudget,
      keep: from.keep,
    };
    // what is frozen is shared
    const shared = from.adapter || !from.store.trained ? { base: from.places.base } : {};
    const model = newModel(from.config, from.processor, { ...options, ...shared, adapter: from.adapter });
    if (model.store !== from.base) {
      const copy = async () => model.store.weights.set(from.store.weights);
      await from.places.store.reading('weights', copy);
      await model.places.store.settle();
    }
    return keep(model);
  },
  sample: (
    handle: number,
    prompts: Prompt[],
    options: Omit<SampleOptions, 'onToken'>,
    onToken?: (drawn: DrawnToken) => void,
  ) => sample(modelOf(handle), prompts, { ...options, onToken }),
  logprobs: (handle: number, sequences: Sequence[], options: LogprobOptions) =>
    logprobs(modelOf(handle), sequences, options),
  backward: (handle: number, sequences: Sequence[], weights: number[][]) =>
    backward(modelOf(handle), sequences, weights),
  async step(handle: number, options: StepOptions) {
    return modelOf(handle).places.store.step(options);
  },
  async save(handle: number, dir: string, optimizer: boolean) {
    const model = modelOf(handle);
    await model.places.store.reading(optimizer ? 'everything' : 'weights', async () => {
      await saveModel(model, dir);
      if (optimizer) await writeOptimizer(`${dir}/trainer`, model.store);
    });
  },
  async load(handle: number, dir: string, optimizer: boolean) {
    const model = modelOf(handle);
    await model.places.store.writing(async () => {
      await loadModel(model, dir);
      clearTraining(model.store);
      if (optimizer) await readOptimizer(`${dir}/trainer`, model.store);
    });
  },
  async dispose(handle: number) {
    const model = models.get(handle);
    models.delete(handle);
    if (!model) return;
    await releaseSessions(model.sessions);
    const inUse = new Set([...models.values()].flatMap(({ places }) => [places.base, places.store]));
    for (const place of new Set([model.places.base, model.places.store]))
      if (!inUse.has(place)) place.release();
  },
};

function keep(model: LocalModel): number {
  models.set(++handles, model);
  return handles;
}

function capabilitiesOf(model: LocalModel, { provider, threads, trainable }: Computing): Capabilities {
  return {
    name: 'local',
    provider,
    threads,
    train: trainable,
    parameters: model.base.size + (model.adapter ? model.store.size : 0),
    contextLength: model.config.text.maxPositions,
    vocabulary: model.config.text.vocabulary,
  };
}
