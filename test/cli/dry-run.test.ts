/** `sophia train --dry-run` from outside: what a recipe resolves to and what it will take. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkRecipe, readRecipe } from '../../src/experiments/recipe-file.ts';
import { published3B } from '../models/published.ts';
import { hubModel, smallest, sophia } from './sophia.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-dry-run-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const small = [
  `architecture={${Object.entries(smallest).map(([key, size]) => `${key}: ${size}`)}}`,
  'cold_start.batch={captions: 2, lookups: 2, listings: 2, mixed: 2}',
  'rl.prompts=2',
  'rl.samples=2',
  'trm.batch=2',
];
const dryRun = (settings: string[], ...more: string[]) =>
  sophia(folder, 'train', '--dry-run', ...settings.flatMap((setting) => ['--set', setting]), ...more);
const estimated = async (...settings: string[]) =>
  JSON.parse((await dryRun([...small, ...settings], '--json')).stdout);

describe('sophia train --dry-run', () => {
  it('prints the resolved recipe, to be read back, with the estimate in comments, and leaves nothing behind', async () => {
    const { code, stdout } = await dryRun(small, '--seed', '0,1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^# memory: about \d+ MB$/m);
    expect(stdout).toMatch(/^# time: about [\d.]+ minutes \(measured on this machine/m);
    for (const stage of ['draw the world', 'cold start', 'train the TRM', 'train trust-grpo', 'train grpo'])
      expect(stdout).toMatch(new RegExp(`^# +${stage} +\\d+ s$`, 'm'));
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(join(folder, 'recipe.yaml'), stdout);
    const resolved = { ...(await readRecipe(null, small)), seeds: [0, 1] };
    expect(await readRecipe(join(folder, 'recipe.yaml'), [])).toEqual(resolved);
  }, 60_000);

  it('counts more steps, more seeds and no stages that are not run', async () => {
    const once = await estimated('judge=oracle', 'baselines=[]');
    const more = await estimated('judge=oracle', 'baselines=[]', 'seeds=[0,1,2]', 'rl.steps=6000');
    expect(checkRecipe(more.recipe, 'printed').rl.steps).toBe(6000);
    const stage = (of: typeof once, name: string) =>
      of.stages.find((row: { stage: string }) => row.stage === name)?.seconds;
    expect(stage(more, 'train trust-grpo')).toBeGreaterThan(10 * stage(once, 'train trust-grpo'));
    expect(more.minutes).toBeGreaterThan(3 * once.minutes);
    for (const name of ['train the TRM', 'train grpo']) expect(stage(once, name)).toBeUndefined();
    expect(once.memory_mb).toBeGreaterThan(80);
  }, 60_000);

  it('reads only the configuration of a large model, and knows that it is large', async () => {
    mkdirSync(join(folder, '3b'), { recursive: true });
    for (const name of readdirSync(hubModel))
      if (name !== 'model.safetensors') cpSync(join(hubModel, name), join(folder, '3b', name));
    writeFileSync(join(folder, '3b/config.json'), JSON.stringify(published3B));
    const { memory_mb, note } = await estimated('model=3b', 'judge=oracle', 'world.rl=8');
    // 3.75 billion parameters: weights, two gradients and two moments while learning, and the start being evaluated
    expect(memory_mb).toBeGreaterThan((3.75e9 * 4 * 6) / 2 ** 20);
    expect(note).toMatch(/^counted for 3\.8 billion parameters/);
  }, 60_000);

  it('counts an adapter’s gradient and moments alone, and says how many parameters are trained', async () => {
    const settings = ['model=3b', 'judge=oracle', 'world.rl=8', 'rl.kl_beta=0.04', 'lora.rank=8'];
    const { memory_mb, parameters } = await estimated(...settings);
    // of 36 layers: q, k, v, o, gate, up, down
    const sides = [4096, 2304, 2304, 4096, 13056, 13056, 13056];
    const trained = 36 * 8 * sides.reduce((a, b) => a + b, 0);
    expect(parameters).toEqual({ all: 3_754_622_976 + trained, trained });
    // the policy and the baseline, each with the base once and four numbers a trained parameter
    const least = (2 * (3_754_622_976 * 4 + trained * 16)) / 2 ** 20;
    expect(memory_mb).toBeGreaterThan(least);
    // less than the weights, gradient and moments of one that learns whole
    expect(memory_mb).toBeLessThan((3_754_622_976 * 16) / 2 ** 20);
    const { stdout } = await dryRun([...small, ...settings]);
    expect(stdout).toMatch(/^# model: 3,769,\d{3},\d{3} parameters, 14,966,784 of them trained \(LoRA\)$/m);
  }, 60_000);

  it('trains the cold start whole, and what follows by adapters', async () => {
    const { parameters, stages } = await estimated('judge=oracle', 'baselines=[]', 'lora={}');
    expect(parameters.trained).toBeLessThan(parameters.all / 2);
    expect(stages.map((row: { stage: string }) => row.stage)).toEqual(
      expect.arrayContaining(['cold start', 'train trust-grpo']),
    );
  }, 60_000);

  it.each([
    ['a model that is not there', 'model=nowhere', /^nowhere\/config\.json: not found; give a Hugging Face/],
    [
      'targets that name no layer',
      'lora.targets=[query]',
      /^lora\.targets: target_modules .*query.* names no module of this model; its linear layers end in q_proj/,
    ],
    [
      'targets that cannot be adapted',
      'lora.targets=[embed_tokens]',
      /^lora\.targets: target_modules includes "model\.embed_tokens", the embedding/,
    ],
    ['records that are not there', 'data.train=no.jsonl', /^no\.jsonl: cannot read: no such file$/],
  ])('ends with exit code 2 and one line on %s', async (_what, setting, line) => {
    const { code, stdout, stderr } = await dryRun([...small, setting]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd()).toMatch(line);
  });
});
