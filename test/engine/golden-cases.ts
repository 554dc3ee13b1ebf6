/** Golden cases of Hugging Face's Qwen2.5-VL in miniature as the engine takes them, and the model they were made with. */
import { fileURLToPath } from 'node:url';
import { type LocalModel, type ModelOptions, newModel } from '../../src/engine/local/compute/model.ts';
import { readModelConfig, readWeights } from '../../src/engine/local/files/checkpoint.ts';
import type { Picture, Prompt, PromptChunk, Sequence, StepOptions } from '../../src/engine/types.ts';
import { config, goldenJson, goldenTensors, images, sourceRgb } from '../models/golden.ts';

export const GOLDEN_MODEL = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/model', import.meta.url));

export const cpu: ModelOptions = { provider: 'cpu', threads: 1, trainable: false, tokenBudget: 1e6 };

/** The golden model in this thread. */
export async function goldenModel(options: Partial<ModelOptions> = {}): Promise<LocalModel> {
  const read = await readModelConfig(GOLDEN_MODEL);
  const model = newModel(read.config, read.processor, { ...cpu, ...options });
  await readWeights(GOLDEN_MODEL, read.config, model.store);
  return model;
}

/** What the golden AdamW steps were made with. */
export const goldenStep: StepOptions = {
  learningRate: 1e-3,
  betas: [0.9, 0.95],
  eps: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
};

export interface GoldenCase {
  sequences: Sequence[];
  tensors: Map<string, { shape: number[]; data: number[] }>;
}

const manifest = goldenJson('golden/manifest.json').cases;
export type CaseName = 'text_only' | 'one_image' | 'chart' | 'two_images' | 'multi_turn' | 'batch';

export async function goldenCase(name: CaseName): Promise<GoldenCase> {
  const tensors = goldenTensors(`golden/case_${name}.safetensors`);
  const width = tensors.get('prompt_ids')!.shape[1];
  const sequences: Sequence[] = [];
  for (const [i, row] of manifest[name].rows.entries()) {
    const cut = (of: string) => tensors.get(of)!.data.slice(i * width, (i + 1) * width);
    const mask = cut('prompt_mask');
    const ids = cut('prompt_ids').filter((_, k) => mask[k] === 1);
    sequences.push({
      prompt: promptOf(ids, await Promise.all(row.images.map(goldenPicture))),
      completion: row.completion_ids,
    });
  }
  return { sequences, tensors };
}

/** Row i of a golden [B, C] tensor, without what stands beyond the completion. */
export function completionRow({ tensors, sequences }: GoldenCase, name: string, i: number): number[] {
  const { shape, data } = tensors.get(name)!;
  return data.slice(i * shape[1], i * shape[1] + sequences[i].completion.length);
}

/** Token ids with every run of image placeholders replaced by the next picture. */
function promptOf(ids: readonly number[], pictures: Picture[]): Prompt {
  const chunks: PromptChunk[] = [];
  const left = [...pictures];
  let text: number[] = [];
  ids.forEach((id, at) => {
    if (id !== config.tokens.imagePad) text.push(id);
    else if (ids[at - 1] !== id) {
      chunks.push({ tokens: text }, { image: left.shift()! });
      text = [];
    }
  });
  chunks.push({ tokens: text });
  if (left.length > 0) throw new Error('the prompt has fewer runs of placeholders than pictures');
  return { chunks };
}

export async function goldenPicture(name: string): Promise<Picture> {
  return { ...(await sourceRgb(images.find((image) => image.name === name)!)), hash: name };
}

export const greatestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}`);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
};
