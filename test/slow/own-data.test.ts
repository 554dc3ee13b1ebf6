/** The same loop on a user's own records and checkpoint, and with every kind of judge. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, inject, it } from 'vitest';
import { readRlMetrics, readRollouts, readScores } from '../../src/data/run-files.ts';
import { names, repository, sophia, workFolder } from './sophia.ts';

const job = inject('mainJob');
/** The checkpoints of the shortened main job: a policy, and a judge for it. */
const lastCheckpoint = (stage: string) => {
  const folder = join(job.dir, stage, 'checkpoints');
  return join(folder, names(folder).at(-1)!);
};
const fixture = join(repository, 'test/fixtures/qwen2_5_vl_tiny');

const { dir, remove } = workFolder();
const file = (name: string) => join(dir, name);
afterAll(remove);

const settings = (values: Record<string, string | number>) =>
  Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
const small = {
  'rl.steps': 2,
  'rl.prompts': 3,
  'rl.samples': 4,
  'trm.steps': 60,
  'trm.batch': 8,
  'trm.optimizer.warmup': 2,
};

/** A data set as a user has one: pictures beside it, loose fields, no world. */
const plain = [
  {
    problem_id: 1,
    problem: 'How many bars are there?',
    data_type: 'image',
    problem_type: 'numerical',
    options: [],
    process: '',
    solution: '<answer>5</answer>',
    path: 'pictures/chart.png',
    data_source: 'mine',
  },
  {
    problem_id: 'two',
    problem: 'What is 2 + 3?',
    data_type: 'text',
    problem_type: 'multiple choice',
    options: ['A. 4', 'B. 5'],
    solution: '<answer>B</answer>',
    path: null,
  },
  {
    problem_id: 3,
    problem: 'Read the sign.',
    data_type: 'image',
    problem_type: 'OCR',
    solution: 'hello',
    image: 'pictures/photo.jpg',
  },
  { problem_id: 4, problem: 'Why?', data_type: 'text', problem_type: 'free-form', solution: 'because' },
];

beforeAll(async () => {
  mkdirSync(file('pictures'));
  for (const name of ['chart.png', 'photo.jpg'])
    copyFileSync(join(fixture, 'images', name), file(`pictures/${name}`));
  writeFileSync(file('plain.json'), JSON.stringify(plain));
  writeFileSync(file('plain.jsonl'), plain.map((row) => `${JSON.stringify(row)}\n\n`).join(''));
  await Promise.all(
    ['train', 'test-id', 'test-ood'].map((split) =>
      sophia(['world', '--split', split, '--count', '48', '--out', file(split)]),
    ),
  );
});

/** The world's records and the main job's policy. */
const world = {
  ...small,
  model: lastCheckpoint('cold-start'),
  'data.train': file('train/records.jsonl'),
  'data.id': file('test-id/records.jsonl'),
  'data.ood': file('test-ood/records.jsonl'),
};

