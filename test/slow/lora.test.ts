/** Runs that train adapters: stopped and gone on with, evaluated, merged, as judges and as the start of other runs. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readRollouts } from '../../src/data/run-files.ts';
import { recipeFile, spark } from './recipes.ts';
import { leftovers, lines, names, once, readJson, readRows, resultOf, sophia, workFolder } from './sophia.ts';

const job = inject('mainJob');
const { dir, remove } = workFolder();
const file = (name: string) => join(dir, name);
afterAll(remove);

const lastOf = (stage: string) => join(stage, 'checkpoints', names(join(stage, 'checkpoints')).at(-1)!);
const base = lastOf(join(job.dir, 'cold-start'));
const settings = (values: Record<string, string | number>) =>
  Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
/** Records that pretend to be a user's own, and the main job's model. */
const own = {
  model: base,
  'data.train': file('train/records.jsonl'),
  'data.id': file('test-id/records.jsonl'),
  'data.ood': file('test-ood/records.jsonl'),
  lora: '{rank: 4, alpha: 8}',
  'rl.steps': 4,
  'rl.prompts': 3,
  'rl.samples': 6,
  'rl.kl_beta': 0.04,
  'rl.save_every': 2,
  'rl.optimizer.learning_rate': 0.002,
  'trm.steps': 60,
  'trm.batch': 8,
  'trm.save_every': 10,
};
const answers = (folder: string) => readRows(join(folder, 'predictions.jsonl'));
const train = (run: string, more: Record<string, string | number> = {}, watch = {}) =>
  sophia(['train', ...settings({ ...own, ...more }), '--run', file(run)], watch);

let policy: string;
let expected: Record<string, string>;
beforeAll(async () => {
  await Promise.all(
    ['train', 'test-id', 'test-ood'].map((split) =>
      sophia(['world', '--split', split, '--count', '48', '--out', file(split)]),
    ),
  );
  const ended = await train('whole');
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toMatch(/^[\d,]+ parameters, 27,648 of them trained \(LoRA\)$/m);
  policy = lastOf(file('whole'));
  expected = resultOf(file('whole'));
  // adapters and their moments are among what is compared
  for (const name of ['adapter_model.safetensors', 'trainer/optimizer.safetensors'])
    expect(expected).toHaveProperty([`checkpoints/000004/${name}`]);
});

describe('a checkpoint of adapters', () => {
  it('has the files of PEFT, the configuration and the tokenizer, and names its base', () => {
    expect(names(policy)).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'preprocessor_config.json',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'trainer',
    ]);
    expect(readJson(join(policy, 'adapter_config.json'))).toMatchObject({
      base_model_name_or_path: base,
      r: 4,
      lora_alpha: 8,
    });
  });

  it('merged into its base gives the answers that the run was scored by', async () => {
    const exported = await sophia(['export', '--model', policy, '--out', file('merged')]);
    expect(exported.code, exported.stderr).toBe(0);
    const models = { adapters: [policy], beside: [base, '--adapter', policy], merged: [file('merged')] };
    for (const [split, data] of Object.entries({ id: 'test-id', ood: 'test-ood' })) {
      const asked = answers(file(`whole/eval/${split}`));
      for (const [name, model] of Object.entries(models)) {
        const out = file(`${name}-${split}`);
        const args = ['--model', ...model, '--data', file(data), '--max-tokens', '30', '--out', out];
        const ended = await sophia(['eval', ...args]);
        expect(ended.code, ended.stderr).toBe(0);
        expect(answers(out), name).toEqual(asked);
      }
    }
    // and it has learnt something: the start answers otherwise
    expect(answers(file('whole/start/eval/id'))).not.toEqual(answers(file('whole/eval/id')));
  });

  it('as the start of another run, is trained on: its base stays what it was', async () => {
    const ended = await train('further', { model: policy, lora: 'null', judge: 'oracle', 'rl.steps': 2 });
    expect(ended.code, ended.stderr).toBe(0);
    const config = readJson(join(lastOf(file('further')), 'adapter_config.json'));
    expect(config).toMatchObject({ base_model_name_or_path: base, r: 4 });
    expect(answers(file('further/start/eval/id'))).toEqual(answers(file('whole/eval/id')));
  });

  it('as the start of a run with a TRM of its own: that one is trained whole, from the merged policy', async () => {
    const ended = await train('with-trm', { model: policy, lora: 'null', 'rl.steps': 1 });
    expect(ended.code, ended.stderr).toBe(0);
    expect(names(lastOf(file('with-trm/trm')))).toContain('model.safetensors');
    expect(names(lastOf(file('with-trm')))).toContain('adapter_model.safetensors');
  });

  it('judges as it does merged into its base', async () => {
    const trm = lastOf(join(job.dir, 'trm'));
    // any adapters will do: those of the policy beside the TRM's weights
    const adapters = file('adapted-trm');
    cpSync(policy, adapters, { recursive: true });
    const config = join(adapters, 'adapter_config.json');
    writeFileSync(config, JSON.stringify({ ...readJson(config), base_model_name_or_path: trm }));
    await sophia(['export', '--model', adapters, '--out', file('judge')]);
    const scores = async (judge: string, run: string) => {
      const ended = await train(run, { 'judge.model': judge, 'rl.steps': 1, baselines: '[]' });
      expect(ended.code, ended.stderr).toBe(0);
      return (await readRollouts(file(run), 1)).flatMap(({ responses }) => responses.map((r) => r.thinking));
    };
    const [beside, merged, bare] = [
      await scores(adapters, 'judged-beside'),
      await scores(file('judge'), 'judged-merged'),
      await scores(trm, 'judged-before'),
    ];
    expect(beside.filter((score) => score !== null && score > 0).length).toBeGreaterThan(0);
    beside.forEach((score, i) => {
      if (score === null) expect(merged[i]).toBeNull();
      else expect(merged[i]).toBeCloseTo(score, 4);
    });
    expect(beside).not.toEqual(bare);
  });
});

