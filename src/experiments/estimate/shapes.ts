/** Batches as a recipe's stages hand them to the engine: real lessons, questions and judgements, a few of each. */
import { join } from 'node:path';
import type { Chat } from '../../data/chat/chat.ts';
import { recordCompletion, recordPrompt } from '../../data/chat/prompting.ts';
import { openRecords, type Records } from '../../data/records/reader.ts';
import type { Prompt, Sequence } from '../../engine/types.ts';
import { judgeConfigOf } from '../../trm/judge-config.ts';
import { judgePrompt } from '../../trm/prompt.ts';
import type { LessonKind, Recipe } from '../recipe.ts';
import { openTraining } from '../training-data.ts';
import { type WorldFiles, writeWorld } from '../world-files.ts';

/** Questions are asked in chunks of at most so many; more would only repeat themselves. */
const QUESTIONS = 120;
/** Of a user's records so many are looked at. */
const OWN_QUESTIONS = 16;
const PICTURES = 48;

export interface Shapes {
  /** A batch of each kind of lesson; null where there is no cold start. */
  lessons: Record<LessonKind, Sequence[]> | null;
  questions: Prompt[];
  /** Each question with a response to it: the reference as far as there is one, else as long as allowed. */
  responses: Sequence[];
  /** A judge's prompt for each of these, with the token it answers. */
  judged: Sequence[];
  /** Seconds it takes to make one: pictures are read and decoded, chats rendered. */
  questionSeconds: number;
  judgedSeconds: number;
}

/** Draws a small world of the recipe's kind into `dir`; says what a picture cost with all that belongs to it. */
export async function drawSome(
  recipe: Recipe,
  dir: string,
): Promise<{ files: WorldFiles; pictureSeconds: number }> {
  const { batch } = recipe.cold_start;
  const sizes = { ...batch, pictures: PICTURES, trm: 1, rl: QUESTIONS, test: 1 };
  let pictures = 1;
  const onProgress = (_done: number, total: number) => {
    pictures = total;
  };
  const started = performance.now();
  const files = await writeWorld({ dir: join(dir, 'data'), seed: 0, sizes, onProgress });
  return { files, pictureSeconds: (performance.now() - started) / 1000 / pictures };
}

/** `world`: the files of `drawSome`, or null where the recipe draws no world. */
export async function shapesOf(recipe: Recipe, chat: Chat, world: WorldFiles | null): Promise<Shapes> {
  const { template } = recipe.data;
  const questions = await some(await openTraining(recipe, world?.rl, chat), recipe.data.train !== null);
  const asking = performance.now();
  const asked = await Promise.all(questions.map((record) => recordPrompt(chat, record, template)));
  const questionSeconds = (performance.now() - asking) / 1000 / questions.length;

  const limit = recipe.rl.max_tokens;
  const filler = chat.tokenizer.endOfTurn.id;
  const responses = questions.map((record, i): Sequence => {
    const known = record.process !== '' || record.response !== undefined;
    const completion = known
      ? recordCompletion(chat.tokenizer, record).tokens.slice(0, limit)
      : Array<number>(limit).fill(filler);
    return { prompt: asked[i], completion };
  });
  const named = typeof recipe.judge === 'object' ? recipe.judge.template : recipe.trm.template;
  const usual = judgeConfigOf(chat, template);
  const templates = { ...usual, template: named ?? usual.template };
  const judging = performance.now();
  const judged = await Promise.all(
    questions.map((record, i) => {
      const response = chat.tokenizer.decode(responses[i].completion.slice(0, -1));
      return judgePrompt(chat, templates, record, response);
    }),
  );
  const judgedSeconds = (performance.now() - judging) / 1000 / questions.length;
  const judgeable = judged.flatMap((made) =>
    'prompt' in made ? [{ prompt: made.prompt, completion: [filler] }] : [],
  );
  return {
    lessons: recipe.model === null ? await lessonBatches(recipe, chat, world!) : null,
    questions: asked,
    responses,
    judged: judgeable.length > 0 ? judgeable : responses,
    questionSeconds,
    judgedSeconds,
  };
}

async function lessonBatches(
  recipe: Recipe,
  chat: Chat,
  world: WorldFiles,
): Promise<Record<LessonKind, Sequence[]>> {
  const { batch } = recipe.cold_start;
  const batchOf = async (kind: LessonKind): Promise<Sequence[]> => {
    const records = await some(await openRecords(world[kind]), false);
    return Promise.all(
      records.slice(0, batch[kind]).map(async (record) => ({
        prompt: await recordPrompt(chat, record, recipe.data.template),
        completion: recordCompletion(chat.tokenizer, record).tokens,
      })),
    );
  };
  return {
    captions: await batchOf('captions'),
    lookups: await batchOf('lookups'),
    listings: await batchOf('listings'),
    mixed: await batchOf('mixed'),
  };
}

/** All records of a small file; of a user's, a few, evenly spread. */
async function some(records: Records, own: boolean) {
  const count = own ? Math.min(OWN_QUESTIONS, records.length) : records.length;
  return Promise.all(
    Array.from({ length: count }, (_, i) => records.get(Math.floor((i * records.length) / count))),
  );
}
