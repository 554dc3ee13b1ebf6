/**
 * What runs in the engine's worker thread: models by handle, and the operations of the Engine interface on them.
 * One host serves a trainable model and its frozen references.
 */

import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import { initialise } from '../../models/qwen2-5-vl/initialise.ts';
import { smallPictureProcessor } from '../../models/qwen2-5-vl/processor.ts';
import type {
  Capabilities,
  DrawnToken,
  LogprobOptions,
  Prompt,
  SampleOptions,
  Sequence,
  StepOptions,
} from '../types.ts';
import { adamWStep } from './adamw.ts';
import { readModelConfig, readOptimizer, readWeights, writeModel, writeOptimizer } from './checkpoint.ts';
import { laneCount } from './deal.ts';
import { sample } from './decode.ts';
import * as lane from './lane.ts';
import { backward, type LocalModel, logprobs, newModel } from './model.ts';
import { releaseSessions } from './sessions.ts';
import { clearGradient, clearTraining, newTrainingState, view } from './store.ts';

/** Where a model comes from: a Hugging Face folder, or random initialisation. */
export type ModelSource = { dir: string } | { config: Qwen25VlConfig; seed: number };

export interface LocalOptions {
  source: ModelSource;
  /** Without gradient and optimizer memory when false. */
  trainable: boolean;
  provider: string;
  threads: number;
  /** Tokens computed at once. */
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
  async create({ source, ...options }: LocalOptions) {
    const read =
      'dir' in source
        ? await readModelConfig(source.dir)
        : { config: source.config, processor: smallPictureProcessor(source.config) };
    const lanes = laneCount(options.threads, read.config, options.trainable);
    const model = newModel(read.config, read.processor, {
      ...options,
      threads: Math.floor(options.threads / lanes),
      training: (size) => newTrainingState(size, lanes > 1),
    });
    if ('dir' in source) await readWeights(source.dir, read.config, model.store);
    else
      for (const [name, { data }] of initialise(read.config, source.seed))
        view(model.store, model.store.weights, name).set(data);
    return { ...keep(model, options), lanes };
  },
  /** Another lane of the model that `snapshot` shows. */
  async join(snapshot: lane.Snapshot, options: Omit<LocalOptions, 'source'>): Promise<number> {
    return keep(lane.join(snapshot, options), options).handle;
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
  async reference(handle: number) {
    const from = modelOf(handle);
    const { executionProviders, intraOpNumThreads } = from.sessions.options;
    const options = {
      provider: String(executionProviders![0]),
      threads: intraOpNumThreads!,
      trainable: false,
      tokenBudget: from.tokenBudget,
    };
    const model = newModel(from.config, from.processor, options);
    model.store.weights.set(from.store.weights);
    return keep(model, options);
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
    return adamWStep(modelOf(handle).store, options);
  },
  async save(handle: number, dir: string, optimizer: boolean) {
    const { config, processor, store } = modelOf(handle);
    await writeModel(dir, config, processor, store);
    if (optimizer) await writeOptimizer(`${dir}/trainer`, store);
  },
  async load(handle: number, dir: string, optimizer: boolean) {
    const { config, store } = modelOf(handle);
    await readWeights(dir, config, store);
    clearTraining(store);
    if (optimizer) await readOptimizer(`${dir}/trainer`, store);
  },
  async dispose(handle: number) {
    const model = models.get(handle);
    models.delete(handle);
    if (model) await releaseSessions(model.sessions);
  },
};

function keep(model: LocalModel, options: { provider: string; threads: number; trainable: boolean }) {
  models.set(++handles, model);
  const capabilities: Capabilities = {
    name: 'local',
    provider: options.provider,
    threads: options.threads,
    train: options.trainable,
    parameters: model.store.weights.length,
    contextLength: model.config.text.maxPositions,
    vocabulary: model.config.text.vocabulary,
  };
  return { handle: handles, capabilities };
}
