/** Whose responses a TRM learns to judge: a model that answers questions, on the local engine or elsewhere. */
import type { Chat } from '../data/chat/chat.ts';
import { recordPrompt } from '../data/chat/prompting.ts';
import type { LoadedRecord } from '../data/records/reader.ts';
import type { Engine, Prompt } from '../engine/types.ts';
import { InputError } from '../errors.ts';

/** A response, or why there is none. */
export type Answer = { response: string; finish: 'stop' | 'length' } | { failure: string };

export interface Policy {
  /** How its rows name it. */
  name: string;
  /** Questions asked at once. */
  chunk: number;
  /** [record][sample]. Draws depend on a record's key, the sample and the policy's own seed, and on nothing else. */
  answer(records: LoadedRecord[], keys: number[]): Promise<Answer[][]>;
  dispose(): Promise<void>;
}

export interface SamplingOptions {
  /** How a question is written, with {problem} and {options}. */
  template: string;
  /** Responses a question. */
  samples: number;
  temperature: number;
  maxTokens: number;
  seed: number;
}

/** How the failure begins of a question that cannot be asked at all: its picture is broken, say. */
export const CANNOT_BE_ASKED = 'cannot be asked';

/** Responses drawn at once. */
const AT_ONCE = 96;

/** A policy on an engine, which is disposed of with it. */
export function enginePolicy(
  name: string,
  { engine, chat }: { engine: Engine; chat: Chat },
  { template, samples, temperature, maxTokens, seed }: SamplingOptions,
): Policy {
  const { stop } = chat.tokenizer;
  return {
    name,
    chunk: Math.max(1, Math.floor(AT_ONCE / samples)),
    async answer(records, keys) {
      const made = await Promise.all(records.map((record) => promptOrFailure(chat, record, template)));
      const asked = made.flatMap((prompt, i) => ('failure' in prompt ? [] : [{ prompt, key: keys[i] }]));
      const options = { samples, maxTokens, temperature, seed, keys: asked.map(({ key }) => key), stop };
      const prompts = asked.map(({ prompt }) => prompt);
      const drawn = (prompts.length > 0 ? await engine.sample(prompts, options) : []).values();
      return made.map((prompt) =>
        'failure' in prompt
          ? Array.from({ length: samples }, () => prompt)
          : drawn.next().value!.map(({ tokens, finish }) => ({
              response: chat.tokenizer.decode(finish === 'stop' ? tokens.slice(0, -1) : tokens),
              finish,
            })),
      );
    },
    dispose: () => engine.dispose(),
  };
}

/** A question that cannot be asked, its picture being broken, costs its responses and no others. */
async function promptOrFailure(
  chat: Chat,
  record: LoadedRecord,
  template: string,
): Promise<Prompt | { failure: string }> {
  try {
    return await recordPrompt(chat, record, template);
  } catch (error) {
    if (error instanceof InputError) return { failure: `${CANNOT_BE_ASKED}: ${error.message}` };
    throw error;
  }
}
