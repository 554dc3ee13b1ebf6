/**
 * The TRM's training data, first stage: responses of the policy that it will judge, each with its question and what the
 * rules say of its answer (paper, section 3.2; there the policy's responses during GRPO).
 */
import type { Chat } from '../data/chat.ts';
import type { LoadedRecord, Records } from '../data/reader.ts';
import type { Engine } from '../engine/types.ts';
import { outcomeReward } from '../rewards/outcome.ts';
import { annotate } from './annotate.ts';
import type { Judge } from './judge.ts';
import { enginePolicy, type Policy, type SamplingOptions } from './policy.ts';
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

/** A question, a response to it, and its score. */
export interface ScoredResponse {
  record: LoadedRecord;
  response: string;
  score: number;
}

export interface ScoredOptions extends SamplingOptions {
  policy: Engine;
  annotator: Judge;
  chat: Chat;
  progress?: (done: number) => void;
  signal?: AbortSignal;
}

/**
 * Samples and scores responses to records [from, to). Left out: broken formats and responses cut off by the token
 * limit, which no judge is ever shown, and those that the annotator could not score.
 */
export async function collect(
  records: Records,
  from: number,
  to: number,
  { policy: engine, annotator, chat, progress, signal, ...sampling }: ScoredOptions,
): Promise<ScoredResponse[]> {
  const policy = enginePolicy('', { engine, chat }, sampling);
  const scored: ScoredResponse[] = [];
  let done = 0;
  for await (const { inputs, rows } of collectResponses(records, from, to, { policy, signal })) {
    for await (const { record, facts } of annotate(rows, annotator))
      if (facts.score !== null) scored.push({ record, response: facts.response, score: facts.score });
    done += inputs;
    progress?.(done);
  }
  return scored;
}
