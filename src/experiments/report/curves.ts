/** Which curves a report shows, and what they are called: a table of charts over metrics.jsonl. */
import type { RlMetrics, SftMetrics } from '../../data/run-folder.ts';
import { variantName } from '../results.ts';
import type { ChartSpec } from './chart.ts';
import { seriesColour, variantColour } from './colours.ts';
import type { ReportInput } from './input.ts';
import type { Line, Points } from './series.ts';

export interface CurveGroup {
  title: string;
  charts: ChartSpec[];
}

type Read = (metrics: RlMetrics) => number | null;
interface Curve {
  id: string;
  title: string;
  unit: string;
  domain: ChartSpec['domain'];
  read: Read;
  /** Left out where this holds for every step of every run: a curve that says nothing. */
  unless?: (metrics: RlMetrics) => boolean;
}

const SHARE: ChartSpec['domain'] = [0, 1];

const ANSWERS: Curve[] = [
  {
    id: 'accuracy',
    title: 'Accuracy',
    unit: 'share of right answers, training questions',
    domain: SHARE,
    read: (m) => m.accuracy,
  },
  {
    id: 'quality',
    title: 'Thinking quality',
    unit: 'mean score of the reasoning by the oracle',
    domain: SHARE,
    read: (m) => m.quality,
  },
  {
    id: 'flawed',
    title: 'Flawed-right',
    unit: 'share of right answers with flawed reasoning',
    domain: SHARE,
    read: (m) => m.flawed_right,
  },
];

const REWARDS: Curve[] = [
  {
    id: 'outcome',
    title: 'Outcome reward Ro',
    unit: 'mean over responses',
    domain: SHARE,
    read: (m) => m.outcome,
  },
  {
    id: 'thinking',
    title: 'Thinking reward Rt',
    unit: 'mean over scored responses',
    domain: SHARE,
    read: (m) => m.thinking,
  },
  {
    id: 'gamma',
    title: 'Trust weight γ',
    unit: 'mean over groups with right and wrong answers',
    domain: [null, 1],
    read: (m) => m.gamma,
  },
  {
    id: 'gamma-below',
    title: 'Share of γ < 1',
    unit: 'of the groups with right and wrong answers',
    domain: SHARE,
    read: (m) => m.gamma_below_1,
  },
  {
    id: 'tied-right',
    title: 'Tied, all right',
    unit: 'share of groups',
    domain: SHARE,
    read: (m) => m.tied_right,
  },
  {
    id: 'tied-wrong',
    title: 'Tied, all wrong',
    unit: 'share of groups',
    domain: SHARE,
    read: (m) => m.tied_wrong,
  },
  {
    id: 'coverage',
    title: 'Coverage',
    unit: 'share of thinking rewards that came',
    domain: SHARE,
    read: (m) => m.coverage,
    unless: (m) => m.coverage === null || m.coverage === 1,
  },
];

const OPTIMISATION: Curve[] = [
  {
    id: 'tokens',
    title: 'Length of a response',
    unit: 'tokens',
    domain: [0, null],
    read: (m) => m.completion_tokens,
  },
  {
    id: 'gradient',
    title: 'Gradient norm',
    unit: 'before clipping',
    domain: [0, null],
    read: (m) => m.grad_norm,
  },
  {
    id: 'format',
    title: 'Broken format',
    unit: 'share of responses',
    domain: [0, null],
    read: (m) => m.broken_format,
    unless: (m) => m.broken_format === 0,
  },
  {
    id: 'truncated',
    title: 'Cut off',
    unit: 'share of responses at the token limit',
    domain: [0, null],
    read: (m) => m.truncated,
    unless: (m) => m.truncated === 0,
  },
  {
    id: 'kl',
    title: 'KL to the reference',
    unit: 'k3 estimate, nats a token',
    domain: [0, null],
    read: (m) => m.kl,
  },
  {
    id: 'clip',
    title: 'Clipped',
    unit: 'share of tokens',
    domain: [0, null],
    read: (m) => m.clip_fraction,
    unless: (m) => m.clip_fraction === 0,
  },
];

