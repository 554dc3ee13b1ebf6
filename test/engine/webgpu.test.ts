/** The engine on WebGPU against the engine on the CPU, which is held to transformers and PyTorch elsewhere. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  newStore,
  newTrainingState,
  type ParameterStore,
  view,
} from '../../src/engine/local/compute/store.ts';
import { readOptimizer, readWeights } from '../../src/engine/local/files/checkpoint.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { config } from '../models/golden.ts';
import { greatestDifference } from './golden-cases.ts';
import type { ProviderRun } from './provider-run.ts';
import { probeWebgpu, whyNot } from './webgpu.ts';

const probe = await probeWebgpu();
const TOLERANCE = 1e-4;

const run = promisify(execFile);
const script = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));

describe.skipIf(!probe.runs)(`an engine on WebGPU agrees with one on the CPU in${whyNot(probe)}`, () => {
  let folder: string;
  let cpu: ProviderRun;
  let gpu: ProviderRun;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'webgpu-'));
    const compute = async (provider: string): Promise<ProviderRun> => {
      const args = ['--import', 'tsx', script('provider-run.ts'), provider, join(folder, provider)];
      return JSON.parse((await run(process.execPath, args, { maxBuffer: 2 ** 26 })).stdout);
    };
    [cpu, gpu] = await Promise.all([compute('cpu'), compute('webgpu')]);
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  const off = (of: (run: ProviderRun) => number[]) => greatestDifference(of(gpu), of(cpu));

  it('log-probabilities, entropies and candidates, at a temperature', () => {
    expect(off(({ scored }) => scored.flatMap((s) => s.logprobs))).toBeLessThan(TOLERANCE);
    expect(off(({ scored }) => scored.flatMap((s) => s.entropy!))).toBeLessThan(TOLERANCE);
    expect(off(({ scored }) => scored.flatMap((s) => s.candidates!))).toBeLessThan(TOLERANCE);
  });

  it('greedy generation', () => {
    const tokens = ({ written }: ProviderRun) => written.flat().map((s) => s.tokens);
    expect(tokens(gpu)).toEqual(tokens(cpu));
    expect(off(({ written }) => written.flat().flatMap((s) => s.logprobs))).toBeLessThan(TOLERANCE);
  });

  it('sampled responses, of which some end early and some are long', () => {
    const tokens = ({ sampled }: ProviderRun) => sampled.flat().map((s) => s.tokens);
    expect(tokens(gpu)).toEqual(tokens(cpu));
    const lengths = tokens(gpu).map((row) => row.length);
    expect(Math.min(...lengths)).toBeLessThan(8);
    expect(Math.max(...lengths)).toBeGreaterThan(16);
    expect(off(({ sampled }) => sampled.flat().flatMap((s) => s.logprobs))).toBeLessThan(TOLERANCE);
  });

  it('the gradient of every parameter, added up over two passes', async () => {
    const gradient = async (provider: string) => {
      const { store } = await saved(join(folder, provider, 'first-step'));
      return (name: string) => view(store, store.firstMoment, name);
    };
    const [byCpu, byGpu] = [await gradient('cpu'), await gradient('webgpu')];
    for (const { name } of parameters(config)) {
      const expected = byCpu(name);
      const largest = greatestDifference(expected, new Float32Array(expected.length));
      expect(largest, `${name} has no gradient`).toBeGreaterThan(0);
      // what cancels out of sums (a key's bias moves no softmax) is rounding alone
      expect(greatestDifference(byGpu(name), expected), name).toBeLessThan(TOLERANCE * largest + 1e-7);
    }
  });

  it('three AdamW steps with clipping', () => {
    gpu.steps.forEach(({ gradNorm, applied }, k) => {
      expect(applied).toBe(true);
      expect(gradNorm).toBeGreaterThan(1);
      expect(Math.abs(gradNorm / cpu.steps[k].gradNorm - 1)).toBeLessThan(TOLERANCE);
    });
    expect(off(({ losses }) => losses.flat(2))).toBeLessThan(TOLERANCE);
    expect(greatestDifference(gpu.losses[2].flat(), gpu.losses[0].flat())).toBeGreaterThan(0.1);
  });

  it('the weights and moments that are saved', async () => {
    const [byCpu, byGpu] = [
      await saved(join(folder, 'cpu/trained')),
      await saved(join(folder, 'webgpu/trained')),
    ];
    expect(byGpu.store.steps).toBe(3);
    // a gradient near 0 turns into a step of the learning rate, in whichever direction rounding gives it
    const differ = byGpu.store.weights.filter((w, i) => Math.abs(w - byCpu.store.weights[i]) > TOLERANCE);
    expect(differ.length / byGpu.store.weights.length).toBeLessThan(0.001);
    expect(greatestDifference(byGpu.store.firstMoment, byCpu.store.firstMoment)).toBeLessThan(TOLERANCE);
  });

  it('what a reference is, before and after training', () => {
    expect(greatestDifference(gpu.untouched.flat(), gpu.losses[0].flat())).toBeLessThan(1e-5);
    expect(off(({ untouched }) => untouched.flat())).toBeLessThan(TOLERANCE);
  });

  it('adapters: their step, and the model without it', () => {
    const { before, after, gradNorm } = gpu.adapted;
    expect(Math.abs(gradNorm / cpu.adapted.gradNorm - 1)).toBeLessThan(TOLERANCE);
    expect(greatestDifference(after.flat(), cpu.adapted.after.flat())).toBeLessThan(TOLERANCE);
    expect(greatestDifference(before.flat(), cpu.adapted.before.flat())).toBeLessThan(TOLERANCE);
    expect(after).not.toEqual(before);
  });

  it('dropping a gradient that is not finite', () => {
    expect(gpu.dropped.applied).toBe(false);
    expect(cpu.dropped.applied).toBe(false);
  });

  it('two engines at work side by side, one of which goes first', () => {
    expect(off(({ beside }) => beside.flat(2))).toBeLessThan(TOLERANCE);
    for (const scores of gpu.beside) expect(scores).toEqual(gpu.untouched);
  });

  it('going on from a checkpoint exactly as if it had not stopped', () => {
    expect(gpu.continued[1]).toEqual(gpu.continued[0]);
  });

  it('one lane, whatever the number of threads', () => {
    expect(gpu.lanes).toBe(1);
    expect(cpu.lanes).toBe(2);
  });

  it('nothing that only the CPU computes but the arithmetic of shapes', async () => {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', script('placement-run.ts')], {
      maxBuffer: 2 ** 28,
    });
    expect(JSON.parse(stdout)).toEqual({
      features: [],
      score: ['Unsqueeze'],
      candidates: ['Unsqueeze'],
      train: ['Squeeze', 'Unsqueeze'],
      prefill: ['Unsqueeze'],
      extend: ['Gather'],
    });
  });
});

async function saved(dir: string): Promise<{ store: ParameterStore }> {
  const store = newStore(parameters(config), newTrainingState);
  await readWeights(dir, config, store);
  await readOptimizer(`${dir}/trainer`, store);
  return { store };
}
