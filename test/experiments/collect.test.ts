import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeJsonl } from '../../src/data/jsonl.ts';
import { metricsFile, writeRollouts, writeScores } from '../../src/data/run-files.ts';
import { InputError } from '../../src/errors.ts';
import { collectReport } from '../../src/experiments/report/collect.ts';
import { writeReport } from '../../src/experiments/report/write.ts';
import { group, picture, resultRows, rlMetrics, sftMetrics } from './report-data.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sophiavl-report-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A run folder as a finished run leaves it, by the project's own writers. */
async function runFolder(dir: string, seed: number): Promise<void> {
  const [cold, grpo, trust] = resultRows([seed]);
  const stages = [
    { dir: join(dir, 'cold-start'), row: cold },
    { dir: join(dir, 'grpo'), row: grpo },
    { dir, row: trust },
  ];
  for (const { dir: stage, row } of stages)
    for (const scores of [row.seeds[0].id, row.seeds[0].ood])
      if (scores) await writeScores(stage, { ...scores, split: `test-${scores.split}` });
  await writeJsonl(metricsFile(join(dir, 'cold-start')), sftMetrics(seed, 20, ['caption', 'listing']));
  await writeJsonl(metricsFile(join(dir, 'trm')), sftMetrics(seed, 10, ['score']));
  await writeFile(
    join(dir, 'trm', 'reliability.json'),
    JSON.stringify({ spearman: 0.8, auc_sound: 0.97, mae: 0.1, n: 99, extra: 1 }),
  );
  for (const { stage, variant } of [
    { stage: join(dir, 'grpo'), variant: 'grpo' },
    { stage: dir, variant: 'trust-grpo' },
  ]) {
    await writeJsonl(metricsFile(stage), rlMetrics(variant, seed, 8));
    for (let step = 1; step <= 8; step++) await writeRollouts(stage, step, [group(variant, step)]);
  }
  const { url } = await picture();
  await mkdir(join(dir, 'data', 'images'), { recursive: true });
  await writeFile(join(dir, 'data', 'images', '1.png'), Buffer.from(url.split(',')[1], 'base64'));
}

const recipe = 'title: A made-up run\nseeds: [4]\nrl:\n  steps: 8\n  alpha: 0.3\n';

describe('collecting a report', () => {
  it('finds stages, scores, reliability, examples with pictures and the recipe of a run folder', async () => {
    await runFolder(root, 4);
    await writeFile(join(root, 'recipe.yaml'), recipe);
    const input = await collectReport(root);
    expect(input.title).toBe('A made-up run');
    expect(input.seeds).toEqual([4]);
    expect(input.recipe).toContainEqual({ key: 'rl.alpha', value: '0.3' });
    expect(input.results.map((row) => row.variant)).toEqual(['cold-start', 'grpo', 'trust-grpo']);
    expect(input.results[2].seeds[0].ood?.accuracy).toBe(0.42);
    expect(input.runs.map((run) => [run.variant, run.metrics.length])).toEqual([
      ['grpo', 8],
      ['trust-grpo', 8],
    ]);
    expect(input.coldStart[0].metrics).toHaveLength(20);
    expect(input.reliability).toEqual([
      { seed: 4, spearman: 0.8, auc_sound: 0.97, mae: 0.1, n: 99, on_trained_policy: null },
    ]);
    expect(input.examples.length).toBeGreaterThanOrEqual(6);
    expect(input.examples[0].picture).toMatchObject({
      width: 84,
      height: 84,
      url: expect.stringMatching(/^data:image\/png;base64,/),
    });
    expect(input.timings.map(({ stage, seconds }) => [stage, Math.round(seconds)])).toContainEqual([
      'trust-grpo',
      8,
    ]);
  });

  it('takes the times of the pipeline where it wrote them down', async () => {
    await runFolder(root, 0);
    await writeFile(join(root, 'timings.json'), JSON.stringify([{ stage: 'cold start', seconds: 12.5 }]));
    expect((await collectReport(root)).timings).toEqual([{ stage: 'cold start', seed: 0, seconds: 12.5 }]);
  });

  it('puts several seeds together', async () => {
    for (const seed of [0, 1]) await runFolder(join(root, `seed-${seed}`), seed);
    const input = await collectReport(root);
    expect(input.seeds).toEqual([0, 1]);
    expect(input.results[1].seeds.map((seed) => seed.seed)).toEqual([0, 1]);
    expect(input.runs.map((run) => `${run.variant} ${run.seed}`)).toEqual([
      'grpo 0',
      'grpo 1',
      'trust-grpo 0',
      'trust-grpo 1',
    ]);
  });

  it('bears an unfinished run and pictures that have gone', async () => {
    await writeJsonl(metricsFile(root), rlMetrics('trust-grpo', 0, 2));
    await writeRollouts(root, 1, [group('trust-grpo', 1)]);
    const input = await collectReport(root);
    expect(input.results).toEqual([]);
    expect(input.examples[0].picture).toBeNull();
    expect(await readFile(await writeReport(root), 'utf8')).toContain('data-chart="accuracy"');
  });

  it('names the file and the line of damaged metrics, and a folder that is none', async () => {
    await writeFile(join(root, 'metrics.jsonl'), '{"step":1,"variant":"grpo"}\n');
    await expect(collectReport(root)).rejects.toThrow(/metrics\.jsonl:1: .* is missing/);
    await expect(collectReport(join(root, 'nowhere'))).rejects.toThrow(InputError);
  });
});