export function rlCurves(runs: ReportInput['runs']): CurveGroup[] {
  const steps = runs.flatMap((run) => run.metrics);
  const build = (curve: Curve): ChartSpec[] =>
    curve.unless && steps.every(curve.unless) ? [] : [{ ...curve, lines: variantLines(runs, curve.read) }];
  return [
    { title: 'Answers and reasoning', charts: [...ANSWERS.flatMap(build), ...styleCharts(runs)] },
    { title: 'Rewards and trust', charts: [...REWARDS.flatMap(build), ...refreshCharts(runs)] },
    { title: 'Optimisation', charts: OPTIMISATION.flatMap(build) },
  ];
}

function variantLines(runs: ReportInput['runs'], read: Read): Line[] {
  const variants = [...new Set(runs.map((run) => run.variant))];
  return variants.map((variant) => ({
    name: variantName(variant),
    colour: variantColour(variant, variants),
    seeds: runs.filter((run) => run.variant === variant).map((run) => points(run.metrics, read)),
  }));
}

function styleCharts(runs: ReportInput['runs']): ChartSpec[] {
  const variants = [...new Set(runs.map((run) => run.variant))];
  const styles = [...new Set(runs.flatMap((run) => run.metrics.flatMap((m) => Object.keys(m.styles ?? {}))))];
  if (styles.length === 0) return [];
  return variants.map((variant, i) => ({
    id: `styles-${i}`,
    title: `Styles under ${variantName(variant)}`,
    unit: 'share of responses',
    domain: SHARE,
    lines: styles.map((style, k) => ({
      name: style,
      colour: seriesColour(k),
      seeds: runs
        .filter((run) => run.variant === variant)
        .map((run) => points(run.metrics, (m) => (m.styles === null ? null : (m.styles[style] ?? 0)))),
    })),
  }));
}

/** How a TRM that is refreshed orders the policy's newest responses to questions it is never trained on. */
function refreshCharts(runs: ReportInput['runs']): ChartSpec[] {
  const refreshed = runs.filter(({ metrics }) => metrics.some(({ trm }) => trm));
  const variants = [...new Set(refreshed.map((run) => run.variant))];
  return variants.map((variant, i) => ({
    id: `refresh-${i}`,
    title: `TRM under ${variantName(variant)}`,
    unit: 'Spearman with its annotator at each refresh',
    domain: [null, 1],
    lines: (['before', 'after'] as const).map((when, k) => ({
      name: when,
      colour: seriesColour(k),
      seeds: refreshed
        .filter((run) => run.variant === variant)
        .map(({ metrics }) =>
          metrics.flatMap(({ step, trm }) => (trm ? [{ step, value: trm[when].spearman }] : [])),
        ),
    })),
  }));
}

/** The loss of a supervised stage, by kind of example where there are several. */
export function lossCurve(id: string, title: string, stages: { metrics: SftMetrics[] }[]): ChartSpec {
  const kinds = [...new Set(stages.flatMap((stage) => stage.metrics.flatMap((m) => Object.keys(m.by_kind))))];
  const one = (name: string, colour: string, read: (m: SftMetrics) => number | null): Line => ({
    name,
    colour,
    seeds: stages.map((stage) => points(stage.metrics, read)),
  });
  const lines =
    kinds.length > 1
      ? kinds.map((kind, i) => one(kind, seriesColour(i), (m) => m.by_kind[kind] ?? null))
      : [one('loss', seriesColour(0), (m) => m.loss)];
  return { id, title, unit: 'loss, nats a trained token', domain: [0, null], lines };
}

function points<M extends { step: number }>(metrics: readonly M[], read: (m: M) => number | null): Points {
  return metrics.map((m) => ({ step: m.step, value: read(m) }));
}
