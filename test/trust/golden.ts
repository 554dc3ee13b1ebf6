/** Golden rows made by an independent implementation of the paper and by running the published code. */
import { readFileSync } from 'node:fs';

export interface GoldenGroup {
  id: string;
  step: number;
  T: number;
  alpha: number;
  outcome: number[];
  thinking: (number | null)[];
  paper: GoldenRewards;
  paper_missing_imputed?: GoldenRewards;
  reference_code: {
    correct_avg: number | null;
    incorrect_avg: number | null;
    discount: number;
    early_exit: boolean;
    final_rewards: number[];
    advantages_verl: number[];
  };
}

interface GoldenRewards {
  mu_c: number | null;
  mu_w: number | null;
  gamma: number;
  final_rewards: number[];
  adv_ddof1_eps1e6: number[] | null;
}

export interface GoldenLoss {
  id: string;
  clip_eps: number;
  kl_beta: number;
  dr_grpo_max_length: number;
  advantages: number[];
  mask: number[][];
  logp: number[][];
  old_logp: number[][];
  ref_logp: number[][];
  metrics: { clip_fraction: number };
  variants: Record<string, { loss: number; pg_loss: number; k3_kl: number; grad_analytic: number[][] }>;
}

export const goldenGroups: GoldenGroup[] = rows('public_groups.jsonl');
export const goldenLosses: GoldenLoss[] = rows('public_loss.jsonl');

function rows<T>(name: string): T[] {
  const file = new URL(`../fixtures/trust/${name}`, import.meta.url);
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
