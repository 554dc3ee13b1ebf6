/** What a report is made of: plain data, collected from a run folder (collect.ts) or put together by hand. */
import type { RlMetrics, RolloutGroup, SftMetrics } from '../../data/run-folder.ts';
import type { ResultRow } from '../results.ts';

/** A group of responses worth reading, and why it was chosen. */
export interface Example {
  /** Groups of the same `moment` are shown at one place, one a variant: `early`, `tied`, … */
  moment: string;
  /** The rule by which it was chosen: `a group from step 3 on that has right and wrong answers.` */
  why: string;
  variant: string;
  seed: number;
  group: RolloutGroup;
  picture: Picture | null;
}

/** A picture as a data: URL (anything else is left out of the page), with its size in pixels. */
export interface Picture {
  url: string;
  width: number;
  height: number;
}

/** How a Thinking Reward Model agrees with the oracle. */
export interface Agreement {
  /** Null where one side is constant. */
  spearman: number | null;
  /** Area under the ROC curve for telling sound reasoning (oracle score ≥ 0.5) from flawed; null where there is only one kind. */
  auc_sound: number | null;
  mae: number | null;
  n: number;
}

/** Its agreement on held-out responses of the policy it learnt from, and on the policy that it has trained (null: not measured). */
export interface Reliability extends Agreement {
  seed: number;
  on_trained_policy: Agreement | null;
}

export interface ReportInput {
  title: string;
  /** ISO 8601 */
  created: string;
  /** Processor, memory, software: one line. */
  machine: string;
  seeds: number[];
  /** What it takes to run it again, as `key value` pairs in the recipe's order. */
  recipe: { key: string; value: string }[];
  /** One row a variant, the cold start first. */
  results: ResultRow[];
  /** What the two evaluation splits are, as a sentence each, where the recipe says. */
  splits?: { id?: string; ood?: string };
  runs: { variant: string; seed: number; metrics: RlMetrics[] }[];
  coldStart: { seed: number; metrics: SftMetrics[] }[];
  trm: { seed: number; metrics: SftMetrics[] }[];
  reliability: Reliability[];
  examples: Example[];
  /** Wall seconds a stage, in the order they ran. */
  timings: { stage: string; seed: number; seconds: number }[];
}
