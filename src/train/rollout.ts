/** What one step of reinforcement learning is made of: its settings, groups of responses with all that is known of them, the update. */
import type { LoadedRecord } from '../data/records/reader.ts';
import type { Prompt, Sample, StepResult } from '../engine/types.ts';
import type { OutcomeResult } from '../rewards/outcome.ts';
import type { JudgeScore } from '../trm/judge.ts';
import type { ScalingName } from '../trust/advantage.ts';
import type { GroupResult } from '../trust/group.ts';
import type { Aggregation } from '../trust/loss.ts';
import type { VariantName } from '../trust/variants.ts';
import type { Judgement } from '../worlds/seeing/index.ts';
import type { OptimizerSettings } from './optimizer.ts';

export interface Response {
  sample: Sample;
  /** Without the token that ended it. */
  text: string;
  outcome: OutcomeResult;
  /** Rt and why there is none; both null where no judge is asked. */
  thinking: JudgeScore;
  oracle: Judgement | null;
}

/** A question, its G responses, and what trust makes of them. */
export interface Group {
  record: LoadedRecord;
  prompt: Prompt;
  responses: Response[];
  trust: GroupResult;
}

export interface RlSettings {
  variant: VariantName;
  /** Questions a step, and responses a question (G). */
  prompts: number;
  samples: number;
  temperature: number;
  top_p: number;
  max_tokens: number;
  /** Weight of the thinking reward (α). */
  alpha: number;
  /** Weight of the KL term (β); 0: no reference model. */
  kl_beta: number;
  clip_low: number;
  clip_high: number;
  aggregation: Aggregation;
  scaling: ScalingName;
  /** Updates on each batch of rollouts. */
  updates: number;
  /** Below this share of scored responses in a step the user is warned, below that the run stops. */
  warn_coverage: number;
  min_coverage: number;
  /** How long a step waits for thinking rewards once its responses are complete. */
  judge_deadline_s: number;
  optimizer: OptimizerSettings;
}

/** What an update did. */
export interface PolicyUpdate extends StepResult {
  /** Responses with a gradient. */
  trained: number;
  kl: number | null;
  clipFraction: number;
  learningRate: number;
}
