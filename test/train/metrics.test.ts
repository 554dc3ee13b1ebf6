/** A step's figures, worked out by hand from two groups of four responses. */
import { describe, expect, it } from 'vitest';
import { RlMetrics } from '../../src/data/run-folder.ts';
import { rlMetrics } from '../../src/train/metrics.ts';
import type { Group, PolicyUpdate, Response, RlSettings } from '../../src/train/rollout.ts';
import { trustGroup } from '../../src/trust/group.ts';
import { optimizer, textRecord } from './small-policy.ts';

const settings: RlSettings = {
  variant: 'trust-grpo',
  prompts: 2,
  samples: 4,
  temperature: 1,
  top_p: 1,
  max_tokens: 8,
  alpha: 0.3,
  kl_beta: 0,
  clip_low: 0.2,
  clip_high: 0.2,
  aggregation: 'token_mean',
  scaling: 'paper',
  updates: 1,
  min_coverage: 0.5,
  warn_coverage: 0.9,
  judge_deadline_s: 60,
  optimizer,
};
const update: PolicyUpdate = {
  gradNorm: 2,
  applied: true,
  trained: 8,
  kl: null,
  clipFraction: 0,
  learningRate: 0.01,
};
const ms = { refresh: null, sample: 1000, judge: 200, update: 3000.4, total: 4201 };

interface Row {
  /** Right, wrong, broken format, or cut off (which is broken too). */
  is: 'right' | 'wrong' | 'broken' | 'cut';
  /** Rt, or why there is none. */
  thinking: number | string | null;
  tokens: number;
  /** The oracle's score; null: no world. */
  oracle?: number | null;
}

function response({ is, thinking, tokens, oracle = null }: Row): Response {
  const formatOk = is === 'right' || is === 'wrong';
  return {
    sample: { tokens: Array(tokens).fill(1), logprobs: [], finish: is === 'cut' ? 'length' : 'stop' },
    text: '',
    outcome: { reward: is === 'right' ? 1 : 0, formatOk, answer: null, exact: is === 'right' },
    thinking:
      typeof thinking === 'string' ? { score: null, failure: thinking } : { score: thinking, failure: null },
    oracle:
      oracle === null
        ? null
        : {
            score: oracle,
            sound: oracle >= 0.5,
            style: formatOk ? 'listing' : 'broken',
            statements: [],
            right: is === 'right',
          },
  };
}

function group(rows: Row[], type: 'numerical' | 'OCR', over: Partial<RlSettings> = {}): Group {
  const responses = rows.map(response);
  const { variant, alpha, scaling } = { ...settings, ...over };
  return {
    record: { ...textRecord(0, 'how many ?'), problem_type: type },
    prompt: { chunks: [] },
    responses,
    trust: trustGroup({
      outcome: responses.map((r) => r.outcome.reward),
      thinking: responses.map((r) => r.thinking.score),
      step: 0,
      totalSteps: 10,
      alpha,
      variant,
      scaling,
    }),
  };
}

const mixed: Row[] = [
  { is: 'right', thinking: 0.2, tokens: 4, oracle: 0.3 },
  { is: 'right', thinking: 'no reply', tokens: 6, oracle: 0.9 },
  { is: 'wrong', thinking: 0.7, tokens: 5, oracle: 0.6 },
  { is: 'broken', thinking: 0, tokens: 3, oracle: 0 },
];
const tiedWrong: Row[] = [
  { is: 'wrong', thinking: 0.4, tokens: 5, oracle: 0.2 },
  { is: 'wrong', thinking: 0.6, tokens: 5, oracle: 0.2 },
  { is: 'wrong', thinking: 0.5, tokens: 4, oracle: 0.2 },
  { is: 'cut', thinking: 0, tokens: 8, oracle: 0 },
];

