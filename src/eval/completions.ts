/**
 * Log-probabilities of given completions of given chats, and the greedy continuation of each chat: the numbers that
 * transformers computes for the same rows in float32.
 */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { inBatches } from '../data/batches.ts';
import {
  type Chat,
  ChatMessages,
  chatPictures,
  chatPrompt,
  loadChat,
  picturePlaceholder,
} from '../data/chat/chat.ts';
import { promptIds } from '../data/chat/prompt-ids.ts';
import { type JsonlRow, readJsonl } from '../data/jsonl.ts';
import { readPicture } from '../data/pictures/images.ts';
import { parseWith } from '../data/validate.ts';
import { readModelConfig } from '../engine/local/files/checkpoint.ts';
import { createLocalEngine } from '../engine/local/index.ts';
import type { Engine, Picture, Sequence } from '../engine/types.ts';
import { InputError, RunError } from '../errors.ts';
import type { Qwen25VlConfig } from '../models/qwen2-5-vl/config.ts';
import type { ProcessorConfig } from '../models/qwen2-5-vl/processor.ts';

export interface CompletionOptions {
  /** A Qwen2.5-VL folder. */
  model: string;
  /** Folder of a LoRA adapter beside its weights; null: none. */
  adapter: string | null;
  /** Tokens to continue each prompt by; null: none. */
  greedy: number | null;
  provider: string;
  threads: number;
}

/** A row with what was found out about it. */
export interface ScoredCompletion extends Record<string, unknown> {
  /** Pictures are runs of placeholders. */
  prompt_ids: number[];
  completion_ids: number[];
  /** One a completion token, nats, float32. */
  logprobs: number[];
  /** argmax after the prompt alone, whatever would stop a response. */
  greedy_ids?: number[];
}

const Row = z.object({ messages: ChatMessages, completion: z.string() });

/** Rows asked of the engine at once; and their number times the tokens of the longest, since attention pads to that. */
const ROWS = 8;
const TOKENS = 4096;

/**
 * The rows `{messages, completion}` of a JSONL file (`-`: standard input) in order, every field kept, as they are computed.
 * Paths of pictures resolve against the file's folder.
 * Throws InputError for a model folder that cannot be used, and `FILE:LINE: …` for a bad row; those before it have been given by then.
 */
export async function* scoreCompletions(
  file: string,
  { model, adapter, greedy, provider, threads }: CompletionOptions,
): AsyncGenerator<ScoredCompletion> {
  const reader: Reader = {
    chat: await loadChat(model),
    ...(await readModelConfig(model)),
    folder: file === '-' ? '.' : dirname(file),
    room: greedy ?? 0,
  };
  const engine = await createLocalEngine({
    source: { dir: model },
    adapter: adapter === null ? null : { dir: adapter },
    trainable: false,
    provider,
    threads,
    tokenBudget: TOKENS,
  });
  try {
    const batches = inBatches(readItems(file, reader), {
      joins: (batch, item) => {
        const longest = Math.max(...[...batch, item].map(lengthOf));
        return batch.length < ROWS && (batch.length + 1) * longest <= TOKENS;
      },
      patienceMs: file === '-' ? 100 : null,
    });
    for await (const batch of batches) yield* await score(engine, batch, greedy);
  } finally {
    await engine.dispose();
  }
}

/** What turns a row into tokens. */
interface Reader {
  chat: Chat;
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
  /** Against which a row's paths resolve. */
  folder: string;
  /** Tokens to come after a prompt. */
  room: number;
}

interface Item {
  row: object;
  source: string;
  sequence: Sequence;
  /** Of the prompt, pictures expanded. */
  ids: number[];
}

const lengthOf = ({ ids, sequence }: Item) => ids.length + sequence.completion.length;

async function* readItems(file: string, reader: Reader): AsyncGenerator<Item> {
  for await (const row of readJsonl(file)) yield await readItem(row, reader);
}

async function readItem({ value, source }: JsonlRow, reader: Reader): Promise<Item> {
  const { chat, config, processor } = reader;
  const { messages, completion: text } = parseWith(Row, value, source);
  const { prompt, ids } = await naming(`${source}: messages`, async () => {
    const pictures = await Promise.all(chatPictures(messages).map((path) => pictureOf(path, reader.folder)));
    const prompt = chatPrompt(chat, messages, pictures, 'chat');
    return { prompt: { ...prompt, source }, ids: promptIds(prompt, config, processor) };
  });
  const completion = chat.tokenizer.encode(text);
  if (completion.includes(config.tokens.imagePad))
    throw new InputError(
      `${source}: completion: holds the placeholder ${picturePlaceholder}; pictures belong into messages`,
    );
  requireRoom(ids, completion, reader, source);
  return { row: value as object, source, sequence: { prompt, completion }, ids };
}

function pictureOf(path: string, folder: string): Promise<Picture> {
  if (/^(https?|file|data):/.test(path))
    throw new InputError(`${path.slice(0, 60)}: pictures are read from files; give a path`);
  return readPicture(resolve(folder, path));
}

/** The engine refuses these rows too, but with them all others of their batch. */
function requireRoom(ids: number[], completion: number[], { config, room }: Reader, source: string): void {
  const { vocabulary, maxPositions } = config.text;
  const beyond = [...ids, ...completion].find((id) => id >= vocabulary);
  if (beyond !== undefined)
    throw new InputError(
      `${source}: token ${beyond} is outside the model's vocabulary of ${vocabulary}; the folder's tokenizer.json is of another model`,
    );
  const length = ids.length + Math.max(completion.length, room);
  if (length > maxPositions)
    throw new InputError(
      `${source}: takes ${length} tokens, but the model's context is ${maxPositions}; shorten it, or make its pictures smaller`,
    );
  if (ids.length === 0) throw new InputError(`${source}: messages: the chat template makes nothing of them`);
}

async function score(engine: Engine, batch: Item[], greedy: number | null): Promise<ScoredCompletion[]> {
  const sequences = batch.map(({ sequence }) => sequence);
  // nothing to score is no error here, but is one to the engine
  const scored = await engine.logprobs(sequences.filter(({ completion }) => completion.length > 0));
  const prompts = sequences.map(({ prompt }) => prompt);
  const options = { samples: 1, maxTokens: greedy ?? 0, temperature: 0, seed: 0, stop: [] };
  const continued = greedy === null ? null : await engine.sample(prompts, options);
  return batch.map(({ row, ids, source, sequence: { completion } }, i) => {
    const logprobs = completion.length === 0 ? [] : scored.shift()!.logprobs;
    if (!logprobs.every(Number.isFinite))
      throw new RunError(`${source}: the model gives no finite log-probabilities; it has diverged`);
    return {
      ...row,
      prompt_ids: ids,
      completion_ids: completion,
      logprobs,
      ...(continued ? { greedy_ids: continued[i][0].tokens } : {}),
    };
  });
}

/** Puts `where` before the message of an InputError. */
async function naming<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${where}: ${error.message}`, { cause: error });
  }
}
