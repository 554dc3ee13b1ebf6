import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeFolder } from '../../src/data/atomic.ts';
import {
  appendMetrics,
  checkpointFolder,
  cutBack,
  latestCheckpoint,
  listCheckpoints,
  listRollouts,
  readRlMetrics,
  readRollouts,
  readScores,
  readSftMetrics,
  readTrainerState,
  type TrainerState,
  withoutTime,
  writeRollouts,
  writeScores,
  writeTrainerState,
} from '../../src/data/run-files.ts';
import type { RlMetrics, RolloutGroup, Scores, SftMetrics } from '../../src/data/run-folder.ts';
import { InputError, RunError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

const rl = (step: number, total_s = 1): RlMetrics => ({
  step,
  variant: 'trust-grpo',
  learning_rate: 1e-3,
  outcome: 0.5,
  accuracy: 0.5,
  thinking: 0.25,
  coverage: 1,
  gamma: null,
  gamma_below_1: null,
  tied: 0.5,
  tied_right: 0.25,
  tied_wrong: 0.25,
  reward: 0.6,
  flawed_right: 0.1,
  quality: 0.4,
  broken_format: 0,
  truncated: 0,
  completion_tokens: 12.5,
  trained: 8,
  kl: null,
  clip_fraction: 0,
  grad_norm: null,
  applied: false,
  by_type: { numerical: { accuracy: 0.5, n: 8 } },
  styles: { listing: 1 },
  time: { sample_s: 0.1, judge_s: 0.2, update_s: 0.3, total_s },
});
const sft: SftMetrics = {
  step: 1,
  learning_rate: 1e-3,
  loss: 2.5,
  by_kind: { caption: 2.5 },
  tokens: 100,
  grad_norm: 1,
  applied: true,
  time: { update_s: 0.1, total_s: 0.2 },
};
const group: RolloutGroup = {
  step: 1,
  problem_id: 'a',
  problem: 'how many ?',
  problem_type: 'numerical',
  path: null,
  solution: '<answer>1</answer>',
  mu_c: 0.5,
  mu_w: null,
  gamma: 1,
  anneal: 0.9,
  alpha: 0.3,
  tied: false,
  responses: [
    {
      text: '<think> so 1 </think> <answer> 1 </answer>',
      tokens: 8,
      finish: 'stop',
      format_ok: true,
      outcome: 1,
      right: true,
      thinking: null,
      failure: 'timed out',
      reward: 1,
      advantage: 0,
      oracle: {
        score: 0.2,
        sound: false,
        style: 'sloppy',
        statements: [{ text: 'so 1', verdict: 'unsupported', why: 'b1 was not stated' }],
      },
    },
  ],
};
const scores: Scores = {
  model: 'runs/a/checkpoints/000060',
  split: 'ood',
  n: 480,
  temperature: 0,
  accuracy: 0.5,
  quality: null,
  flawed_right: null,
  reliability_conditioned_accuracy: null,
  broken_format: 0,
  truncated: 0,
  by_type: { OCR: { n: 80, accuracy: 0.4, quality: null, reliability_conditioned_accuracy: null } },
  by_source: { books: { n: 80, accuracy: 0.4, quality: null, reliability_conditioned_accuracy: null } },
  by_style: null,
};
const state = (step: number): TrainerState => ({
  format: 1,
  stage: 'trust-grpo',
  step,
  total_steps: 60,
  seed: 0,
  position: step * 16,
});

async function runWith(steps: number): Promise<string> {
  const stage = temporaryFolder();
  for (let step = 1; step <= steps; step++) {
    await appendMetrics(stage, rl(step));
    await writeRollouts(stage, step, [{ ...group, step }]);
  }
  return stage;
}

async function checkpoint(stage: string, step: number): Promise<void> {
  await writeFolder(checkpointFolder(stage, step), async (dir) => {
    writeFileSync(join(dir, 'model.safetensors'), '');
    await writeTrainerState(dir, state(step));
  });
}

describe('metrics, rollouts, scores, trainer state', () => {
  it('read back as they were written', async () => {
    const stage = await runWith(2);
    expect(await readRlMetrics(stage)).toEqual([rl(1), rl(2)]);
    expect(await readRollouts(stage, 1)).toEqual([group]);
    expect(await listRollouts(stage)).toEqual([1, 2]);
    expect(readdirSync(join(stage, 'rollouts'))).toEqual(['000001.jsonl', '000002.jsonl']);
    const cold = temporaryFolder();
    await appendMetrics(cold, sft);
    expect(await readSftMetrics(cold)).toEqual([sft]);
    await writeScores(stage, scores);
    expect(await readScores(stage, 'ood')).toEqual(scores);
    await checkpoint(stage, 2);
    expect(await readTrainerState(checkpointFolder(stage, 2))).toEqual(state(2));
  });

  it('a stage may keep keys of its own in its trainer state', async () => {
    const dir = temporaryFolder();
    await writeTrainerState(dir, { ...state(3), best: 0.5 });
    expect(await readTrainerState(dir)).toEqual({ ...state(3), best: 0.5 });
  });

  it('what is not in the format is one line naming file, line and key', async () => {
    const stage = await runWith(1);
    appendFileSync(join(stage, 'metrics.jsonl'), `${JSON.stringify({ ...rl(2), tied: 'x' })}\n`);
    const metrics = join(stage, 'metrics.jsonl');
    await expect(readRlMetrics(stage)).rejects.toThrow(
      new InputError(`${metrics}:2: tied: must be number, found "x"`),
    );
    await expect(readSftMetrics(stage)).rejects.toThrow(InputError);
    await expect(readScores(stage, 'none')).rejects.toThrow(InputError);
  });

  it('time is all that may differ between an interrupted and an uninterrupted run', () => {
    expect(withoutTime(rl(1, 1))).toEqual(withoutTime(rl(1, 99)));
    expect(withoutTime(rl(1))).not.toHaveProperty('time');
  });
});

describe('checkpoints', () => {
  it('are listed by step; what is incomplete, temporary or something else is not', async () => {
    const stage = temporaryFolder();
    expect(await listCheckpoints(stage)).toEqual([]);
    expect(await latestCheckpoint(stage)).toBeNull();
    for (const step of [100, 20, 1_000_000]) await checkpoint(stage, step);
    mkdirSync(join(stage, 'checkpoints/000300'));
    mkdirSync(join(stage, 'checkpoints/.000400.tmp-999999999-0-0123abcd/trainer'), { recursive: true });
    writeFileSync(join(stage, 'checkpoints/.000400.tmp-999999999-0-0123abcd/trainer/state.json'), '{}');
    writeFileSync(join(stage, 'checkpoints/notes'), '');
    expect((await listCheckpoints(stage)).map(({ step }) => step)).toEqual([20, 100, 1_000_000]);
    expect(await latestCheckpoint(stage)).toEqual({
      step: 1_000_000,
      dir: join(stage, 'checkpoints/1000000'),
    });
  });

  it('one whose replacement was killed between its renames is put back', async () => {
    const stage = temporaryFolder();
    await checkpoint(stage, 20);
    const dir = checkpointFolder(stage, 20);
    renameSync(dir, join(stage, 'checkpoints/.000020.old-999999999-0-0123abcd'));
    expect(await latestCheckpoint(stage)).toEqual({ step: 20, dir });
  });
});

describe('cutBack', () => {
  it('leaves exactly what stood there after that step, byte for byte', async () => {
    const stage = await runWith(5);
    const before = readFileSync(join(stage, 'metrics.jsonl'), 'utf8').split('\n');
    appendFileSync(join(stage, 'metrics.jsonl'), '{"step":6,"var');
    writeFileSync(join(stage, 'rollouts/.000006.jsonl.tmp-999999999-0-0123abcd'), '');
    await cutBack(stage, 3);
    expect(readFileSync(join(stage, 'metrics.jsonl'), 'utf8')).toBe(`${before.slice(0, 3).join('\n')}\n`);
    expect(readdirSync(join(stage, 'rollouts'))).toEqual(['000001.jsonl', '000002.jsonl', '000003.jsonl']);
  });

  it('back to step 0 leaves nothing, and nothing stays nothing', async () => {
    const stage = await runWith(2);
    await cutBack(stage, 0);
    expect(await readRlMetrics(stage)).toEqual([]);
    expect(await listRollouts(stage)).toEqual([]);
    const empty = temporaryFolder();
    await cutBack(empty, 0);
    expect(existsSync(join(empty, 'metrics.jsonl'))).toBe(false);
  });

  it('a line cut off behind the checkpoint is dropped; one before it is an error', async () => {
    const stage = await runWith(2);
    const file = join(stage, 'metrics.jsonl');
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, whole.slice(0, -10));
    await expect(cutBack(stage, 2)).rejects.toThrow(/metrics\.jsonl:2: /);
    await cutBack(stage, 1);
    expect(await readRlMetrics(stage)).toEqual([rl(1)]);
  });

  it('metrics that do not reach the checkpoint, or skip a step, are an error', async () => {
    const stage = await runWith(2);
    await expect(cutBack(stage, 3)).rejects.toThrow(RunError);
    appendFileSync(join(stage, 'metrics.jsonl'), `${JSON.stringify(rl(4))}\n`);
    await expect(cutBack(stage, 4)).rejects.toThrow(/metrics\.jsonl:3: expected step 3/);
  });
});
