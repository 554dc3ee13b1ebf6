/**
 * The run folder's format: metrics, rollouts, scores, checkpoints and trainer state, as docs/architecture.md says them.
 * Everything is plain JSON; what stands under `time` is all that may differ between an interrupted and resumed run and
 * an uninterrupted one.
 */
import { z } from 'zod';

const count = z.number().int().nonnegative();
/** Between 0 and 1. */
const share = z.number();

/** A judge's agreement with an annotator on the same responses; null where there is nothing to compare. */
export const Reliability = z.object({
  /** Responses both have scored. */
  n: count,
  /** Rank correlation (ties get the mean rank). */
  spearman: z.number().nullable(),
  /** Mean absolute difference. */
  mae: z.number().nullable(),
  /** Probability that a sound response (annotated ≥ 0.5) is scored above a flawed one. */
  auc_sound: z.number().nullable(),
  /** The same for right answers above wrong ones. */
  auc_right: z.number().nullable(),
});
export type Reliability = z.infer<typeof Reliability>;

/** A refresh of the TRM: its reliability on the policy's newest responses before and after, on questions held out. */
export const TrmCheck = z.object({
  /** Newest responses that the annotator scored. */
  annotated: count,
  trained_on: count,
  /** Nats a score token, smoothed over the updates; null where there was nothing to learn from. */
  loss: z.number().nullable(),
  /** By the scores the TRM gave in training. */
  before: Reliability,
  after: Reliability,
});
export type TrmCheck = z.infer<typeof TrmCheck>;

/** One line of an RL stage's metrics.jsonl. Means are over the step's responses unless said otherwise. */
export const RlMetrics = z.object({
  /** 1 is the first. */
  step: z.number().int().positive(),
  variant: z.string(),
  learning_rate: z.number(),
  /** Mean outcome reward Ro. */
  outcome: z.number(),
  /** Exact match of the answer. */
  accuracy: share,
  /** Mean thinking reward Rt over scored responses; null where the variant asks for none (or none was scored). */
  thinking: z.number().nullable(),
  /** Share of asked-for thinking rewards that came; null where the variant asks for none. */
  coverage: share.nullable(),
  /** Mean γ over groups with both right and wrong answers; null if there are none. */
  gamma: z.number().nullable(),
  /** Share of those groups whose γ is below 1; null if there are none. */
  gamma_below_1: share.nullable(),
  /** Share of groups whose answers are all right or all wrong; the two parts of it. */
  tied: share,
  tied_right: share,
  tied_wrong: share,
  /** Mean of R. */
  reward: z.number(),
  /** Share of right answers whose reasoning the oracle scores below 0.5; null without an oracle or right answers. */
  flawed_right: share.nullable(),
  /** Mean oracle score; null without an oracle. */
  quality: z.number().nullable(),
  broken_format: share,
  /** Share of responses cut off by the token limit. */
  truncated: share,
  /** Mean length of a response. */
  completion_tokens: z.number(),
  /** Responses the update computed a gradient for: those with an advantage, all where β is above 0. */
  trained: count,
  /** Mean k3 estimate a token at the step's last update, in nats; null where β is 0. */
  kl: z.number().nullable(),
  clip_fraction: share,
  /** Before clipping; null when it was not finite. */
  grad_norm: z.number().nullable(),
  /** False when the step was dropped because its gradient was not finite. */
  applied: z.boolean(),
  /** Where the TRM was refreshed after this step. */
  trm: TrmCheck.nullish(),
  /** Questions left out because their pictures cannot be used; not in runs of earlier versions. */
  bad_rows: count.optional(),
  by_type: z.record(z.string(), z.object({ accuracy: share, n: count })),
  /** Share of each reasoning style; null without an oracle. */
  styles: z.record(z.string(), share).nullable(),
  time: z.object({
    sample_s: z.number(),
    /** How long the step waited for thinking rewards once it had its responses. */
    judge_s: z.number(),
    update_s: z.number(),
    refresh_s: z.number().optional(),
    total_s: z.number(),
  }),
});
export type RlMetrics = z.infer<typeof RlMetrics>;

