/** Adapters in training against Hugging Face PEFT and torch.optim.AdamW, and as folders. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adamWStep } from '../../src/engine/local/compute/adamw.ts';
import { backward, type LocalModel, logprobs } from '../../src/engine/local/compute/model.ts';
import { view } from '../../src/engine/local/compute/store.ts';
import { type AdapterSource, openModel } from '../../src/engine/local/files/folder.ts';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import type { Engine } from '../../src/engine/types.ts';
import { InputError } from '../../src/errors.ts';
import { loraNameOf } from '../../src/models/lora/parameters.ts';
import { goldenJson, goldenTensors } from '../models/golden.ts';
import {
  cpu,
  GOLDEN_MODEL,
  type GoldenCase,
  goldenCase,
  goldenStep,
  greatestDifference,
} from './golden-cases.ts';

const ADAPTER = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/adapter', import.meta.url));
const golden = goldenJson('golden/lora.json');
const tensors = goldenTensors('golden/lora.safetensors');
const weights = goldenTensors('golden/grads.safetensors').get('weights')!.data;

let root: string;
let batch: GoldenCase;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'lora-'));
  batch = await goldenCase('batch');
});
afterAll(() => rmSync(root, { recursive: true }));

const open = async (adapter: AdapterSource | null = { dir: ADAPTER }, trainable = true) =>
  (await openModel({ dir: GOLDEN_MODEL }, adapter, { ...cpu, trainable })).model;
const tokens = () => batch.sequences.reduce((sum, { completion }) => sum + completion.length, 0);
const mean = () => batch.sequences.map(({ completion }) => completion.map(() => 1 / tokens()));
const signed = () =>
  batch.sequences.map(({ completion }, i) => weights.slice(i * 18, i * 18 + completion.length));
const l2 = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
const loss = async (model: LocalModel) =>
  -(await logprobs(model, batch.sequences, {})).flatMap((s) => s.logprobs).reduce((a, b) => a + b, 0) /
  tokens();

describe('an adapter', () => {
  it('gives the log-probabilities of PEFT', async () => {
    const scored = await logprobs(await open(), batch.sequences, {});
    const { shape, data } = tensors.get('completion_logprobs')!;
    batch.sequences.forEach(({ completion }, i) => {
      const row = data.slice(i * shape[1], i * shape[1] + completion.length);
      expect(greatestDifference(scored[i].logprobs, row)).toBeLessThan(2e-5);
    });
  });

  it.each(['mean_nll', 'weighted'])(
    'has the gradients of PyTorch, and no other parameter has any (%s)',
    async (name) => {
      const model = await open();
      const before = model.base.weights.slice();
      await backward(model, batch.sequences, name === 'weighted' ? signed() : mean());
      const { store } = model;
      expect(Object.keys(golden.grad_norms).map(loraNameOf).sort()).toEqual(
        store.parameters.map((p) => p.name).sort(),
      );
      for (const [stored, of] of Object.entries<Record<string, number>>(golden.grad_norms)) {
        const grad = view(store, store.grads, loraNameOf(stored)!);
        expect(Math.abs(l2(grad) - of[name]), stored).toBeLessThan(1e-4 * of[name]);
      }
      for (const [key, { data }] of tensors) {
        if (!key.startsWith(`${name}.`)) continue;
        const stored = key.slice(name.length + 1);
        // the golden loss is the negative of what the engine climbs
        const grad = view(store, store.grads, loraNameOf(stored)!).map((g) => -g);
        expect(greatestDifference(grad, data), stored).toBeLessThan(2e-5 * golden.grad_norms[stored][name]);
      }
      expect(model.base.grads.length).toBe(0);
      expect(model.base.weights).toEqual(before);
    },
  );

  it('takes the steps of torch.optim.AdamW', async () => {
    const model = await open();
    const { store } = model;
    const start = store.weights.slice();
    for (let k = 0; k < 3; k++) {
      expect(Math.abs((await loss(model)) - golden.adamw.losses[k])).toBeLessThan(1e-5);
      await backward(model, batch.sequences, mean());
      const { gradNorm } = adamWStep(store, goldenStep);
      expect(Math.abs(gradNorm / golden.adamw.grad_norms_before_clip[k] - 1)).toBeLessThan(1e-5);
    }
    expect(Math.abs((await loss(model)) - golden.adamw.losses[3])).toBeLessThan(1e-5);
    for (const [stored, of] of Object.entries<Record<string, number>>(golden.adamw.norms)) {
      const name = loraNameOf(stored)!;
      const now = view(store, store.weights, name);
      const moved = now.map((w, i) => w - view(store, start, name)[i]);
      expect(Math.abs(l2(now) / of.norm - 1), stored).toBeLessThan(1e-4);
      expect(Math.abs(l2(moved) / of.delta_norm - 1), stored).toBeLessThan(1e-3);
    }
  });

  it('on any subset of layers, in both towers, has the gradient of its objective', async () => {
    const targets = ['lm_head', 'visual.merger.mlp.2', 'visual.blocks.1.attn.qkv', 'layers.2.mlp.up_proj'];
    const model = await open({ rank: 3, alpha: 6, targets, seed: 5 });
    expect(model.adapter!.map((layer) => layer.weight)).toEqual([
      'visual.blocks.1.attn.qkv.weight',
      'visual.merger.mlp.2.weight',
      'model.layers.2.mlp.up_proj.weight',
      'lm_head.weight',
    ]);
    const { store } = model;
    store.weights.forEach((_, i, all) => {
      all[i] += 0.05 * Math.sin(i);
    });
    await backward(model, batch.sequences, signed());
    const start = store.weights.slice();
    const gradient = store.grads.slice();
    const squared = gradient.reduce((sum, g) => sum + g * g, 0);
    const h = 2e-2 / Math.sqrt(squared);
    const at = async (by: number) => {
      store.weights.set(start.map((w, i) => w + by * h * gradient[i]));
      const scored = await logprobs(model, batch.sequences, {});
      return scored.reduce((sum, s, i) => sum + s.logprobs.reduce((t, p, k) => t + signed()[i][k] * p, 0), 0);
    };
    const slope = (8 * ((await at(1)) - (await at(-1))) - ((await at(2)) - (await at(-2)))) / (12 * h);
    expect(Math.abs(slope / squared - 1)).toBeLessThan(1e-3);
  });

  it('that is new changes nothing', async () => {
    const sequences = batch.sequences;
    const made = await open({ rank: 4, alpha: 8, targets: 'all-linear', seed: 1 });
    const bare = await open(null, false);
    expect(await logprobs(made, sequences, {})).toEqual(await logprobs(bare, sequences, {}));
  });
});

describe('the engine with an adapter', () => {
  const options = { source: { dir: GOLDEN_MODEL }, trainable: true, provider: 'cpu', tokenBudget: 4096 };
  const score = async (of: Engine) => (await of.logprobs(batch.sequences)).map((s) => s.logprobs);

  it('trains in lanes, saves folders that open by themselves, and goes on exactly from them', async () => {
    const first = await createLocalEngine({ ...options, threads: 2, adapter: { dir: ADAPTER } });
    const reference = await first.reference();
    const before = await score(first);
    await first.backward(batch.sequences, mean());
    const { gradNorm } = await first.step(goldenStep);
    expect(Math.abs(gradNorm / golden.adamw.grad_norms_before_clip[0] - 1)).toBeLessThan(1e-5);
    expect(await score(reference)).toEqual(before);
    const dir = join(root, 'saved');
    await first.save(dir, { optimizer: true });
    expect(JSON.parse(await readFile(join(dir, 'adapter_config.json'), 'utf8')).base_model_name_or_path).toBe(
      GOLDEN_MODEL,
    );

    const second = await createLocalEngine({ ...options, source: { dir }, threads: 2 });
    expect(await score(second)).toEqual(await score(first));
    await second.load(dir, { optimizer: true });
    for (const engine of [first, second]) {
      await engine.backward(batch.sequences, mean());
      await engine.step(goldenStep);
    }
    expect(await score(second)).toEqual(await score(first));
    await Promise.all([first.dispose(), second.dispose()]);
  });

  it('refuses what does not fit, in one line', async () => {
    const refused = (adapter: AdapterSource) =>
      expect(createLocalEngine({ ...options, threads: 1, adapter })).rejects;
    await refused({ dir: GOLDEN_MODEL }).toThrow(/adapter_config\.json: not found; this is a whole model/);
    await refused({ rank: 2, alpha: 2, targets: ['nothing'], seed: 0 }).toThrow(InputError);
  });
});
