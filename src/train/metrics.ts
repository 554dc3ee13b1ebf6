/** One step's figures, from its groups. Means are over responses unless the name says otherwise. */
import type { RlMetrics, TrmCheck } from '../data/run-folder.ts';
import { mean, share, shares } from '../data/shares.ts';
import { tiedShares } from '../trust/group.ts';
import type { Group, PolicyUpdate, RlSettings } from './rollout.ts';
import { isJudged } from './sample-groups.ts';

type Times = Record<'sample' | 'judge' | 'update' | 'total', number> & { refresh: number | null };

export function rlMetrics(
  step: number,
  settings: RlSettings,
  groups: Group[],
  update: PolicyUpdate,
  trm: TrmCheck | null,
  ms: Times,
  badRows = 0,
): RlMetrics {
  const responses = groups.flatMap((g) => g.responses);
  const asked = responses.filter(isJudged);
  const judged = responses.some((r) => r.thinking.score !== null || r.thinking.failure !== null);
  const scored = responses.flatMap((r) => r.thinking.score ?? []);
  const mixed = groups.filter((g) => g.trust.tied === null);
  const verdicts = responses.flatMap((r) => r.oracle ?? []);
  const oracle = verdicts.length === responses.length;
  const right = responses.filter((r) => r.outcome.exact);
  const tied = tiedShares(groups.map((g) => g.trust));
  return {
    step,
    variant: settings.variant,
    learning_rate: update.learningRate,
    outcome: mean(responses.map((r) => r.outcome.reward)),
    accuracy: share(responses, (r) => r.outcome.exact),
    thinking: judged && scored.length > 0 ? mean(scored) : null,
    coverage: judged ? (asked.length > 0 ? share(asked, (r) => r.thinking.score !== null) : 1) : null,
    gamma: judged && mixed.length > 0 ? mean(mixed.map((g) => g.trust.gamma)) : null,
    gamma_below_1: judged && mixed.length > 0 ? share(mixed, (g) => g.trust.gamma < 1) : null,
    tied: tied.tied,
    tied_right: tied.right,
    tied_wrong: tied.wrong,
    reward: mean(groups.flatMap((g) => g.trust.reward)),
    flawed_right: oracle && right.length > 0 ? share(right, (r) => !r.oracle!.sound) : null,
    quality: oracle ? mean(verdicts.map((v) => v.score)) : null,
    broken_format: share(responses, (r) => !r.outcome.formatOk),
    truncated: share(responses, (r) => r.sample.finish === 'length'),
    completion_tokens: mean(responses.map((r) => r.sample.tokens.length)),
    trained: update.trained,
    kl: update.kl,
    clip_fraction: update.clipFraction,
    grad_norm: Number.isFinite(update.gradNorm) ? update.gradNorm : null,
    applied: update.applied,
    trm,
    bad_rows: badRows,
    by_type: byType(groups),
    styles: oracle ? shares(verdicts.map((v) => v.style)) : null,
    time: {
      sample_s: seconds(ms.sample),
      judge_s: seconds(ms.judge),
      update_s: seconds(ms.update),
      ...(ms.refresh === null ? {} : { refresh_s: seconds(ms.refresh) }),
      total_s: seconds(ms.total),
    },
  };
}

function byType(groups: Group[]): RlMetrics['by_type'] {
  const types = [...new Set(groups.map((g) => g.record.problem_type))].sort();
  return Object.fromEntries(
    types.map((type) => {
      const responses = groups.filter((g) => g.record.problem_type === type).flatMap((g) => g.responses);
      return [type, { accuracy: share(responses, (r) => r.outcome.exact), n: responses.length }];
    }),
  );
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
