/**
 * What a run says of its TRM: how far its thinking rewards agreed with the oracle on the policy that was being trained,
 * step by step, and whether γ, which knows nothing of the oracle, told where they did not.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { decodeUtf8, parseJson, readJsonl } from '../../data/jsonl.ts';
import { listRollouts, rolloutsFile } from '../../data/run-files.ts';
import { mean, share } from '../../data/shares.ts';
import { parseWith } from '../../data/validate.ts';
import { InputError } from '../../errors.ts';
import { auc, spearman } from '../rank-statistics.ts';
import { type Estimate, estimate, type Resampling } from './estimate.ts';
import { type Questions, SOUND } from './rows.ts';

/** What is read of a line of rollouts/NNNNNN.jsonl; runs of older versions lack some of the rest. */
const Group = z.object({
  problem_id: z.union([z.string(), z.number()]).nullish(),
  problem: z.string().nullish(),
  gamma: z.number().nullish(),
  responses: z.array(
    z.object({
      thinking: z.number().nullish(),
      right: z.boolean(),
      format_ok: z.boolean().nullish(),
      outcome: z.number(),
      oracle: z.object({ score: z.number() }).nullish(),
    }),
  ),
});

const Agreeing = z.object({
  n: z.number(),
  spearman: z.number().nullable(),
  mae: z.number().nullable(),
  auc_sound: z.number().nullable(),
  auc_right: z.number().nullish(),
});
const ReliabilityFile = Agreeing.extend({ on_trained_policy: Agreeing.nullish() });
type Agreeing = z.infer<typeof Agreeing>;

/** A group of responses to one question, those that were put before the judge. */
export interface RunGroup {
  step: number;
  /** Tells questions apart: a run comes back to them. */
  question: string;
  /** Null where the answers were all right or all wrong: γ is 1 there by rule. */
  gamma: number | null;
  /** Responses put before the judge, and those that it scored. */
  asked: number;
  judged: { thinking: number; oracle: number }[];
}

/** A few steps together. */
export interface RunPoint {
  from: number;
  to: number;
  /** Responses scored. */
  n: number;
  coverage: number | null;
  /** Thinking rewards against the oracle's scores. */
  spearman: number | null;
  mae: number | null;
  /** Probability that a sound response was scored above a flawed one. */
  auc_sound: number | null;
  /** Groups with right and wrong answers, their mean γ and the share with γ < 1. */
  mixed: number;
  gamma: number | null;
  gamma_below_1: number | null;
}

/** γ against the TRM's real error, over groups with right and wrong answers. */
export interface GammaTruth {
  groups: number;
  /** Spearman of γ with the group's mean |Rt − oracle|: below 0 where γ tells. */
  with_error: Estimate;
  /** Spearman of γ with the share of pairs that the TRM had in order: above 0 where γ tells. */
  with_order: Estimate;
  /** Groups with sound and flawed reasoning: most of whose pairs the TRM had in order (right), or not (wrong). */
  trm_right: { groups: number; gamma_below_1: number };
  trm_wrong: { groups: number; gamma_1: number };
  /** Share of the groups where the TRM was right and γ < 1, of where it was wrong and γ = 1. */
  doubted_although_right: number | null;
  trusted_although_wrong: number | null;
}

export interface RunMeasures {
  run: string;
  steps: number;
  /** Steps put together into one point. */
  pool: number;
  points: RunPoint[];
  gamma: GammaTruth;
  /** From trm/reliability.json: on held-out responses of the policy it was trained on, and of the one it has trained. */
  reliability: { start: Agreeing; trained: Agreeing | null } | null;
}

/** Throws InputError where there are no rollouts, or none with both a thinking reward and an oracle's score. */
export async function readRun(
  run: string,
): Promise<{ groups: RunGroup[]; reliability: RunMeasures['reliability'] }> {
  const steps = await listRollouts(run);
  if (steps.length === 0)
    throw new InputError(
      `--run ${run}: holds no rollouts; name the folder of a run (of one seed: RUN/seed-0)`,
    );
  const groups: RunGroup[] = [];
  for (const step of steps)
    for await (const { value, source } of readJsonl(rolloutsFile(run, step)))
      groups.push(groupOf(step, parseWith(Group, value, source), source));
  if (!groups.some(({ judged }) => judged.length > 0))
    throw new InputError(
      `--run ${run}: its rollouts hold no thinking reward beside an oracle's score; the bench needs a run on a world, of a variant with a judge`,
    );
  return { groups, reliability: await readReliability(run) };
}

function groupOf(step: number, group: z.infer<typeof Group>, source: string): RunGroup {
  const { problem_id, problem, gamma, responses } = group;
  const right = responses.filter(({ outcome }) => outcome >= 0.5).length;
  // a broken format is scored 0 by rule
  const shown = responses.filter(({ format_ok, oracle }) => format_ok !== false && oracle != null);
  return {
    step,
    question: problem == null ? source : JSON.stringify([problem_id, problem]),
    gamma: right === 0 || right === responses.length ? null : (gamma ?? null),
    asked: shown.length,
    judged: shown.flatMap(({ thinking, oracle }) =>
      thinking == null ? [] : [{ thinking, oracle: oracle!.score }],
    ),
  };
}

