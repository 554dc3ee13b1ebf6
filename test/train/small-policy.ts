/** A very small model of the world's vocabulary on the local engine, which can be taught what to answer. */
import { join } from 'node:path';
import { type Chat, loadChat } from '../../src/data/chat/chat.ts';
import { recordPrompt } from '../../src/data/chat/prompting.ts';
import type { LoadedRecord } from '../../src/data/records/reader.ts';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import type { Engine } from '../../src/engine/types.ts';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import type { OptimizerSettings } from '../../src/train/optimizer.ts';
import type { Stage } from '../../src/train/stage.ts';

const ARCHITECTURE = {
  hidden: 32,
  layers: 1,
  heads: 2,
  kv_heads: 1,
  intermediate: 64,
  vision_hidden: 16,
  vision_layers: 1,
  vision_heads: 2,
  vision_intermediate: 16,
};

/** Writes an untrained model into `dir`/model; returns its folder. */
export async function untrained(dir: string, seed = 0): Promise<string> {
  const model = join(dir, 'model');
  await writeStartModel(model, ARCHITECTURE, seed);
  return model;
}

export async function openModel(model: string): Promise<{ engine: Engine; chat: Chat }> {
  const engine = await createLocalEngine({
    source: { dir: model },
    trainable: true,
    provider: 'cpu',
    threads: 1,
    tokenBudget: 4096,
  });
  return { engine, chat: await loadChat(model) };
}

/** A question in text. */
export function textRecord(id: number, problem: string, solution = '1'): LoadedRecord {
  return {
    problem_id: id,
    problem,
    data_type: 'text',
    problem_type: 'numerical',
    options: [],
    process: '',
    solution: `<answer>${solution}</answer>`,
    path: null,
    data_source: '',
    picture: null,
    source: `records.jsonl:${id + 1}`,
  };
}

/** Teaches the engine to answer each record word for word with the tokens given. */
export async function teach(
  engine: Engine,
  chat: Chat,
  answers: readonly { record: LoadedRecord; tokens: number[] }[],
  steps = 120,
): Promise<void> {
  const sequences = await Promise.all(
    answers.map(async ({ record, tokens }) => ({
      prompt: await recordPrompt(chat, record, '{problem}'),
      completion: tokens,
    })),
  );
  const count = sequences.reduce((sum, { completion }) => sum + completion.length, 0);
  const weights = sequences.map(({ completion }) => completion.map(() => 1 / count));
  for (let step = 0; step < steps; step++) {
    await engine.backward(sequences, weights);
    await engine.step({ learningRate: 0.01, betas: [0.9, 0.98], eps: 1e-8, weightDecay: 0, maxGradNorm: 1 });
  }
}

export const optimizer: OptimizerSettings = {
  learning_rate: 0.01,
  warmup: 2,
  schedule: 'constant',
  final: 1,
  betas: [0.9, 0.98],
  eps: 1e-8,
  weight_decay: 0,
  max_grad_norm: 1,
};

export function stageIn(dir: string, modelDir: string, over: Partial<Stage> = {}): Stage {
  return {
    dir: join(dir, 'stage'),
    runDir: dir,
    name: 'stage',
    seed: 0,
    steps: 6,
    saveEvery: 2,
    keep: 1,
    modelDir,
    howToResume: 'sophia train --run DIR --resume',
    signal: new AbortController().signal,
    progress: () => {},
    warn: () => {},
    ...over,
  };
}
