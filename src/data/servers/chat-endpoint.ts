/**
 * A chat model behind an OpenAI-compatible server: a chat with pictures in, text out. Only `POST /chat/completions` is
 * needed of the server. What goes wrong is a value with its reason, not an exception: whoever asks many questions
 * decides what a missing answer means.
 */
import OpenAI from 'openai';
import { InputError } from '../../errors.ts';
import type { ChatMessage } from '../chat/chat.ts';
import { abortReason, limited } from '../limited.ts';
import { pictureUrl } from '../pictures/data-url.ts';
import { type ChatReply, parseReply } from './chat-reply.ts';
import { bodyText, brokenConnection, Failed, type Hidden, hiding, refusal, retried } from './http-failure.ts';
import { withoutSecrets } from './server-name.ts';

export interface EndpointOptions {
  /** Everything before `/chat/completions`. */
  url: string;
  /** The model's name there. */
  model: string;
  /** Calls under way at once, those that wait for another attempt among them. */
  concurrency: number;
  /** Of one attempt; 300,000 at most, when Node's fetch gives up by itself. */
  timeoutMs: number;
  /** The environment variable that holds the key; without it, none is sent. */
  keyVariable: string;
}

/** What is left out is left to the server. */
export interface ChatRequest {
  /** Pictures by file, or as data URLs (picture-url.ts). */
  messages: readonly ChatMessage[];
  temperature?: number;
  topP?: number;
  /** Longest reply, tokens. */
  maxTokens?: number;
  seed?: number;
  /** Alternatives a token whose log-probabilities are asked for; many servers offer none. */
  topLogprobs?: number;
}

/** Exactly one of the two. */
export type ChatResult = { reply: ChatReply } | { failure: string };

export interface ChatEndpoint {
  /** The address as it is called, without a slash at its end. */
  url: string;
  /** Server and model without what may hold a secret: what rows and messages call it. */
  name: string;
  /** `signal` aborted: the call ends at once, wherever it stands; the failure is the signal's reason. */
  chat(request: ChatRequest, signal?: AbortSignal): Promise<ChatResult>;
}

/** Throws InputError: an address or a key that cannot be used. Nothing is asked of the server yet. */
export function chatEndpoint(options: EndpointOptions): ChatEndpoint {
  const { url, query } = addressOf(options.url);
  const key = keyOf(options.keyVariable);
  const hidden = hiding(key);
  const client = new OpenAI({
    baseURL: url,
    defaultQuery: query,
    // the client's own headers, retries, timeouts, logs and readings of the environment stay out of this
    apiKey: 'unused',
    adminAPIKey: null,
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    fetch: (to, init) => post(String(to), init, key, hidden),
  });
  const slots = limited(options.concurrency);
  const attempt = async (
    body: OpenAI.ChatCompletionCreateParamsNonStreaming,
    signal: AbortSignal | undefined,
  ): Promise<ChatReply> => {
    signal?.throwIfAborted();
    const stop = new AbortController();
    const end = () => stop.abort();
    const timer = setTimeout(end, options.timeoutMs);
    signal?.addEventListener('abort', end);
    try {
      const response = await client.chat.completions.create(body, { signal: stop.signal }).asResponse();
      return parseReply(await bodyText(response), hidden);
    } catch (error) {
      signal?.throwIfAborted();
      if (stop.signal.aborted) throw new Failed(`no answer within ${options.timeoutMs / 1000} s`, true);
      throw brokenConnection(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  };

  const call = async (request: ChatRequest, signal: AbortSignal | undefined): Promise<ChatReply> => {
    const body = await bodyOf(options.model, request);
    return retried(() => attempt(body, signal), signal);
  };

  return {
    url: `${url}${query === undefined ? '' : `?${new URLSearchParams(query)}`}`,
    name: `${withoutSecrets(url)} ${options.model}`,
    async chat(request, signal) {
      try {
        return { reply: await slots(() => call(request, signal), signal) };
      } catch (error) {
        if (signal?.aborted) return { failure: abortReason(signal) };
        if (error instanceof Failed) return { failure: hidden(error.said()) };
        if (error instanceof InputError) return { failure: error.message };
        throw error;
      }
    },
  };
}

/** No header but these, so that nothing of the machine or its environment is told; no redirect, so that the key stays here. */
async function post(
  url: string,
  init: RequestInit | undefined,
  key: string | null,
  hidden: Hidden,
): Promise<Response> {
  const response = await fetch(url, {
    ...init,
    redirect: 'manual',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    },
  });
  if (response.ok) return response;
  throw await refusal(response, hidden);
}

async function bodyOf(
  model: string,
  request: ChatRequest,
): Promise<OpenAI.ChatCompletionCreateParamsNonStreaming> {
  const { temperature, topP, maxTokens, seed, topLogprobs } = request;
  const messages = await Promise.all(
    request.messages.map(async ({ role, content }) => ({ role, content: await contentOf(content) })),
  );
  return {
    model,
    messages: messages as OpenAI.ChatCompletionMessageParam[],
    temperature,
    top_p: topP,
    max_tokens: maxTokens,
    seed,
    ...(topLogprobs === undefined ? {} : { logprobs: true, top_logprobs: topLogprobs }),
  };
}

function contentOf(content: ChatMessage['content']) {
  if (typeof content === 'string') return content;
  return Promise.all(
    content.map(async (part): Promise<OpenAI.ChatCompletionContentPart> => {
      if (part.type === 'text') return part;
      const url = part.image.startsWith('data:') ? part.image : await pictureUrl(part.image);
      return { type: 'image_url', image_url: { url } };
    }),
  );
}

/** Throws InputError; the address may hold a secret, so it is not shown. */
function addressOf(text: string): { url: string; query: Record<string, string> | undefined } {
  const { username, password, origin, pathname, searchParams } = new URL(text);
  if (username !== '' || password !== '')
    throw new InputError(
      'url: holds a name or a password; leave it out and put the key into an environment variable (key_variable)',
    );
  const path = pathname.replace(/\/+$/, '').replace(/\/chat\/completions$/, '');
  return {
    url: `${origin}${path}`,
    query: searchParams.size > 0 ? Object.fromEntries(searchParams) : undefined,
  };
}

/** Throws InputError naming the variable, never what is in it. */
function keyOf(variable: string): string | null {
  const key = process.env[variable]?.trim();
  if (key === undefined || key === '') return null;
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new InputError(
      `key_variable: ${variable} holds white space or characters that no key has; set it anew`,
    );
  return key;
}
