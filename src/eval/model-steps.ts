/**
 * The steps of a benchmark's pipeline at which a language model reads what a response means, or judges it, asked of an
 * OpenAI-compatible server. Replies are kept on disk, so that none is paid for twice. A call that fails decides nothing.
 */
import pMap from 'p-map';
import { chatEndpoint, type EndpointOptions } from '../data/servers/chat-endpoint.ts';
import type { ChatReply } from '../data/servers/chat-reply.ts';
import { RunError } from '../errors.ts';
import { type Asked, openReplyCache } from '../trm/reply-cache.ts';
import type { Benchmark, ModelStep, Row } from './benchmarks/benchmark.ts';
import type { PredictionRow } from './scoring.ts';

export interface Extractor extends EndpointOptions {
  /** Prompts in place of the benchmark's own, by step. */
  templates: Partial<Record<ModelStep['name'], string>>;
  /** Longest reply, tokens. */
  maxTokens: number;
}

/** How many rows a model was asked about, and what came of it. */
export interface StepCounts {
  /** Server and model. */
  model: string;
  /** Rows whose rules left something to a model. */
  asked: number;
  /** Rows that it decided, in their share of all. */
  decided: number;
  share: number;
  /** Rows with a reply that decides nothing: left to the rules. */
  undecided: number;
  /** Rows with a call that failed. */
  failed: number;
}

export interface Extracted {
  rows: PredictionRow[];
  counts: StepCounts;
  /** Why the first call that failed did. */
  failure: string | null;
}

/** Rows with what the model said; `cache` is the folder that keeps replies. Throws InputError: address, key. */
export async function extracted(
  benchmark: Benchmark,
  rows: readonly PredictionRow[],
  extractor: Extractor,
  cache: string,
  progress?: (done: number) => void,
): Promise<Extracted> {
  const endpoint = chatEndpoint(extractor);
  const kept = await openReplyCache(cache);
  const { maxTokens } = extractor;
  const ask = async (text: string): Promise<{ reply: ChatReply } | { failure: string }> => {
    const sampling = { temperature: 0, max_tokens: maxTokens };
    const asked: Asked = {
      url: endpoint.url,
      model: extractor.model,
      sampling,
      text,
      picture: null,
      response: '',
    };
    const known = await kept.get(asked);
    if (known !== null) return { reply: known };
    const messages = [{ role: 'user', content: text }];
    const result = await endpoint.chat({ messages, temperature: 0, maxTokens });
    if ('reply' in result) await kept.put(asked, result.reply);
    return result;
  };
  const counts = { asked: 0, decided: 0, undecided: 0, failed: 0 };
  let failure: string | null = null;
  let failedInARow = 0;
  let done = 0;
  const step = async (row: PredictionRow, i: number): Promise<PredictionRow> => {
    if (!('response' in row)) return row;
    const before = benchmark.parse(row, `${benchmark.name}:${i + 1}`) as Row;
    let now = before;
    // the last step that was asked says what became of the row
    let outcome: 'decided' | 'undecided' | 'failed' | null = null;
    for (const { name, template, prompt, read } of benchmark.model) {
      const text = prompt(now, extractor.templates[name] ?? template);
      if (text === null) continue;
      const result = await ask(text);
      if ('failure' in result) {
        failure ??= result.failure;
        outcome = 'failed';
        failedInARow += 1;
        if (failedInARow >= LOST) throw new RunError(lost(endpoint.name, failedInARow, result.failure));
        break;
      }
      failedInARow = 0;
      const next = read(now, result.reply.text);
      outcome = next === null ? 'undecided' : 'decided';
      now = next ?? now;
    }
    if (outcome !== null) {
      counts.asked += 1;
      counts[outcome] += 1;
    }
    return { ...row, ...changed(before, now) };
  };
  const counted = async (row: PredictionRow, i: number) => {
    const made = await step(row, i);
    progress?.(++done);
    return made;
  };
  progress?.(0);
  const made = await pMap(rows, counted, { concurrency: extractor.concurrency });
  const share = rows.length === 0 ? 0 : counts.decided / rows.length;
  const { asked, decided, undecided, failed } = counts;
  return { rows: made, counts: { model: endpoint.name, asked, decided, share, undecided, failed }, failure };
}

/** So many failures in a row, and the server is taken to be gone. */
const LOST = 24;

function lost(name: string, calls: number, failure: string): string {
  return `extractor ${name}: no reply to ${calls} questions in a row (${failure}); replies are kept, and the same command goes on from there`;
}

/** Fields that a step has added or replaced. */
function changed(before: Row, now: Row): Row {
  return Object.fromEntries(Object.entries(now).filter(([key, value]) => value !== before[key]));
}
