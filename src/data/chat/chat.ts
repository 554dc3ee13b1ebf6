/**
 * Chats to prompts: a model folder's own chat template is rendered, tokenised and cut at the picture placeholders,
 * as transformers' processors do it (there a placeholder is then repeated; here the picture itself stands in its place).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { z } from 'zod';
import type { Picture, Prompt, PromptChunk } from '../../engine/types.ts';
import { InputError } from '../../errors.ts';
import { decodeUtf8, readError } from '../jsonl.ts';
import { parseWith } from '../validate.ts';
import { loadTokenizer, readJsonObject, type Tokenizer } from './tokenizer.ts';

const ChatPart = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('text'), text: z.string() }),
    z.object({ type: z.literal('image'), image: z.string() }),
  ],
  { error: 'must be {"type": "text", "text": TEXT} or {"type": "image", "image": FILE}' },
);
const ChatMessage = z.object({ role: z.string(), content: z.union([z.string(), z.array(ChatPart)]) });
export type ChatPart = z.infer<typeof ChatPart>;
/** A turn as transformers takes it. */
export type ChatMessage = z.infer<typeof ChatMessage>;

/** A chat: at least one turn. */
export const ChatMessages = z.array(ChatMessage).min(1, 'holds no messages');

/** Reads a chat. Throws InputError `SOURCE: …`. */
export function parseMessages(value: unknown, source: string): ChatMessage[] {
  return parseWith(ChatMessages, value, source);
}

/** A folder's chat format. */
export interface Chat {
  tokenizer: Tokenizer;
  /** The chat as text. Throws InputError where the template refuses it. */
  render(messages: readonly ChatMessage[], options: RenderOptions): string;
}

export interface RenderOptions {
  /** Ends with the beginning of the assistant's turn. */
  addGenerationPrompt: boolean;
  /** Further variables of the template (`add_vision_id` …). */
  variables?: Record<string, unknown>;
}

/** The token that stands for a picture in a rendered chat. */
export const picturePlaceholder = '<|image_pad|>';

/**
 * The worlds' chat template: a user's turn as it stands, pictures between `<|vision_start|>` and `<|vision_end|>`; an
 * assistant's turn between `<|im_start|>` and `<|im_end|>`. No role names, so that a vocabulary of words is enough.
 */
export const worldChatTemplate = [
  "{% for message in messages %}{% if message['role'] == 'assistant' %}<|im_start|>{% endif %}",
  "{% if message['content'] is string %}{{ message['content'] }}",
  "{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}",
  `<|vision_start|>${picturePlaceholder}<|vision_end|>`,
  "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}",
  "{% if message['role'] == 'assistant' %}<|im_end|>{% endif %}{% endfor %}",
  '{% if add_generation_prompt %}<|im_start|>{% endif %}',
].join('');

/** Loads tokenizer and chat template of a Hugging Face folder. Throws InputError naming the file. */
export async function loadChat(dir: string): Promise<Chat> {
  const [tokenizer, template] = await Promise.all([loadTokenizer(dir), loadTemplate(dir)]);
  return makeChat(tokenizer, template, dir);
}

/** A chat format from its parts; `source` names it in messages. Throws InputError. */
export function makeChat(tokenizer: Tokenizer, template: string, source: string): Chat {
  const failed = (error: unknown) =>
    new InputError(`${source}: the chat template failed: ${(error as Error).message.replace(/\s+/g, ' ')}`);
  let compiled: Template;
  try {
    compiled = new Template(template);
  } catch (error) {
    throw failed(error);
  }
  return {
    tokenizer,
    render(messages, { addGenerationPrompt, variables }) {
      try {
        return compiled.render({
          ...tokenizer.named,
          ...variables,
          messages,
          add_generation_prompt: addGenerationPrompt,
        });
      } catch (error) {
        throw failed(error);
      }
    },
  };
}

/**
 * The prompt an assistant's turn follows. `pictures` are those of the messages, in order of appearance.
 * Throws InputError `SOURCE: …` if there are not as many placeholders as pictures.
 */
export function chatPrompt(
  chat: Chat,
  messages: readonly ChatMessage[],
  pictures: readonly Picture[],
  source: string,
): Prompt {
  const rendered = chat.render(messages, { addGenerationPrompt: true });
  return splitAtPictures(chat.tokenizer, rendered, pictures, source);
}

/** A rendered chat as tokens with pictures in place of their placeholders. Throws InputError `SOURCE: …`. */
function splitAtPictures(
  tokenizer: Tokenizer,
  rendered: string,
  pictures: readonly Picture[],
  source: string,
): Prompt {
  const placeholder = tokenizer.find(picturePlaceholder);
  const runs: number[][] = [[]];
  for (const token of tokenizer.encode(rendered)) {
    if (token === placeholder) runs.push([]);
    else runs[runs.length - 1].push(token);
  }
  const found = runs.length - 1;
  if (found !== pictures.length)
    throw new InputError(
      `${source}: ${pictures.length} picture(s) but ${found} placeholder(s) ${picturePlaceholder} in the chat; the text must not hold placeholders, and the chat template must write one a picture`,
    );
  const chunks: PromptChunk[] = [];
  runs.forEach((tokens, index) => {
    if (index > 0) chunks.push({ image: pictures[index - 1] });
    if (tokens.length > 0) chunks.push({ tokens });
  });
  return { chunks };
}

/** The files of a chat's pictures, in order of appearance. */
export function chatPictures(messages: readonly ChatMessage[]): string[] {
  return messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((part) => (part.type === 'image' ? [part.image] : [])),
  );
}

/** Where transformers looks, in its order of preference. */
async function loadTemplate(dir: string): Promise<string> {
  const jinja = await readFile(join(dir, 'chat_template.jinja')).catch((error) => {
    if (error.code === 'ENOENT') return null;
    throw readError(error, join(dir, 'chat_template.jinja'));
  });
  if (jinja !== null) return decodeUtf8(jinja, join(dir, 'chat_template.jinja'));
  for (const name of ['chat_template.json', 'tokenizer_config.json']) {
    const template = (await readJsonObject(join(dir, name)))?.chat_template;
    if (typeof template === 'string') return template;
    if (!Array.isArray(template)) continue;
    const chosen = template.find((entry) => entry?.name === 'default');
    if (typeof chosen?.template === 'string') return chosen.template;
  }
  throw new InputError(
    `${dir}: no chat template (chat_template.jinja, chat_template.json or tokenizer_config.json)`,
  );
}
