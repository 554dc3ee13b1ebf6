/**
 * The TRM's training data: responses sampled from the policy it will judge, each with its question and a score by an
 * annotator (paper, section 3.2; there the policy's responses during GRPO, scored by a larger model).
 */
import type { Chat } from '../data/chat.ts';
import { recordPrompt } from '../data/prompting.ts';
import type { LoadedRecord, Records } from '../data/reader.ts';
import type { Engine } from '../engine/types.ts';
import { parseResponse } from '../rewards/format.ts';
import type { Judge } from './judge.ts';
import { canBeJudged } from './prompt.ts';

/** A question, a response to it, and its score. */
export interface ScoredResponse {
  record: LoadedRecord;
  response: string;
  score: number;
}

export interface CollectOptions {
  policy: Engine;
  annotator: Judge;
  chat: Chat;
  template: string;
  /** Responses a question. */
  samples: number;
  temperature: number;
  maxTokens: number;
  seed: number;
  progress?: (done: number) => void;
  signal?: AbortSignal;
}

const CHUNK = 48;

/**
 * Samples and scores responses to records [from, to). Left out: broken formats and responses cut off by the token
 * limit, which no judge is ever shown, and those that the annotator could not score.
 */
export async function collect(
  records: Records,
  from: number,
  to: number,
  options: CollectOptions,
): Promise<ScoredResponse[]> {
  const { policy, annotator, chat, template, samples, temperature, maxTokens, seed } = options;
  const { stop } = chat.tokenizer;
  const rows: ScoredResponse[] = [];
  for (let at = from; at < to; at += CHUNK) {
    options.signal?.throwIfAborted();
    const keys = Array.from({ length: Math.min(CHUNK, to - at) }, (_, i) => at + i);
    const asked = await Promise.all(keys.map((i) => records.get(i)));
    const prompts = await Promise.all(asked.map((record) => recordPrompt(chat, record, template)));
    const sampled = await policy.sample(prompts, { samples, maxTokens, temperature, seed, keys, stop });
    const responses = asked.flatMap((record, i) =>
      sampled[i]
        .filter((s) => s.finish === 'stop')
        .map((s) => ({ record, response: chat.tokenizer.decode(s.tokens.slice(0, -1)) }))
        .filter(({ response }) => parseResponse(response) !== null && canBeJudged(response)),
    );
    const scores = await annotator.score(responses);
    responses.forEach((row, i) => {
      const { score } = scores[i];
      if (score !== null) rows.push({ ...row, score });
    });
    options.progress?.(at + keys.length - from);
  }
  return rows;
}
