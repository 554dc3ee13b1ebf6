/** judge.json: what stands beside a TRM's weights, so that it is asked as it was trained to be. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Chat } from '../data/chat/chat.ts';
import { decodeUtf8, parseJson, readError } from '../data/jsonl.ts';
import { parseWith } from '../data/validate.ts';
import { thinkingRubric, WORLD_JUDGE_TEMPLATE } from './prompt.ts';
import { READS, Steps } from './settings.ts';

export const JUDGE_FILE = 'judge.json';

const JudgeConfig = z.strictObject({
  format: z.literal(1),
  /** The judge's prompt, with {problem} and {response}. */
  template: z.string(),
  /** How {problem} is written, with {problem} and {options}. */
  question_template: z.string(),
  reads: z.enum(READS),
  thinks: z.boolean(),
  /** Null: a response is scored as a whole. */
  steps: Steps.nullable(),
});
export type JudgeConfig = z.infer<typeof JudgeConfig>;

/** How a folder's model is to be asked. Throws InputError naming the file. */
export async function readJudgeConfig(dir: string, chat: Chat): Promise<JudgeConfig> {
  const file = join(dir, JUDGE_FILE);
  const bytes = await readFile(file).catch((error) => {
    if (error.code === 'ENOENT') return null;
    throw readError(error, file);
  });
  return bytes === null
    ? judgeConfigOf(chat)
    : parseWith(JudgeConfig, parseJson(decodeUtf8(bytes, file), file), file);
}

/** How a model of this vocabulary is asked where nobody says otherwise. */
export function judgeConfigOf(chat: Chat, questionTemplate?: string): JudgeConfig {
  const ofWorld = chat.tokenizer.find('<judge>') !== null;
  return {
    format: 1,
    template: ofWorld ? WORLD_JUDGE_TEMPLATE : thinkingRubric(),
    // a world's questions hold their options
    question_template: questionTemplate ?? (ofWorld ? '{problem}' : '{problem}\n{options}'),
    reads: ofWorld ? 'expected' : 'text',
    thinks: false,
    steps: null,
  };
}

export function judgeConfigJson(config: JudgeConfig): string {
  return `${JSON.stringify(config, null, 2)}\n`;
}
