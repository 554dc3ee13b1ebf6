/**
 * From a record to what a model reads and learns: the chat of a question by a recipe's template, and the completion
 * of supervised training with a weight a token.
 */
import type { Picture, Prompt } from '../../engine/types.ts';
import { InputError } from '../../errors.ts';
import { solutionAnswer } from '../../rewards/format.ts';
import { readPicture } from '../pictures/images.ts';
import type { LoadedRecord } from '../records/reader.ts';
import type { DataRecord, Segment } from '../records/record.ts';
import { type Chat, type ChatMessage, chatPrompt } from './chat.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Token ids that follow a prompt, and how much each counts in the loss (1 or 0). */
export interface Completion {
  tokens: number[];
  weights: number[];
}

/** Complains about a recipe's prompt template before a run starts. Throws InputError `KEY: …`. */
export function checkTemplate(template: string, key: string): void {
  if (!template.includes('{problem}'))
    throw new InputError(`${key}: must hold {problem} (and may hold {options})`);
}

/**
 * The question as text: `{problem}` and `{options}` (one a line) filled in. Where a record has no options, a line that
 * holds nothing but `{options}` goes away.
 */
export function questionText(record: Pick<DataRecord, 'problem' | 'options'>, template: string): string {
  const options = record.options.join('\n');
  const shown = options === '' ? template.replace(/\n?^[ \t]*\{options\}[ \t]*$/gm, '') : template;
  return shown.replace(/\{(problem|options)\}/g, (_, name) =>
    name === 'problem' ? record.problem : options,
  );
}

/** The question as a chat. */
export function questionMessages(record: LoadedRecord, template: string): ChatMessage[] {
  return pictureAndText(record.picture, questionText(record, template));
}

/** A user's turn: the picture, if there is one, then the text. */
export function pictureAndText(picture: string | null, text: string): ChatMessage[] {
  if (picture === null) return [{ role: 'user', content: text }];
  return [
    {
      role: 'user',
      content: [
        { type: 'image', image: picture },
        { type: 'text', text },
      ],
    },
  ];
}

/** The record's picture, or none. Throws InputError naming the record and the picture's file. */
export async function recordPictures(
  record: Pick<LoadedRecord, 'picture' | 'roots' | 'source'>,
): Promise<Picture[]> {
  if (record.picture === null) return [];
  try {
    return [await readPicture(record.picture, record.roots)];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${record.source}: path: ${error.message}`, { cause: error });
  }
}

/** The prompt of a record: its picture read, its chat rendered. Throws InputError naming the record. */
export async function recordPrompt(chat: Chat, record: LoadedRecord, template: string): Promise<Prompt> {
  const pictures = await recordPictures(record);
  const prompt = chatPrompt(chat, questionMessages(record, template), pictures, record.source);
  return { ...prompt, source: record.source };
}

/**
 * The response to learn, as segments: the record's `segments`, its `response`, or `<think>process</think>
 * <answer>solution</answer>` (without white space between: a word-level tokenizer splits tags off by itself).
 * Throws InputError if the record has none of them.
 */
export function responseSegments(record: DataRecord, source: string): Segment[] {
  if (record.segments !== undefined) return record.segments;
  if (record.response !== undefined) return [{ text: record.response, train: true }];
  const process = record.process.trim().replace(/^<think>([\s\S]*)<\/think>$/, '$1');
  if (process === '')
    throw new InputError(
      `${source}: nothing to learn from; give the record a process, a response or segments`,
    );
  const answer = solutionAnswer(record.solution).trim();
  return [{ text: `<think>${process}</think><answer>${answer}</answer>`, train: true }];
}

/**
 * Segments as tokens and weights, ended by the end-of-turn token (which counts unless the last segment does not).
 * Each segment is tokenised on its own, so cut where tokens may be cut: at white space or tags.
 */
export function completionOf(tokenizer: Tokenizer, segments: readonly Segment[]): Completion {
  const tokens: number[] = [];
  const weights: number[] = [];
  const add = (ids: readonly number[], train: boolean) => {
    for (const id of ids) {
      tokens.push(id);
      weights.push(train ? 1 : 0);
    }
  };
  for (const { text, train } of segments) add(tokenizer.encode(text), train);
  const ended = tokens.at(-1) === tokenizer.endOfTurn.id;
  if (!ended) add([tokenizer.endOfTurn.id], segments.at(-1)?.train ?? true);
  return { tokens, weights };
}

/** The completion supervised training learns from a record. Throws InputError. */
export function recordCompletion(tokenizer: Tokenizer, record: LoadedRecord): Completion {
  return completionOf(tokenizer, responseSegments(record, record.source));
}
