/** A server's answer to a chat: `choices[0]` of a chat completion, checked. */
import { z } from 'zod';
import { shortened } from '../one-line.ts';
import { Failed, type Hidden } from './http-failure.ts';

/** An alternative at a position. */
const Alternative = z.object({ token: z.string(), logprob: z.number() });

/** A token of the reply, its log-probability (nats), and those of the likeliest tokens in its place, its own among them. */
const TokenLogprobs = Alternative.extend({
  top_logprobs: z
    .array(Alternative)
    .nullish()
    .transform((list) => list ?? []),
});
export type TokenLogprobs = z.infer<typeof TokenLogprobs>;

export const ChatReply = z.object({
  /** Without what a server splits off as reasoning. */
  text: z.string(),
  /** `length`: cut off by the token limit. */
  finish: z.string(),
  /** Of the tokens of the whole reply; null where the server offers none. */
  logprobs: z.array(TokenLogprobs).nullable(),
});
export type ChatReply = z.infer<typeof ChatReply>;

const Completion = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish() }),
        finish_reason: z.string().nullish(),
        logprobs: z
          .object({ content: z.array(TokenLogprobs) })
          .nullish()
          .catch(null),
      }),
    )
    .min(1),
});

/** Throws Failed: broken JSON, HTML, another shape. */
export function parseReply(received: string, hidden: Hidden): ChatReply {
  const body = hidden(received);
  const [choice] = completionOf(body).choices;
  const finish = choice.finish_reason ?? 'stop';
  // a model that has spent all its tokens on thinking has said nothing yet
  const content = choice.message.content ?? (finish === 'length' ? '' : null);
  if (content === null) throw wrongShape(body);
  const tokens = choice.logprobs?.content ?? [];
  const spelt = tokens.map(({ token }) => token).join('');
  // tokens that spell what is hidden go with it
  const logprobs = tokens.length > 0 && hidden(spelt) === spelt ? tokens : null;
  return { text: hidden(content), finish, logprobs };
}

function completionOf(body: string): z.infer<typeof Completion> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    if (body.trim() === '') throw new Failed('the server answered nothing', true);
    if (body.trimStart().startsWith('<')) throw new Failed('the server answered with a page of HTML', true);
    throw new Failed(`the server answered with broken JSON: ${shortened(body, 80)}`, true);
  }
  const completion = Completion.safeParse(value);
  if (!completion.success) throw wrongShape(body);
  return completion.data;
}

function wrongShape(body: string): Failed {
  return new Failed(`the server's answer holds no choices[0].message.content: ${shortened(body, 80)}`, true);
}