describe.concurrent('stopped and gone on with, a run with adapters comes to the same end', () => {
  const stages: [name: string, folder: string, step: number][] = [
    ['the TRM’s training', 'trm', 12],
    ['the main variant', '.', 2],
    ['the baseline', 'grpo', 1],
  ];
  it.for(stages)('killed in %s', async ([, stage, step], { expect }) => {
    const at = `killed-${step}`;
    const killed = await train(
      at,
      {},
      { watch: once(() => lines(join(file(at), stage, 'metrics.jsonl')) > step, 'SIGKILL') },
    );
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    const ended = await sophia(['train', '--run', file(at), '--resume']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(resultOf(file(at))).toEqual(expected);
    expect(leftovers(file(at))).toEqual([]);
  });

  it('from a cold start, which trains all parameters', async ({ expect }) => {
    const recipe = recipeFile(dir, { ...spark, lora: { rank: 4, targets: 'all-linear' } });
    const whole = await sophia(['train', recipe, '--run', file('cold')]);
    expect(whole.code, whole.stderr).toBe(0);
    for (const stage of ['cold-start', 'trm'])
      expect(names(lastOf(file(`cold/${stage}`)))).toContain('model.safetensors');
    for (const stage of ['grpo', '.'])
      expect(names(lastOf(join(file('cold'), stage)))).toContain('adapter_model.safetensors');
    const watch = once(() => lines(file('cold-stopped/metrics.jsonl')) > 0, 'SIGINT');
    const stopped = await sophia(['train', recipe, '--run', file('cold-stopped')], { watch });
    expect(stopped.code, stopped.stderr).toBe(130);
    const ended = await sophia(['train', '--run', file('cold-stopped'), '--resume']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(resultOf(file('cold-stopped'))).toEqual(resultOf(file('cold')));
  });
});

describe('refused with exit code 2 and one line, before a run folder is made:', () => {
  it.each([
    [
      'targets that name no layer',
      { lora: '{targets: [query]}' },
      /^lora\.targets: .*"query.* names no modu/,
    ],
    ['adapters on adapters', () => ({ model: policy }), /^lora: \S+ holds adapters already; leave lora out/],
    ['a regular expression that is none', { lora: '{targets: "("}' }, /^lora\.targets: .*regular expression/],
  ])('%s', async (_what, given, line) => {
    const ended = await train('refused', typeof given === 'function' ? given() : given);
    expect(ended.stderr).toMatch(/^[^\n]+\n$/);
    expect(ended.stderr.trimEnd()).toMatch(line);
    expect(ended.code).toBe(2);
    expect(names(file('refused'))).toEqual([]);
  });
});
