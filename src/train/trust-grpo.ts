/**
 * Trust-GRPO (SophiaVL-R1, arXiv 2505.17018, section 3.3), top to bottom: sample groups, reward outcomes, reward
 * thinking, weigh it by trust, update the policy, log. Outcome-only GRPO is the same loop with a variant that asks for
 * no thinking rewards.
 *
 * How it differs from the paper's set-up: one update a batch by default (so ρ = 1 and nothing is clipped); responses
 * whose advantage is 0 are not computed where there is no KL term (they count in the means all the same); log p in the
 * update is that at temperature 1, whatever the sampling temperature; a response cut off by the token limit has
 * no answer and counts as a broken format (outcome 0, thinking 0).
 */
import type { Chat } from '../data/chat/chat.ts';
import type { Records } from '../data/records/reader.ts';
import { readRlMetrics, writeRollouts } from '../data/run-files.ts';
import type { RlMetrics, RolloutGroup } from '../data/run-folder.ts';
import type { Engine, Sequence } from '../engine/types.ts';
import { RunError } from '../errors.ts';
import type { Judge } from '../trm/judge.ts';
import { trustGroup } from '../trust/group.ts';
import { policyWeights } from '../trust/loss.ts';
import { type VariantName, variants } from '../trust/variants.ts';
import { badRowCount, leftOutBefore } from './bad-rows.ts';
import { rlMetrics } from './metrics.ts';
import { stepOptions } from './optimizer.ts';
import { isDue, loadTrm, type Refresh, refreshTrm, rolloutPath, saveTrm } from './refresh.ts';
import type { Group, PolicyUpdate, RlSettings } from './rollout.ts';
import { isJudged, type SampledGroup, sampleGroups } from './sample-groups.ts';
import { endStep, resumeStage, type Stage, saveBefore, skipCounter } from './stage.ts';

export interface RlOptions {
  policy: Engine;
  /** Null where the variant asks for no thinking rewards. */
  judge: Judge | null;
  records: Records;
  chat: Chat;
  /** How a question is written, with {problem} and {options}. */
  template: string;
  settings: RlSettings;
  stage: Stage;
  /** Trains the judge on; null: it stays as it is. */
  refresh: Refresh | null;
  /** Share of the rows that may turn out to be unusable, 0…1; by default none. */
  maxBad?: number;
}

/** Responses whose |A| is below this carry no gradient worth computing. */
const NO_ADVANTAGE = 1e-6;

export async function trustGrpo(options: RlOptions): Promise<void> {
  const { policy, settings, stage, refresh, records, maxBad = 0 } = options;
  // the reference is the policy as it is before the first step
  const reference = settings.kl_beta > 0 ? await policy.reference() : null;
  const done = await resumeStage(stage, policy, async (dir) => (refresh ? loadTrm(refresh, dir) : undefined));
  const also = async (dir: string) => (refresh ? saveTrm(refresh, dir) : undefined);
  const noteSkipped = skipCounter(stage);
  const checkCoverage = coverageCheck(settings, stage);
  const before = done > 0 ? leftOutBefore(await readRlMetrics(stage.dir)) : 0;
  const bad = badRowCount(stage, { maxBad, rows: records.length, asked: settings.prompts, before });
  const sampling = { ...options, seed: stage.seed, leaveOut: bad.note };

  for (let step = done + 1; step <= stage.steps; step++) {
    const started = performance.now();
    const { groups: responses, ...at } = await sampleGroups(sampling, step).catch(async (error) => {
      if (error instanceof RunError)
        await saveBefore(stage, policy, step, (step - 1) * settings.prompts, also);
      throw error;
    });
    const tooFew = checkCoverage(step, responses);
    if (tooFew !== null) {
      await saveBefore(stage, policy, step, (step - 1) * settings.prompts, also);
      throw new RunError(`${tooFew}. Go on with: ${stage.howToResume}`);
    }
    const groups = weighByTrust(options, responses, step);
    const update = await updatePolicy(options, reference, groups, step);
    noteSkipped(step, update.applied);
    const updated = performance.now();
    await writeRollouts(
      stage.dir,
      step,
      groups.map((group) => rolloutRow(group, settings.variant, stage, step)),
    );
    const written = performance.now();
    const trm = refresh && isDue(refresh, step) ? await refreshTrm(refresh, options, step) : null;
    const ended = performance.now();

    const time = {
      sample: at.sampled - started,
      judge: at.judged - at.sampled,
      update: updated - at.judged,
      refresh: trm ? ended - written : null,
      total: ended - started,
    };
    const row = rlMetrics(step, settings, groups, update, trm, time, bad.take());
    stage.progress(step, {
      accuracy: row.accuracy,
      ...(row.quality === null ? {} : { quality: row.quality }),
      ...(row.gamma === null ? {} : { γ: row.gamma }),
    });
    if (step === 1) warnOfNoSignal(row, settings, stage);
    await endStep(stage, policy, row, step * settings.prompts, also);
  }
  await reference?.dispose();
}

/** Says after the first step what keeps a run from learning anything, while little time is lost. */
function warnOfNoSignal(row: RlMetrics, { max_tokens }: RlSettings, { name, warn }: Stage): void {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  if (row.truncated > 0.5) {
    warn(
      `${name}: ${percent(row.truncated)} of the responses were cut off at rl.max_tokens = ${max_tokens}; raise it`,
    );
  } else if (row.broken_format > 0.5) {
    warn(
      `${name}: ${percent(row.broken_format)} of the responses break the format <think>…</think><answer>…</answer> and earn nothing; ask for it in data.template, or start from a model that has learnt it`,
    );
  } else if (row.trained === 0) {
    warn(`${name}: no response of the first step had an advantage, nothing was learnt from it`);
  }
}