describe.concurrent('records that `sophia world` wrote, and a checkpoint', () => {
  it('go through TRM, both variants and evaluation, without a cold start', async ({ expect }) => {
    const run = file('by-trm');
    const ended = await sophia(['train', ...settings(world), '--run', run]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(names(run)).not.toContain('cold-start');
    expect(names(run)).not.toContain('data');
    for (const name of ['Start', 'GRPO', 'Trust-GRPO'])
      expect(ended.stdout.match(new RegExp(`^ +${name} +0\\.\\d\\d `, 'gm'))).toHaveLength(2);
    expect((await readScores(run, 'ood')).n).toBe(48);
    const [row] = await readRlMetrics(run);
    expect(row.coverage!).toBeGreaterThan(0.5);
    expect(row.quality).not.toBeNull();
  });

  it('judge: oracle gives the oracle’s own score as thinking reward', async ({ expect }) => {
    const run = file('by-oracle');
    const ended = await sophia(['train', ...settings({ ...world, judge: 'oracle' }), '--run', run]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(names(run)).not.toContain('trm');
    const responses = (await readRollouts(run, 1)).flatMap((group) => group.responses);
    for (const r of responses) expect(r.thinking).toBe(r.format_ok ? r.oracle!.score : 0);
    expect(new Set(responses.map((r) => r.thinking)).size).toBeGreaterThan(1);
  });

  it('judge: {model: DIR} asks a TRM trained elsewhere', async ({ expect }) => {
    const run = file('by-folder');
    const given = { ...world, 'judge.model': lastCheckpoint('trm') };
    const ended = await sophia(['train', ...settings(given), '--run', run]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(names(run)).not.toContain('trm');
    const responses = (await readRollouts(run, 1)).flatMap((group) => group.responses);
    const scores = responses.flatMap((r) => (r.format_ok && r.thinking !== null ? [r.thinking] : []));
    expect(scores.length).toBeGreaterThan(0);
    for (const score of scores) expect(score > 0 && score < 1).toBe(true);
  });

  it('a model that was not taught to judge stops the run: its numbers would mean nothing', async ({
    expect,
  }) => {
    const judges = [
      // knows the world's words for scores, and gives them no probability
      [lastCheckpoint('cold-start'), 'the model gave only .* was not taught to judge'],
      // a model of a hub writes its score
      [join(fixture, 'model'), 'the judge did not end within 16 tokens'],
    ];
    for (const [judge, why] of judges) {
      const given = { ...world, 'judge.model': judge };
      const ended = await sophia(['train', ...settings(given), '--run', file(`by-${basename(judge)}`)]);
      expect(ended.stderr.trimEnd().split('\n').at(-1)).toMatch(
        new RegExp(`^judge: only 0 of \\d+ responses were scored \\(${why}\\); mend the judge`),
      );
      expect(ended.code).toBe(1);
    }
  });

  it('judge: none leaves outcome-only GRPO, and says so', async ({ expect }) => {
    const run = file('by-nobody');
    const ended = await sophia(['train', ...settings({ ...world, judge: 'none' }), '--run', run]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(
      /^trust-grpo is left out: it needs thinking rewards, and the recipe has judge: none$/m,
    );
    expect(ended.stdout).not.toContain('Trust-GRPO');
    const [row] = await readRlMetrics(run);
    expect(row).toMatchObject({ variant: 'grpo', thinking: null, coverage: null });
    expect(row.quality).not.toBeNull();
  });

  it('other updates by recipe: KL, two updates a batch, Dr. GRPO’s aggregation, no division by std', async ({
    expect,
  }) => {
    const run = file('otherwise');
    const given = {
      ...world,
      judge: 'oracle',
      baselines: '[]',
      'rl.kl_beta': 0.04,
      'rl.updates': 2,
      'rl.aggregation': 'dr_grpo',
      'rl.scaling': 'no_std',
      'rl.top_p': 0.9,
    };
    const ended = await sophia(['train', ...settings(given), '--run', run]);
    expect(ended.code, ended.stderr).toBe(0);
    const rows = await readRlMetrics(run);
    expect(rows.map((row) => row.applied)).toEqual([true, true]);
    expect(rows[1].kl!).toBeGreaterThan(0);
    // A = (R − mean)/0.4
    const group = (await readRollouts(run, 1))[0];
    const mean = group.responses.reduce((sum, r) => sum + r.reward, 0) / group.responses.length;
    for (const r of group.responses) expect(r.advantage).toBeCloseTo((r.reward - mean) / 0.4, 10);
  });
});

describe.concurrent('a user’s own records and any checkpoint of the architecture', () => {
  // random weights: no answer has the format, every group is tied
  it.for(['plain.json', 'plain.jsonl'])(
    '%s runs to its end and says what is not possible',
    async (name, { expect }) => {
      const run = file(`own-${name}`);
      const given = {
        ...small,
        model: join(fixture, 'model'),
        'data.train': file(name),
        'data.template': "'{problem} {options}'",
        'rl.kl_beta': 0.04,
        'rl.updates': 2,
      };
      const ended = await sophia(['train', ...settings(given), '--run', run]);
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.stderr).toMatch(
        /^no data\.id or data\.ood: evaluating on the training questions themselves \(.*\)$/m,
      );
      expect(ended.stderr).toMatch(
        /^trust-grpo is left out: it needs thinking rewards, and there is no judge for these records \(set judge=\{model: DIR\}, a TRM's folder\)$/m,
      );
      expect(ended.stdout).toMatch(/^ +GRPO +0\.00 +– +– +–$/m);
      const rows = await readRlMetrics(run);
      expect(rows.length).toBe(2);
      for (const row of rows)
        expect(row).toMatchObject({
          variant: 'grpo',
          broken_format: 1,
          tied: 1,
          tied_wrong: 1,
          applied: true,
        });
      const scores = await readScores(run, 'id');
      expect(scores).toMatchObject({ n: 4, accuracy: 0, quality: null, flawed_right: null, by_style: null });
      // all four questions, both pictures among them, were asked
      const asked = [...(await readRollouts(run, 1)), ...(await readRollouts(run, 2))];
      expect(new Set(asked.map((group) => String(group.problem_id)))).toEqual(
        new Set(['1', 'two', '3', '4']),
      );
    },
  );
});