/** One line of a supervised stage's metrics.jsonl. Losses are nats a trained token. */
export const SftMetrics = z.object({
  step: z.number().int().positive(),
  learning_rate: z.number(),
  /** Null when it was not finite. */
  loss: z.number().nullable(),
  /** The same by kind of example. */
  by_kind: z.record(z.string(), z.number().nullable()),
  /** Trained tokens in this step. */
  tokens: count,
  /** Examples left out because their pictures cannot be used; not in runs of earlier versions. */
  bad_rows: count.optional(),
  grad_norm: z.number().nullable(),
  applied: z.boolean(),
  time: z.object({ update_s: z.number(), total_s: z.number() }),
});
export type SftMetrics = z.infer<typeof SftMetrics>;

/** What the oracle says about one response: a verdict a statement. */
export const OracleVerdict = z.object({
  score: z.number(),
  /** score ≥ 0.5 */
  sound: z.boolean(),
  style: z.string(),
  statements: z.array(z.object({ text: z.string(), verdict: z.string(), why: z.string() })),
});
export type OracleVerdict = z.infer<typeof OracleVerdict>;

export const RolloutResponse = z.object({
  text: z.string(),
  /** Number of completion tokens, the end-of-turn token included. */
  tokens: count,
  finish: z.enum(['stop', 'length']),
  format_ok: z.boolean(),
  /** Ro */
  outcome: z.number(),
  /** Exact match of the answer. */
  right: z.boolean(),
  /** Rt; null when the judge was not asked or failed. */
  thinking: z.number().nullable(),
  /** Why the judge gave no score. */
  failure: z.string().nullable(),
  /** R */
  reward: z.number(),
  /** A */
  advantage: z.number(),
  oracle: OracleVerdict.nullable(),
});
export type RolloutResponse = z.infer<typeof RolloutResponse>;

/** One line of rollouts/NNNNNN.jsonl: a question and its G responses. */
export const RolloutGroup = z.object({
  step: z.number().int().positive(),
  problem_id: z.union([z.string(), z.number()]),
  problem: z.string(),
  problem_type: z.string(),
  /** The picture, relative to the run folder where it lies inside it; null for text. */
  path: z.string().nullable(),
  solution: z.string(),
  /** Mean Rt of right and of wrong answers; null for a side without scored responses. */
  mu_c: z.number().nullable(),
  mu_w: z.number().nullable(),
  /** Null where the variant has no γ. */
  gamma: z.number().nullable(),
  /** exp(−step/T) */
  anneal: z.number(),
  alpha: z.number(),
  /** All answers right, or all wrong. */
  tied: z.boolean(),
  responses: z.array(RolloutResponse),
});
export type RolloutGroup = z.infer<typeof RolloutGroup>;

/** The same measures of a part of the questions. */
const PartScores = z.object({
  n: count,
  accuracy: share,
  quality: z.number().nullable(),
  reliability_conditioned_accuracy: share.nullable(),
});
export type PartScores = z.infer<typeof PartScores>;

/** What came of several responses a question, of which one was chosen. */
export const BestOf = z.object({
  /** Responses a question (N). */
  samples: count,
  chosen_by: z.enum(['judge', 'majority']),
  /** Which judge; null where none was asked. */
  judge: z.string().nullable(),
  /** Share of well-formed responses that the judge scored; null where none was asked. */
  coverage: share.nullable(),
  /** Shares of right answers with n responses a question, n = 1, 2, 4 … N. */
  curve: z.array(
    z.object({
      n: count,
      /** Right in any of them (pass@n). */
      pass: share,
      /** The judge chooses; null without one. */
      judge: share.nullable(),
      /** The most frequent answer. */
      majority: share,
    }),
  ),
});
export type BestOf = z.infer<typeof BestOf>;

/** eval/SPLIT/scores.json. Null where no oracle can say, or where there is nothing to take a share of. */
export const Scores = z.object({
  model: z.string(),
  split: z.string(),
  n: count,
  /** 0 is greedy. */
  temperature: z.number(),
  accuracy: share,
  quality: z.number().nullable(),
  flawed_right: share.nullable(),
  reliability_conditioned_accuracy: share.nullable(),
  broken_format: share,
  truncated: share,
  /** By problem type. */
  by_type: z.record(z.string(), PartScores),
  /** By data source: in a world, the kind of question. */
  by_source: z.record(z.string(), PartScores),
  by_style: z.record(z.string(), z.object({ share, accuracy: share.nullable() })).nullable(),
  /** Of a server that was asked: questions without a response, counted as wrong. */
  no_response: count.optional(),
  /** Where one of several responses was chosen; the measures above are of the chosen ones. */
  best_of: BestOf.optional(),
});
export type Scores = z.infer<typeof Scores>;
