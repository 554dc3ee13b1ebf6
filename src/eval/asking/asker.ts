/**
 * A model that answers questions of text and pictures in any order: on the local engine, or behind an OpenAI-compatible
 * server. What cannot be answered is a failure with its reason and costs no other question.
 */
import { pMapIterable } from 'p-map';
import { type Chat, type ChatMessage, chatPrompt } from '../../data/chat/chat.ts';
import { pictureDataUrl } from '../../data/pictures/data-url.ts';
import { decodePicture } from '../../data/pictures/images.ts';
import { chatEndpoint, type EndpointOptions } from '../../data/servers/chat-endpoint.ts';
import type { Engine, Picture, Prompt } from '../../engine/types.ts';
import { InputError } from '../../errors.ts';
import { type Answer, CANNOT_BE_ASKED } from '../../trm/policy.ts';
import { openReplyCache } from '../../trm/reply-cache.ts';
import { keyed } from '../../worlds/random.ts';

/** A part of a question as it is shown; a picture is encoded as its file was. */
export type ShownPart = { text: string } | { picture: Uint8Array; source: string };

export interface ToAsk {
  /** Of its draws, which depend on this, the sample and the seed alone. */
  key: number;
  /** The beginning of messages about it. */
  source: string;
  /** Which samples are wanted. */
  samples: number[];
  /** The user's turn; read when the question's turn has come, so that few pictures are in memory. Throws InputError. */
  content(): Promise<ShownPart[]>;
}

export interface Asker {
  /** As scores name it. */
  name: string;
  /** The samples wanted of each question, questions in order. */
  ask(questions: readonly ToAsk[]): AsyncIterable<Answer[]>;
  dispose(): Promise<void>;
}

export interface SamplingOptions {
  /** Stands before the question; null: none. */
  system: string | null;
  /** Samples a question may want, N: those of one question are drawn together. */
  samples: number;
  /** 0 is greedy. */
  temperature: number;
  /** Longest response, tokens. */
  maxTokens: number;
  seed: number;
}

/** Responses drawn at once. */
const AT_ONCE = 48;

interface Prompted {
  prompt: Prompt;
  key: number;
}

/** The engine is disposed of with it. */
export function engineAsker(
  name: string,
  { engine, chat }: { engine: Engine; chat: Chat },
  { system, samples, temperature, maxTokens, seed }: SamplingOptions,
): Asker {
  const { stop } = chat.tokenizer;
  const together = Math.max(1, Math.floor(AT_ONCE / samples));
  const draw = async (asked: readonly Prompted[]): Promise<Answer[][]> => {
    const keys = asked.map(({ key }) => key);
    const prompts = asked.map(({ prompt }) => prompt);
    const drawn = await engine.sample(prompts, { samples, maxTokens, temperature, seed, keys, stop });
    return drawn.map((responses) =>
      responses.map(({ tokens, finish }) => ({
        response: chat.tokenizer.decode(finish === 'stop' ? tokens.slice(0, -1) : tokens),
        finish,
      })),
    );
  };
  /** A prompt that does not fit the model costs its own question only. */
  const answers = async (asked: readonly Prompted[]): Promise<(Answer[] | { failure: string })[]> => {
    if (asked.length === 0) return [];
    const all = await orFailure(() => draw(asked));
    if (!('failure' in all)) return all;
    if (asked.length === 1) return [all];
    const singly = [];
    for (const one of asked) singly.push(...(await answers([one])));
    return singly;
  };
  return {
    name,
    async *ask(questions) {
      for (let from = 0; from < questions.length; from += together) {
        const asked = questions.slice(from, from + together);
        const prompts = await Promise.all(
          asked.map((question) => orFailure(() => promptOf(chat, question, system))),
        );
        const sound = prompts.flatMap((prompt, i) =>
          'failure' in prompt ? [] : [{ prompt, key: asked[i].key }],
        );
        const drawn = (await answers(sound)).values();
        for (const [i, prompt] of prompts.entries()) {
          const all = 'failure' in prompt ? prompt : drawn.next().value!;
          yield asked[i].samples.map((sample) => ('failure' in all ? all : all[sample]));
        }
      }
    },
    dispose: () => engine.dispose(),
  };
}

async function promptOf(chat: Chat, question: ToAsk, system: string | null): Promise<Prompt> {
  const parts = await question.content();
  const pictures: Picture[] = [];
  for (const part of parts)
    if ('picture' in part) pictures.push(await decodePicture(part.picture, part.source));
  const messages = chatOf(
    parts.map((part) => ('text' in part ? part : { image: part.source })),
    system,
  );
  return { ...chatPrompt(chat, messages, pictures, question.source), source: question.source };
}

function chatOf(
  parts: readonly ({ text: string } | { image: string })[],
  system: string | null,
): ChatMessage[] {
  const content = parts.map((part) =>
    'text' in part
      ? { type: 'text' as const, text: part.text }
      : { type: 'image' as const, image: part.image },
  );
  const only = content.length === 1 && content[0].type === 'text' ? content[0].text : null;
  return [
    ...(system === null ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: only ?? content },
  ];
}

async function orFailure<T extends object>(make: () => Promise<T>): Promise<T | { failure: string }> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof InputError) return { failure: `${CANNOT_BE_ASKED}: ${error.message}` };
    throw error;
  }
}

/** Answers waited for, for each call under way, so that a slow one does not leave the others' places empty. */
const AHEAD = 8;

/**
 * Each sampled call sends a seed of its own, made of seed, key and sample: a server that heeds seeds draws the same
 * again. `cache`: a folder that keeps replies, or null. Throws InputError: an address or a key that cannot be used.
 */
export async function endpointAsker(
  server: EndpointOptions,
  { system, temperature, maxTokens, seed }: SamplingOptions,
  cache: string | null,
): Promise<Asker> {
  const endpoint = chatEndpoint(server);
  const kept = cache === null ? null : await openReplyCache(cache);
  /** Ends the calls that nobody waits for any more. */
  const gone = new AbortController();
  const call = async (messages: ChatMessage[], key: number, sample: number): Promise<Answer> => {
    const ownSeed = temperature === 0 ? undefined : keyed('eval', seed, key, sample).below(2 ** 31);
    const asked = {
      url: endpoint.url,
      model: server.model,
      sampling: { temperature, max_tokens: maxTokens, seed: ownSeed ?? null },
      text: JSON.stringify(messages),
      picture: null,
      response: '',
    };
    let reply = (await kept?.get(asked)) ?? null;
    if (reply === null) {
      const result = await endpoint.chat({ messages, temperature, maxTokens, seed: ownSeed }, gone.signal);
      if ('failure' in result) return result;
      reply = result.reply;
      await kept?.put(asked, reply);
    }
    return { response: reply.text, finish: reply.finish === 'length' ? 'length' : 'stop' };
  };
  const answers = async (question: ToAsk): Promise<Answer[]> => {
    const made = await orFailure(async () => {
      const parts = await question.content();
      const shown = [];
      for (const part of parts)
        shown.push('text' in part ? part : { image: await pictureDataUrl(part.picture, part.source) });
      return { messages: chatOf(shown, system) };
    });
    if ('failure' in made) return question.samples.map(() => made);
    return Promise.all(question.samples.map((sample) => call(made.messages, question.key, sample)));
  };
  return {
    name: endpoint.name,
    ask: (questions) =>
      pMapIterable(questions, answers, {
        concurrency: server.concurrency,
        backpressure: AHEAD * server.concurrency,
      }),
    async dispose() {
      gone.abort(new Error('the evaluation was ended'));
    },
  };
}
