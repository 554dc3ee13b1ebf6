/**
 * What a Thinking Reward Model reads: the question's picture and a text with the question and the whole response.
 * `{problem}` and `{response}` are filled in and nothing else is touched; the judge never sees the solution.
 */
import { readFileSync } from 'node:fs';
import { type Chat, chatPrompt, picturePlaceholder } from '../data/chat/chat.ts';
import { pictureAndText, questionText, recordPictures } from '../data/chat/prompting.ts';
import type { Picture, Prompt } from '../engine/types.ts';
import { InputError } from '../errors.ts';
import type { JudgedQuestion } from './judge.ts';

/** For models of the world's vocabulary: the turn that is judged, then the token that asks for a score. */
export const WORLD_JUDGE_TEMPLATE = '{problem}<|im_start|>{response}<|im_end|><judge>';

/** For everybody else: prompts/thinking-rubric.txt, our wording of the five dimensions of the paper (section 3.2). */
export function thinkingRubric(): string {
  return readFileSync(new URL('../../prompts/thinking-rubric.txt', import.meta.url), 'utf8').trimEnd();
}

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

/** What is filled in where: the judge's prompt with {problem} and {response}, the question with {problem} and {options}. */
export interface JudgeTemplates {
  template: string;
  question_template: string;
}

/** The text of a judge's prompt. */
export function judgeText(templates: JudgeTemplates, record: JudgedQuestion, response: string): string {
  const problem = questionText(record, templates.question_template);
  const parts: Record<string, string> = { problem, response };
  return templates.template.replace(/\{(problem|response)\}/g, (_, name: string) => parts[name]);
}

/** Whether a model can be shown a response: a picture placeholder in it would ask for a picture that is not there. */
export function canBeJudged(response: string): boolean {
  return !response.includes(picturePlaceholder);
}

/** The prompt of a judge on an engine, or why there can be none. */
export async function judgePrompt(
  chat: Chat,
  templates: JudgeTemplates,
  record: JudgedQuestion,
  response: string,
  read: (record: JudgedQuestion) => Promise<Picture[]> = recordPictures,
): Promise<{ prompt: Prompt } | { failure: string }> {
  if (!canBeJudged(response)) return { failure: 'the response holds a picture placeholder' };
  const text = judgeText(templates, record, response);
  if (!canBeJudged(text)) return { failure: 'the question holds a picture placeholder' };
  const pictures = await read(record).catch((error) => {
    if (error instanceof InputError) return error.message;
    throw error;
  });
  if (typeof pictures === 'string') return { failure: pictures };
  const prompt = chatPrompt(chat, pictureAndText(record.picture, text), pictures, record.source);
  return { prompt: { ...prompt, source: `${record.source}: a judge's prompt` } };
}
