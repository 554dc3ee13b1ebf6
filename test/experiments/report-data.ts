/** A made-up but well-formed experiment for the report's tests: figures from a small arithmetic rule, no meaning. */
import sharp from 'sharp';
import type {
  RlMetrics,
  RolloutGroup,
  RolloutResponse,
  Scores,
  SftMetrics,
} from '../../src/data/run-folder.ts';
import type { Example, Picture, ReportInput } from '../../src/experiments/report/input.ts';
import type { ResultRow } from '../../src/experiments/results.ts';

export function scores(split: string, accuracy: number, quality: number, flawed: number): Scores {
  const types = ['count', 'sum', 'choice', 'ocr', 'free', 'text'];
  const sound = accuracy * (1 - flawed);
  return {
    model: 'made-up',
    split,
    n: 480,
    temperature: 0,
    accuracy,
    quality,
    flawed_right: flawed,
    reliability_conditioned_accuracy: sound,
    broken_format: 0.01,
    truncated: 0,
    by_type: Object.fromEntries(
      types.map((type, i) => [
        type,
        {
          n: 80,
          accuracy: Math.min(1, Math.max(0, accuracy + (i - 2.5) * 0.06)),
          quality,
          reliability_conditioned_accuracy: sound,
        },
      ]),
    ),
    by_source: Object.fromEntries(
      types.map((type, i) => [
        type,
        {
          n: 80,
          accuracy: Math.min(1, Math.max(0, accuracy + (i - 2.5) * 0.06)),
          quality,
          reliability_conditioned_accuracy: sound,
        },
      ]),
    ),
    by_style: { listing: { share: quality, accuracy }, shortcut: { share: 1 - quality, accuracy } },
  };
}

/** Rows with the given out-of-distribution accuracies of GRPO and Trust-GRPO. */
export function resultRows(seeds: number[], grpoOod = 0.16, trustOod = 0.42): ResultRow[] {
  const row = (variant: string, id: number, ood: number, quality: number, flawed: number): ResultRow => ({
    variant,
    seeds: seeds.map((seed, i) => ({
      seed,
      id: scores('id', id + 0.01 * i, quality, flawed),
      ood: scores('ood', ood + 0.013 * i, quality - 0.02, Math.min(1, flawed * 0.9)),
    })),
  });
  return [
    row('cold-start', 0.57, 0.4, 0.58, 0.37),
    row('grpo', 0.8, grpoOod, 0.21, 0.97),
    row('trust-grpo', 0.62, trustOod, 0.6, 0.32),
  ];
}

/** Numbers that look random and never change. */
export function noise(...keys: number[]): number {
  const x = Math.sin(keys.reduce((sum, key, i) => sum + key * (12.9898 + 4.7 * i), 1)) * 43758.5453;
  return x - Math.floor(x);
}

export function rlMetrics(variant: string, seed: number, steps = 60): RlMetrics[] {
  const trust = variant === 'trust-grpo';
  const v = trust ? 1 : 2;
  return Array.from({ length: steps }, (_, i) => {
    const step = i + 1;
    const t = 1 / (1 + Math.exp(-(step - 14 - 3 * seed) / 4));
    const wobble = (k: number) => (noise(step, seed, v, k) - 0.5) * 0.12;
    const listing = trust ? 0.55 + 0.27 * t : 0.55 - 0.52 * t;
    const shortcut = trust ? 0.22 - 0.08 * t : 0.22 + 0.73 * t;
    const accuracy = (trust ? 0.55 + 0.1 * t : 0.55 + 0.25 * t) + wobble(1);
    const tied = 0.45 + 0.15 * t + wobble(2);
    return {
      step,
      variant,
      learning_rate: 4e-4 * Math.min(1, step / 5),
      outcome: accuracy + 0.03,
      accuracy,
      thinking: trust ? 0.55 + 0.25 * t + wobble(3) : null,
      coverage: trust ? 1 : null,
      gamma: trust && step % 17 !== 0 ? 0.95 + wobble(4) / 3 : null,
      gamma_below_1: trust && step % 17 !== 0 ? 0.4 + wobble(5) * 2 : null,
      tied,
      tied_right: tied * (0.4 + 0.3 * t),
      tied_wrong: tied * (0.6 - 0.3 * t),
      reward: accuracy + (trust ? 0.2 * Math.exp(-step / 60) : 0),
      flawed_right: Math.min(1, Math.max(0, (trust ? 0.38 - 0.1 * t : 0.38 + 0.6 * t) + wobble(6))),
      quality: (trust ? 0.57 + 0.08 * t : 0.57 - 0.36 * t) + wobble(7) / 2,
      broken_format: Math.max(0, 0.02 - 0.001 * step),
      truncated: 0,
      trained: 96,
      completion_tokens: (trust ? 13 + 1.4 * t : 13 - 5 * t) + wobble(8) * 4,
      kl: null,
      clip_fraction: 0,
      grad_norm: 0.8 + 0.5 * noise(step, seed, v, 9),
      applied: true,
      by_type: { count: { accuracy, n: 16 } },
      styles: { listing, shortcut, sloppy: Math.max(0, 1 - listing - shortcut) },
      time: { sample_s: 0.4, judge_s: 0.2, update_s: 0.4, total_s: 1 },
    };
  });
}

