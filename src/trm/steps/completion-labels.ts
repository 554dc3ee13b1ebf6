/**
 * How right every step of a response is, by Monte-Carlo completion (Math-Shepherd, arXiv 2312.08935; for pictures
 * VisualPRM, arXiv 2503.10291): the policy goes on from each step several times, and the step's score is the share of
 * these that come to the right answer. It measures what a step is worth to this policy, not whether it is true.
 */
import type { Chat } from '../../data/chat/chat.ts';
import { recordPrompt } from '../../data/chat/prompting.ts';
import type { LoadedRecord } from '../../data/records/reader.ts';
import type { Engine, Prompt } from '../../engine/types.ts';
import { parseResponse } from '../../rewards/format.ts';
import { outcomeReward } from '../../rewards/outcome.ts';
import { hash32 } from '../../worlds/random.ts';
import { canBeJudged } from '../prompt.ts';
import type { ScoredStep } from '../rows.ts';
import type { Steps } from '../settings.ts';
import { BROKEN_FORMAT } from './oracle-labels.ts';
import { splitSteps } from './split.ts';
import { prefixes, type StepLabels } from './step-judge.ts';

export interface CompletionLabelOptions {
  policy: Engine;
  chat: Chat;
  /** How a question is written. */
  template: string;
  split: Steps['split'];
  /** Continuations a step (K). */
  completions: number;
  /** Longest continuation, tokens; one that does not end is wrong. */
  maxTokens: number;
  temperature: number;
  topP?: number;
  seed: number;
  /** Told the number of responses done. */
  progress?: (done: number) => void;
  signal?: AbortSignal;
}

/** Continuations asked of the engine at once. */
const CHUNK = 256;

/** A beginning that is gone on from, and the steps that it ends with: of every response that begins like that. */
interface Beginning {
  record: LoadedRecord;
  prompt: Prompt;
  tokens: number[];
  key: number;
  ends: ScoredStep[];
}

/**
 * Draws are keyed by question and prefix: labels depend neither on what else is labelled nor on the order, and responses
 * that begin alike share the labels of their beginning. The last step needs no continuation: it is right or wrong.
 */
export async function stepLabelsByCompletion(
  rows: readonly { record: LoadedRecord; response: string }[],
  options: CompletionLabelOptions,
): Promise<StepLabels[]> {
  const together = Math.max(1, Math.floor(CHUNK / options.completions));
  const labels: StepLabels[] = [];
  let waiting = new Map<number, Beginning>();
  for (const { record, response } of rows) {
    options.signal?.throwIfAborted();
    const steps = labelledByEnd(record, response, options.split);
    labels.push(steps === null ? { steps, failure: BROKEN_FORMAT } : { steps, failure: null });
    if (steps !== null && steps.length > 1) await addBeginnings(waiting, record, steps, options);
    if (waiting.size >= together) {
      await complete([...waiting.values()], options);
      waiting = new Map();
    }
    options.progress?.(labels.length);
  }
  await complete([...waiting.values()], options);
  return labels;
}

/** Every step as right as the response is, which holds for the last; null for a broken format. */
function labelledByEnd(record: LoadedRecord, response: string, split: Steps['split']): ScoredStep[] | null {
  if (parseResponse(response) === null || !canBeJudged(response)) return null;
  const score = isRight(record, response) ? 1 : 0;
  return splitSteps(response, split).map((text) => ({ text, score }));
}

/** All beginnings of a response but the whole. */
async function addBeginnings(
  waiting: Map<number, Beginning>,
  record: LoadedRecord,
  steps: ScoredStep[],
  { chat, template }: CompletionLabelOptions,
): Promise<void> {
  const prompt = await recordPrompt(chat, record, template);
  const texts = prefixes(steps.map(({ text }) => text)).slice(0, -1);
  texts.forEach((text, i) => {
    const key = keyOf(JSON.stringify([record.problem_id, record.problem, text]));
    const known = waiting.get(key);
    if (known) known.ends.push(steps[i]);
    else {
      const tokens = chat.tokenizer.encode(text);
      const begun = { ...prompt, chunks: [...prompt.chunks, { tokens }] };
      waiting.set(key, { record, prompt: begun, tokens, key, ends: [steps[i]] });
    }
  });
}

/** 53 bits. */
function keyOf(text: string): number {
  return hash32(text, 1) * 2 ** 21 + (hash32(text, 2) >>> 11);
}

async function complete(
  begun: readonly Beginning[],
  { policy, chat, completions, maxTokens, temperature, topP, seed }: CompletionLabelOptions,
): Promise<void> {
  if (begun.length === 0) return;
  const { tokenizer } = chat;
  const prompts = begun.map(({ prompt }) => prompt);
  const keys = begun.map(({ key }) => key);
  const { stop } = tokenizer;
  const sampling = { samples: completions, maxTokens, temperature, topP, seed, keys, stop };
  const sampled = await policy.sample(prompts, sampling);
  begun.forEach(({ record, tokens: before, ends }, i) => {
    const right = sampled[i].filter(
      ({ tokens, finish }) =>
        finish === 'stop' && isRight(record, tokenizer.decode([...before, ...tokens.slice(0, -1)])),
    );
    for (const step of ends) step.score = right.length / completions;
  });
}

function isRight(record: LoadedRecord, response: string): boolean {
  const { problem_type: problemType, solution } = record;
  const { formatOk, exact } = outcomeReward({ problemType, response, solution });
  return formatOk && exact;
}
