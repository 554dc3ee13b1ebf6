/** The local engine against Hugging Face's own Qwen2.5-VL (float32, eager attention). */
import { beforeAll, describe, expect, it } from 'vitest';
import { packPictures, promptRow } from '../../src/engine/local/compute/batch.ts';
import { sample } from '../../src/engine/local/compute/decode.ts';
import { type LocalModel, logprobs } from '../../src/engine/local/compute/model.ts';
import { run } from '../../src/engine/local/compute/sessions.ts';
import { goldenJson } from '../models/golden.ts';
import { type CaseName, completionRow, goldenCase, goldenModel, greatestDifference } from './golden-cases.ts';

const CASES: CaseName[] = ['text_only', 'one_image', 'chart', 'two_images', 'multi_turn', 'batch'];
const TOLERANCE = 2e-5;

let model: LocalModel;
beforeAll(async () => {
  model = await goldenModel();
});

describe.each(CASES)('%s agrees with transformers in', (name) => {
  it('log-probabilities of the completion, at temperature 1 and 0.7, and its entropy', async () => {
    const golden = await goldenCase(name);
    const scored = await logprobs(model, golden.sequences, { entropy: true });
    const cool = await logprobs(model, golden.sequences, { temperature: 0.7 });
    golden.sequences.forEach((_, i) => {
      const row = (tensor: string) => completionRow(golden, tensor, i);
      expect(greatestDifference(scored[i].logprobs, row('completion_logprobs'))).toBeLessThan(TOLERANCE);
      expect(greatestDifference(scored[i].entropy!, row('completion_entropy'))).toBeLessThan(TOLERANCE);
      expect(greatestDifference(cool[i].logprobs, row('completion_logprobs_T0.7'))).toBeLessThan(TOLERANCE);
    });
  });

  it('24 tokens of greedy generation and their log-probabilities', async () => {
    const { sequences } = await goldenCase(name);
    const manifest = goldenJson('golden/manifest.json').cases[name];
    const options = { samples: 1, maxTokens: 24, temperature: 0, seed: 0, stop: [] };
    const generated = await sample(
      model,
      sequences.map((s) => s.prompt),
      options,
    );
    generated.forEach(([response], i) => {
      expect(response.tokens).toEqual(manifest.greedy_ids[i]);
      expect(response.finish).toBe('length');
      expect(greatestDifference(response.logprobs, manifest.greedy_logprobs[i])).toBeLessThan(TOLERANCE);
    });
  });
});

it.each(CASES.filter((name) => name !== 'text_only'))('%s agrees in picture features', async (name) => {
  const { sequences, tensors } = await goldenCase(name);
  const rows = sequences.map(({ prompt }) => promptRow(model.packer, prompt, 0));
  const patched = rows.flatMap((row) => row.pictures.map((p) => p.patched));
  const { feeds, ragged } = packPictures(model.packer, patched)!;
  const variant = { pictures: true, raggedPictures: ragged, prompts: true, ragged: true, recompute: false };
  const { features } = await run(model.sessions, 'features', variant, feeds);
  const golden = tensors.get('vision_out')!;
  expect(features.dims).toEqual(golden.shape);
  expect(greatestDifference(features.data as Float32Array, golden.data)).toBeLessThan(TOLERANCE);
});
