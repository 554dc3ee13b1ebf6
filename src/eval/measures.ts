/**
 * Measures of a set of responses. Accuracy is exact match of the answer; sound means a score of at least 0.5 by the
 * oracle. Reliability-conditioned accuracy counts answers that are right and soundly reasoned, over all questions
 * (arXiv 2604.18892); flawed-right is the share of right answers whose reasoning is not sound.
 */
import type { OracleVerdict, Scores } from '../data/run-folder.ts';
import { mean, share } from '../data/shares.ts';

/** One line of predictions.jsonl. */
export interface Prediction {
  problem_id: string | number;
  problem: string;
  problem_type: string;
  data_source: string;
  solution: string;
  response: string;
  finish: 'stop' | 'length';
  format_ok: boolean;
  /** Exact match of the answer. */
  right: boolean;
  oracle: OracleVerdict | null;
}

export function scoresOf(
  predictions: readonly Prediction[],
  model: string,
  split: string,
  temperature: number,
): Scores {
  const all = measures(predictions);
  const group = (key: (p: Prediction) => string) => {
    const names = [...new Set(predictions.map(key))].sort();
    return names.map((name) => [name, predictions.filter((p) => key(p) === name)] as const);
  };
  const parts = (key: (p: Prediction) => string) =>
    Object.fromEntries(
      group(key).map(([name, some]) => {
        const { flawed_right: _, ...rest } = measures(some);
        return [name, { n: some.length, ...rest }];
      }),
    );
  const judged = predictions.every((p) => p.oracle !== null);
  return {
    model,
    split,
    n: predictions.length,
    temperature,
    ...all,
    broken_format: share(predictions, (p) => !p.format_ok),
    truncated: share(predictions, (p) => p.finish === 'length'),
    by_type: parts((p) => p.problem_type),
    by_source: parts((p) => p.data_source || 'unknown'),
    by_style: judged
      ? Object.fromEntries(
          group((p) => p.oracle!.style).map(([style, some]) => [
            style,
            { share: some.length / predictions.length, accuracy: share(some, (p) => p.right) },
          ]),
        )
      : null,
  };
}

function measures(predictions: readonly Prediction[]) {
  const verdicts = predictions.flatMap((p) => p.oracle ?? []);
  const judged = predictions.length > 0 && verdicts.length === predictions.length;
  const right = predictions.filter((p) => p.right);
  return {
    accuracy: share(predictions, (p) => p.right),
    quality: judged ? mean(verdicts.map((v) => v.score)) : null,
    flawed_right: judged && right.length > 0 ? share(right, (p) => !p.oracle!.sound) : null,
    reliability_conditioned_accuracy: judged ? share(predictions, (p) => p.right && p.oracle!.sound) : null,
  };
}
