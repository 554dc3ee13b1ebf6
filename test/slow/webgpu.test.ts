/** A run on WebGPU against the same run on the CPU. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { readRlMetrics, readSftMetrics } from '../../src/data/run-files.ts';
import { hubModel } from '../cli/sophia.ts';
import { greatestDifference } from '../engine/golden-cases.ts';
import { probeWebgpu, whyNot } from '../engine/webgpu.ts';
import { recipeFile, spark } from './recipes.ts';
import { sophia, workFolder } from './sophia.ts';

const probe = await probeWebgpu();
const { dir, remove } = workFolder();
afterAll(remove);

/** As short as a run can be: a software driver takes seconds for each kind of graph. */
const short = {
  name: 'webgpu',
  architecture: spark.architecture,
  world: { pictures: 16, captions: 16, lookups: 16, listings: 16, mixed: 16, trm: 8, rl: 8, test: 2 },
  cold_start: {
    phases: [{ steps: 3, cycle: ['captions', 'mixed'] }],
    batch: spark.cold_start.batch,
    save_every: 3,
  },
  judge: 'oracle',
  rl: { steps: 2, prompts: 2, samples: 2, save_every: 2 },
};

describe.skipIf(!probe.runs)(`sophia logprobs --provider webgpu${whyNot(probe)}`, () => {
  it('gives the log-probabilities and greedy tokens of the CPU', async ({ expect }) => {
    const rows = join(dir, 'rows.jsonl');
    const question = (content: string) => [{ role: 'user', content }];
    writeFileSync(
      rows,
      [
        { messages: question('Count.'), completion: 'Three things' },
        { messages: question('What is there?'), completion: 'A red circle' },
      ]
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(''),
    );
    const scored = async (provider: string): Promise<{ logprobs: number[]; greedy_ids: number[] }[]> => {
      const args = ['--model', hubModel, '--in', rows, '--greedy', '5', '--provider', provider];
      const ended = await sophia(['logprobs', ...args]);
      expect(ended.code, ended.stderr).toBe(0);
      return ended.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    };
    const onCpu = await scored('cpu');
    const onDevice = await scored('webgpu');
    expect(onDevice).toHaveLength(2);
    onDevice.forEach(({ logprobs, greedy_ids }, i) => {
      expect(greatestDifference(logprobs, onCpu[i].logprobs)).toBeLessThan(1e-4);
      expect(greedy_ids).toEqual(onCpu[i].greedy_ids);
    });
  });
});

describe.skipIf(!probe.runs)(`sophia train with engine.provider webgpu${whyNot(probe)}`, () => {
  it('goes through all stages, and learns what the CPU learns', async ({ expect }) => {
    const recipe = recipeFile(dir, short);
    const train = (provider: string) =>
      sophia(['train', recipe, '--set', `engine.provider=${provider}`, '--run', join(dir, provider)]);
    for (const provider of ['cpu', 'webgpu']) {
      const ended = await train(provider);
      expect(ended.code, ended.stderr).toBe(0);
    }
    const losses = async (provider: string) => await readSftMetrics(join(dir, provider, 'cold-start'));
    const onCpu = await losses('cpu');
    const onDevice = await losses('webgpu');
    expect(onDevice).toHaveLength(3);
    onDevice.forEach(({ loss, grad_norm }, step) => {
      expect(loss).toBeCloseTo(onCpu[step].loss!, 3);
      expect(Math.abs(grad_norm! / onCpu[step].grad_norm! - 1)).toBeLessThan(1e-3);
    });
    for (const stage of ['', 'grpo']) {
      const rows = await readRlMetrics(join(dir, 'webgpu', stage));
      expect(rows.map((row) => row.step)).toEqual([1, 2]);
    }
  });
});