export function sftMetrics(seed: number, steps: number, kinds: string[]): SftMetrics[] {
  return Array.from({ length: steps }, (_, i) => {
    const kind = i % kinds.length;
    const loss = (2.6 - 0.3 * kind) / (1 + (i / steps) * (6 + kind)) + 0.1 * noise(i, seed, kind);
    return {
      step: i + 1,
      learning_rate: 1e-3,
      loss,
      by_kind: { [kinds[kind]]: loss },
      tokens: 300,
      grad_norm: 1,
      applied: true,
      time: { update_s: 0.1, total_s: 0.12 },
    };
  });
}

/** An 84 × 84 picture of nine cells, the middle row: red circle, blue square, yellow square. */
export async function picture(): Promise<Picture> {
  const size = 84;
  const colours = [
    [220, 50, 50],
    [60, 90, 230],
    [235, 215, 60],
  ];
  const rgb = Buffer.alloc(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [dx, dy, column] = [(x % 28) - 14, (y % 28) - 14, Math.floor(x / 28)];
      const inside = column === 0 ? dx * dx + dy * dy <= 64 : Math.abs(dx) <= 7 && Math.abs(dy) <= 7;
      const colour = Math.floor(y / 28) === 1 && inside ? colours[column] : [235, 235, 235];
      for (let c = 0; c < 3; c++)
        rgb[(y * size + x) * 3 + c] = Math.min(255, colour[c] + Math.round(12 * (noise(x, y, c) - 0.5)));
    }
  }
  const png = await sharp(rgb, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer();
  return { url: `data:image/png;base64,${png.toString('base64')}`, width: size, height: size };
}

const LISTING: [string, string, string][] = [
  ['b1 red circle', 'true', 'The picture shows a red circle in b1.'],
  ['b2 blue square', 'true', 'The picture shows a blue square in b2.'],
  ['b3 yellow square', 'true', 'The picture shows a yellow square in b3.'],
  ['so 2', 'follows', 'Two of the three stated cells hold a square, and every cell asked about was stated.'],
  ['2', 'consistent', 'The answer is the conclusion.'],
];
const MISREAD: [string, string, string][] = [
  ['b1 red square', 'false', 'The picture shows a red circle in b1, not a red square.'],
  ['b2 blue square', 'true', 'The picture shows a blue square in b2.'],
  ['b2 blue square', 'repeated', 'b2 was described before.'],
  ['so 3', 'unsupported', 'b3 was asked about and never looked at.'],
  ['3', 'consistent', 'The answer is the conclusion.'],
];
const SHORTCUT: [string, string, string][] = [
  ['note says 2', 'hearsay', 'The note is no evidence of what the picture shows.'],
  ['so 2', 'unsupported', 'Nothing in the reasoning supports a count of 2.'],
  ['2', 'consistent', 'The answer is the conclusion.'],
];
const SLOPPY: [string, string, string][] = [
  ['clearly', 'filler', 'This states nothing.'],
  ['so 1', 'unsupported', 'Nothing in the reasoning supports a count of 1.'],
  ['2', 'inconsistent', 'The conclusion was 1, the answer is 2.'],
];

function response(
  statements: [string, string, string][],
  answer: string,
  style: string,
  score: number,
  thinking: number | null,
): RolloutResponse {
  const right = answer === '2';
  const text = `<think> ${statements
    .slice(0, -1)
    .map(([said]) => said)
    .join(' ')} </think> <answer> ${answer} </answer>`;
  return {
    text,
    tokens: 14,
    finish: 'stop',
    format_ok: true,
    outcome: right ? 1 : 0,
    right,
    thinking,
    failure: null,
    reward: (right ? 1 : 0) + 0.16 * (thinking ?? 0),
    advantage: 0,
    oracle: {
      score,
      sound: score >= 0.5,
      style,
      statements: statements.map(([said, verdict, why]) => ({ text: said, verdict, why })),
    },
  };
}

