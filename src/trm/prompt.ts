/**
 * What a Thinking Reward Model reads: the question's picture and a text with the question and the whole response.
 * `{problem}` and `{response}` are filled in; the judge never sees the solution.
 */
import { type Chat, chatPrompt, picturePlaceholder } from '../data/chat.ts';
import { questionText, recordPictures } from '../data/prompting.ts';
import type { LoadedRecord } from '../data/reader.ts';
import type { Picture, Prompt } from '../engine/types.ts';
import { InputError } from '../errors.ts';

/** For models of the world's vocabulary: the turn that is judged, then the token that asks for a score. */
export const WORLD_JUDGE_TEMPLATE = '{problem}<|im_start|>{response}<|im_end|><judge>';

/** Throws InputError `KEY: …` for a template that leaves out what is to be judged. */
export function checkJudgeTemplate(template: string, key: string): void {
  for (const part of ['{problem}', '{response}'])
    if (!template.includes(part)) throw new InputError(`${key}: must hold {problem} and {response}`);
}

/** The scores a TRM emits: 0.0, 0.1, … 1.0 (paper, section 3.2). */
export const SCORES = Array.from({ length: 11 }, (_, tenths) => (tenths / 10).toFixed(1));

/** The score nearest to a number. */
export function nearestScore(score: number): string {
  return SCORES[Math.round(10 * score)];
}

/** Whether a judge can be shown a response: a picture placeholder in it would ask for a picture that is not there. */
export function canBeJudged(response: string): boolean {
  return !response.includes(picturePlaceholder);
}

/** A judge's prompt, or why there can be none. */
export async function judgePrompt(
  chat: Chat,
  template: string,
  questionTemplate: string,
  record: LoadedRecord,
  response: string,
  read: (record: LoadedRecord) => Promise<Picture[]> = recordPictures,
): Promise<{ prompt: Prompt } | { failure: string }> {
  if (!canBeJudged(response)) return { failure: 'the response holds a picture placeholder' };
  const parts: Record<string, string> = { problem: questionText(record, questionTemplate), response };
  const text = template.replace(/\{(problem|response)\}/g, (_, name: string) => parts[name]);
  const pictures = await read(record);
  const content =
    record.picture === null
      ? text
      : [
          { type: 'image' as const, image: record.picture },
          { type: 'text' as const, text },
        ];
  const prompt = chatPrompt(chat, [{ role: 'user', content }], pictures, record.source);
  return { prompt: { ...prompt, source: `${record.source}: a judge's prompt` } };
}