async function readReliability(run: string): Promise<RunMeasures['reliability']> {
  const file = join(run, 'trm', 'reliability.json');
  const bytes = await readFile(file).catch(() => null);
  if (bytes === null) return null;
  const { on_trained_policy, ...start } = parseWith(
    ReliabilityFile,
    parseJson(decodeUtf8(bytes, file), file),
    file,
  );
  return { start, trained: on_trained_policy ?? null };
}

const MOST_POINTS = 30;
const LEAST_RESPONSES = 256;

export function measureRun(
  run: string,
  { groups, reliability }: { groups: readonly RunGroup[]; reliability: RunMeasures['reliability'] },
  resampling: Resampling,
): RunMeasures {
  const steps = [...new Set(groups.map(({ step }) => step))].sort((a, b) => a - b);
  const each = groups.reduce((sum, { judged }) => sum + judged.length, 0) / steps.length;
  const pool = Math.min(
    steps.length,
    Math.max(Math.ceil(steps.length / MOST_POINTS), Math.ceil(LEAST_RESPONSES / Math.max(1, each))),
  );
  const pools = Array.from({ length: Math.ceil(steps.length / pool) }, (_, i) =>
    steps.slice(i * pool, (i + 1) * pool),
  );
  return {
    run,
    steps: steps.length,
    pool,
    points: pools.map((some) => pointOf(groups.filter(({ step }) => some.includes(step)))),
    gamma: gammaTruth(groups, resampling),
    reliability,
  };
}

function pointOf(groups: readonly RunGroup[]): RunPoint {
  const judged = groups.flatMap((group) => group.judged);
  const asked = groups.reduce((sum, group) => sum + group.asked, 0);
  const gammas = groups.flatMap(({ gamma }) => (gamma === null ? [] : [gamma]));
  return {
    from: groups[0].step,
    to: groups[groups.length - 1].step,
    n: judged.length,
    coverage: asked > 0 ? judged.length / asked : null,
    spearman: spearman(
      judged.map(({ thinking }) => thinking),
      judged.map(({ oracle }) => oracle),
    ),
    mae: errorOf(judged),
    auc_sound: orderOf(judged),
    mixed: gammas.length,
    gamma: gammas.length > 0 ? mean(gammas) : null,
    gamma_below_1: gammas.length > 0 ? share(gammas, (gamma) => gamma < 1) : null,
  };
}

function errorOf(judged: RunGroup['judged']): number | null {
  return judged.length > 0 ? mean(judged.map(({ thinking, oracle }) => Math.abs(thinking - oracle))) : null;
}

function orderOf(judged: RunGroup['judged']): number | null {
  return auc(
    judged.map(({ thinking }) => thinking),
    judged.map(({ oracle }) => oracle >= SOUND),
  );
}

function gammaTruth(groups: readonly RunGroup[], resampling: Resampling): GammaTruth {
  const mixed = groups.flatMap(({ question, gamma, judged }) => {
    const error = errorOf(judged);
    return gamma === null || error === null ? [] : [{ question, gamma, error, order: orderOf(judged) }];
  });
  const ordered = mixed.flatMap(({ order, ...rest }) => (order === null ? [] : [{ ...rest, order }]));
  const right = ordered.filter(({ order }) => order > 0.5);
  const wrong = ordered.filter(({ order }) => order <= 0.5);
  const doubted = right.filter(({ gamma }) => gamma < 1).length;
  const trusted = wrong.filter(({ gamma }) => gamma === 1).length;
  const correlation =
    <T extends { gamma: number }>(of: (item: T) => number) =>
    (sample: T[][]) =>
      spearman(
        sample.flat().map(({ gamma }) => gamma),
        sample.flat().map(of),
      );
  return {
    groups: mixed.length,
    with_error: estimate(
      byQuestion(mixed),
      correlation(({ error }) => error),
      resampling,
    ),
    with_order: estimate(
      byQuestion(ordered),
      correlation(({ order }) => order),
      resampling,
    ),
    trm_right: { groups: right.length, gamma_below_1: doubted },
    trm_wrong: { groups: wrong.length, gamma_1: trusted },
    doubted_although_right: right.length > 0 ? doubted / right.length : null,
    trusted_although_wrong: wrong.length > 0 ? trusted / wrong.length : null,
  };
}

function byQuestion<T extends { question: string }>(items: readonly T[]): Questions<T> {
  const together = new Map<string, T[]>();
  for (const item of items) together.set(item.question, [...(together.get(item.question) ?? []), item]);
  return [...together.values()];
}