/** γ, R and A of every group. */
function weighByTrust({ settings, stage }: RlOptions, groups: SampledGroup[], step: number): Group[] {
  const { variant, alpha, scaling } = settings;
  return groups.map((group) => {
    const outcome = group.responses.map((r) => r.outcome.reward);
    const thinking = group.responses.map((r) => r.thinking.score);
    const trust = trustGroup({
      outcome,
      thinking,
      step: step - 1,
      totalSteps: stage.steps,
      alpha,
      variant,
      scaling,
    });
    return { ...group, trust };
  });
}

/**
 * What a judge that scores too little is answered with: a warning when coverage falls below one bound; below the other
 * the reason why the run has to stop, else null.
 */
function coverageCheck({ min_coverage, warn_coverage }: RlSettings, { name, warn }: Stage) {
  let low = false;
  return (step: number, groups: SampledGroup[]): string | null => {
    const asked = groups.flatMap((g) => g.responses).filter(isJudged);
    const failures = asked.flatMap((r) => r.thinking.failure ?? []);
    const coverage = asked.length > 0 ? 1 - failures.length / asked.length : 1;
    const said = `only ${asked.length - failures.length} of ${asked.length} responses were scored (${failures[0]})`;
    if (coverage < min_coverage) return `judge: ${said}; mend the judge, or lower rl.min_coverage`;
    if (coverage < warn_coverage && !low) warn(`${name}, step ${step}: ${said}`);
    low = coverage < warn_coverage;
    return null;
  };
}

/** The clipped objective's gradient, as weights on token log-probabilities; one optimizer step an update. */
async function updatePolicy(
  { policy, settings, stage }: RlOptions,
  reference: Engine | null,
  groups: Group[],
  step: number,
): Promise<PolicyUpdate> {
  const {
    clip_low: clipLow,
    clip_high: clipHigh,
    kl_beta: klBeta,
    aggregation,
    max_tokens: maxTokens,
    updates,
  } = settings;
  const options = stepOptions(settings.optimizer, step, stage.steps);
  const result: PolicyUpdate = {
    gradNorm: 0,
    applied: true,
    trained: 0,
    kl: reference ? 0 : null,
    clipFraction: 0,
    learningRate: options.learningRate,
  };

  const all = groups.flatMap(({ prompt, responses, trust }) =>
    responses.map((r, i) => ({ prompt, sample: r.sample, advantage: trust.advantage[i] })),
  );
  const whole = { sequences: all.length, tokens: all.reduce((sum, r) => sum + r.sample.tokens.length, 0) };
  const rows = all.filter(({ advantage }) => reference || Math.abs(advantage) > NO_ADVANTAGE);
  result.trained = rows.length;
  if (rows.length === 0) return result;
  const sequences: Sequence[] = rows.map(({ prompt, sample }) => ({ prompt, completion: sample.tokens }));
  const advantages = rows.map((r) => r.advantage);
  const logp = async (engine: Engine) => (await engine.logprobs(sequences)).map((row) => row.logprobs);
  const refLogp = reference ? await logp(reference) : null;
  // with one update, old and new policy are the same: ρ = 1 whatever log p is
  const sampledLogp = updates > 1 ? await logp(policy) : null;

  for (let update = 0; update < updates; update++) {
    const weigh = (now: number[][]) => {
      const batch = {
        logp: now,
        oldLogp: sampledLogp ?? now,
        refLogp,
        advantages,
        clipLow,
        clipHigh,
        klBeta,
        aggregation,
        maxTokens,
        whole,
      };
      const loss = policyWeights(batch);
      if (reference) result.kl = loss.kl;
      result.clipFraction = loss.clipFraction;
      return loss.weights;
    };
    const needsLogp = reference !== null || sampledLogp !== null;
    await policy.backward(sequences, needsLogp ? weigh : weigh(rows.map((r) => r.sample.logprobs)));
    const { gradNorm, applied } = await policy.step(options);
    result.gradNorm = gradNorm;
    result.applied &&= applied;
  }
  return result;
}

function rolloutRow(
  { record, responses, trust }: Group,
  variant: VariantName,
  stage: Stage,
  step: number,
): RolloutGroup {
  return {
    step,
    problem_id: record.problem_id,
    problem: record.problem,
    problem_type: record.problem_type,
    path: rolloutPath(record, stage.runDir),
    solution: record.solution,
    mu_c: trust.muC,
    mu_w: trust.muW,
    gamma: asksForThinking(variant) ? trust.gamma : null,
    anneal: trust.anneal,
    alpha: trust.alpha,
    tied: trust.tied !== null,
    responses: responses.map((r, i) => ({
      text: r.text,
      tokens: r.sample.tokens.length,
      finish: r.sample.finish,
      format_ok: r.outcome.formatOk,
      outcome: r.outcome.reward,
      right: r.outcome.exact,
      thinking: r.thinking.score,
      failure: r.thinking.failure,
      reward: trust.reward[i],
      advantage: trust.advantage[i],
      oracle: r.oracle && {
        score: r.oracle.score,
        sound: r.oracle.sound,
        style: r.oracle.style,
        statements: r.oracle.statements,
      },
    })),
  };
}

/** Whether a variant asks for thinking rewards at all. */
export function asksForThinking(variant: VariantName): boolean {
  return variants[variant].thinking([1, 0], [1, 1]).some((score) => score !== null);
}