describe('metrics of a step with a judge and an oracle', () => {
  const groups = [group(mixed, 'numerical'), group(tiedWrong, 'OCR')];
  const row = rlMetrics(3, settings, groups, update, null, ms);

  it('have the format of metrics.jsonl', () => expect(RlMetrics.parse(row)).toEqual(row));

  it('outcome and accuracy: means over responses', () => {
    expect(row.outcome).toBe(2 / 8);
    expect(row.accuracy).toBe(2 / 8);
  });

  it('thinking: mean over what was scored; a failure is no 0', () =>
    expect(row.thinking).toBeCloseTo((0.2 + 0.7 + 0 + 0.4 + 0.6 + 0.5 + 0) / 7, 12));

  it('coverage: over the responses that the judge was asked about, not over broken formats', () =>
    expect(row.coverage).toBe(5 / 6));

  it('gamma: mean over groups with both right and wrong answers: exp(μc − μw) = exp(0.2 − 0.35)', () => {
    expect(row.gamma).toBeCloseTo(Math.exp(0.2 - 0.35), 12);
    expect(row.gamma_below_1).toBe(1);
  });

  it('tied: half of the groups, all wrong', () => {
    expect([row.tied, row.tied_right, row.tied_wrong]).toEqual([0.5, 0, 0.5]);
  });

  it('reward: mean of R = Ro + γ·α·Rt, the missing thinking reward at its side’s mean', () => {
    const gamma = Math.exp(-0.15);
    const first = 2 + gamma * 0.3 * (0.2 + 0.2 + 0.7 + 0);
    const second = 0.3 * (0.4 + 0.6 + 0.5 + 0);
    expect(row.reward).toBeCloseTo((first + second) / 8, 12);
  });

  it('flawed-right and quality are the oracle’s, not the judge’s', () => {
    expect(row.flawed_right).toBe(1 / 2);
    expect(row.quality).toBeCloseTo((0.3 + 0.9 + 0.6 + 0 + 0.2 * 3 + 0) / 8, 12);
    expect(row.styles).toEqual({ broken: 2 / 8, listing: 6 / 8 });
  });

  it('broken formats, responses cut off, length', () => {
    expect([row.broken_format, row.truncated, row.completion_tokens]).toEqual([2 / 8, 1 / 8, 40 / 8]);
  });

  it('by type: accuracy and number of responses', () =>
    expect(row.by_type).toEqual({ OCR: { accuracy: 0, n: 4 }, numerical: { accuracy: 0.5, n: 4 } }));

  it('time in seconds, to the millisecond', () =>
    expect(row.time).toEqual({ sample_s: 1, judge_s: 0.2, update_s: 3, total_s: 4.201 }));
});

describe('metrics where something was not to be had are null, never 0', () => {
  const without = (rows: Row[], keep: Partial<Row> = {}) =>
    rows.map((r) => ({ ...r, thinking: null, oracle: null, ...keep }));

  it('outcome-only GRPO: no thinking, coverage, γ', () => {
    const grpo = { variant: 'grpo' as const };
    const groups = [group(without(mixed), 'numerical', grpo)];
    const row = rlMetrics(1, { ...settings, ...grpo }, groups, update, null, ms);
    expect(row).toMatchObject({ thinking: null, coverage: null, gamma: null, gamma_below_1: null });
  });

  it('records of no world: no quality, flawed-right, styles', () => {
    const row = rlMetrics(1, settings, [group(without(mixed), 'numerical')], update, null, ms);
    expect(row).toMatchObject({ quality: null, flawed_right: null, styles: null });
  });

  it('all groups tied: no γ to take a mean of', () => {
    const row = rlMetrics(1, settings, [group(tiedWrong, 'OCR')], update, null, ms);
    expect(row).toMatchObject({ gamma: null, gamma_below_1: null, tied: 1, flawed_right: null });
  });

  it('a judge that failed everywhere: coverage 0, thinking null', () => {
    const failed = mixed.slice(0, 3).map((r) => ({ ...r, thinking: 'gone' }));
    const row = rlMetrics(1, settings, [group(failed, 'numerical')], update, null, ms);
    expect(row).toMatchObject({ coverage: 0, thinking: null, gamma: 1 });
    expect(row.reward).toBeCloseTo(2 / 3, 12);
  });

  it('a gradient that was not finite: no norm, not applied', () => {
    const bad = { ...update, gradNorm: Number.NaN, applied: false };
    const row = rlMetrics(1, settings, [group(mixed, 'numerical')], bad, null, ms);
    expect(row).toMatchObject({ grad_norm: null, applied: false });
  });
});
