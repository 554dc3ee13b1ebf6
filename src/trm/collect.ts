/**
 * The TRM's training data, first stage: responses of the policy that it will judge, each with its question and what the
 * rules say of its answer (paper, section 3.2; there the policy's responses during GRPO).
 */
import type { LoadedRecord, Records } from '../data/records/reader.ts';
import { outcomeReward } from '../rewards/outcome.ts';
import type { Policy } from './policy.ts';
import type { Collected, Row } from './rows.ts';

/** The responses to some questions in a row. */
export interface CollectedBatch {
  /** Questions, or groups of a run, that it covers. */
  inputs: number;
  rows: Row<Collected>[];
  /** Why calls gave no response, one each. */
  failures: string[];
}

/** Where responses come from. */
export interface ResponseSource {
  /** Inputs in all. */
  inputs: number;
  /** Batches from input `from` on. Where they begin changes no response. */
  batches(from: number): AsyncIterable<CollectedBatch>;
}

export interface CollectOptions {
  policy: Policy;
  signal?: AbortSignal;
}

/** A policy's responses to records [from, to), batch by batch; a record's index is the key of its draws. */
export async function* collectResponses(
  records: Records,
  from: number,
  to: number,
  { policy, signal }: CollectOptions,
): AsyncGenerator<CollectedBatch> {
  for (let at = from; at < to; at += policy.chunk) {
    signal?.throwIfAborted();
    const keys = Array.from({ length: Math.min(policy.chunk, to - at) }, (_, i) => at + i);
    const asked = await Promise.all(keys.map((i) => records.get(i)));
    const answers = await policy.answer(asked, keys);
    const batch: CollectedBatch = { inputs: keys.length, rows: [], failures: [] };
    asked.forEach((record, i) => {
      for (const answer of answers[i])
        if ('failure' in answer) batch.failures.push(answer.failure);
        else batch.rows.push({ record, facts: collected(record, answer, policy.name) });
    });
    yield batch;
  }
}

/** What the rules say of a response; one that was cut off has no answer. */
export function collected(
  record: LoadedRecord,
  { response, finish }: Pick<Collected, 'response' | 'finish'>,
  policy: string,
): Collected {
  const said = outcomeReward({ problemType: record.problem_type, response, solution: record.solution });
  const { formatOk, reward, exact } = finish === 'stop' ? said : { formatOk: false, reward: 0, exact: false };
  return { response, finish, format_ok: formatOk, outcome: reward, right: exact, policy };
}