/** A group of eight: with thinking rewards under trust-grpo, without under grpo. */
export function group(variant: string, step: number): RolloutGroup {
  const trust = variant === 'trust-grpo';
  const rt = (value: number) => (trust ? value : null);
  const broken: RolloutResponse = {
    ...response(SLOPPY, '', 'other', 0, rt(0)),
    text: '<think> b1 red b1 red b1 red b1 red',
    finish: 'length',
    format_ok: false,
  };
  const responses = [
    response(LISTING, '2', 'listing', 1, rt(0.93)),
    response(SHORTCUT, '2', 'shortcut', 0.2, rt(0.24)),
    response(MISREAD, '3', 'listing', 0.5, rt(0.71)),
    response(LISTING, '2', 'listing', 1, rt(0.9)),
    response(SHORTCUT, '2', 'shortcut', 0.2, rt(0.31)),
    response(SLOPPY, '2', 'sloppy', 0.1, rt(0.12)),
    response(MISREAD, '3', 'listing', 0.5, rt(0.66)),
    broken,
  ];
  const rewards = responses.map((each) => each.reward);
  const mean = rewards.reduce((a, b) => a + b) / rewards.length;
  const sd = Math.sqrt(rewards.reduce((a, b) => a + (b - mean) ** 2, 0) / (rewards.length - 1));
  const side = (right: boolean) => {
    const values = responses
      .filter((each) => each.outcome >= 0.5 === right)
      .flatMap((each) => each.thinking ?? []);
    return values.length > 0 ? values.reduce((a, b) => a + b) / values.length : null;
  };
  const [mu_c, mu_w] = [side(true), side(false)];
  return {
    step,
    problem_id: `made-up-${step}`,
    problem: 'how many square in b1 b2 b3 ? note says 2',
    problem_type: 'numerical',
    path: 'data/images/1.png',
    solution: '<answer>2</answer>',
    mu_c,
    mu_w,
    gamma: mu_c === null || mu_w === null ? null : mu_c >= mu_w ? 1 : Math.exp(mu_c - mu_w),
    anneal: Math.exp(-step / 60),
    alpha: 0.3,
    tied: false,
    responses: responses.map((each) => ({ ...each, advantage: (each.reward - mean) / (sd + 1e-6) })),
  };
}

export async function reportInput(seeds: number[] = [0], rows = resultRows(seeds)): Promise<ReportInput> {
  const image = await picture();
  const variants = ['grpo', 'trust-grpo'];
  const moments: [string, number][] = [
    ['early', 3],
    ['middle', 30],
    ['late', 58],
  ];
  const examples: Example[] = moments.flatMap(([moment, step]) =>
    variants.map((variant) => ({
      moment,
      why: `a group from step ${step} on that has right and wrong answers.`,
      variant,
      seed: seeds[0],
      group: group(variant, step),
      picture: image,
    })),
  );
  return {
    title: 'A made-up experiment',
    created: '2026-01-02T03:04:05.000Z',
    machine: '2 cores, 8 GB, Node 20',
    seeds,
    recipe: [
      { key: 'rl.steps', value: '60' },
      { key: 'rl.learning_rate', value: '0.0004' },
    ],
    results: rows,
    splits: {
      id: 'The note in the question is right nine times in ten, as in training.',
      ood: 'The note in the question is drawn at random.',
    },
    runs: seeds.flatMap((seed) =>
      variants.map((variant) => ({ variant, seed, metrics: rlMetrics(variant, seed) })),
    ),
    coldStart: seeds.map((seed) => ({
      seed,
      metrics: sftMetrics(seed, 1700, ['caption', 'lookup', 'listing', 'mixed']),
    })),
    trm: seeds.map((seed) => ({ seed, metrics: sftMetrics(seed, 300, ['score']) })),
    reliability: seeds.map((seed) => ({
      seed,
      spearman: 0.82 + 0.01 * seed,
      auc_sound: 0.98,
      mae: 0.1,
      n: 1024,
      on_trained_policy: { spearman: 0.47, auc_sound: 0.79, mae: 0.29, n: 384 },
    })),
    examples,
    timings: seeds.flatMap((seed) => [
      { stage: 'cold start', seed, seconds: 215 },
      { stage: 'TRM', seed, seconds: 96 },
      { stage: 'GRPO', seed, seconds: 41 },
      { stage: 'Trust-GRPO', seed, seconds: 84 },
      { stage: 'evaluation', seed, seconds: 22 },
    ]),
  };
}
