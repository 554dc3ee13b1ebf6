/**
 * The quickstart's batches: the start model of the recipe, a small world of its kind, and from them a batch of each
 * stage, made as the stages make theirs. `plain` is the same as lists of numbers, for peers/world_stages.py.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Chat, loadChat } from '../src/data/chat/chat.ts';
import { recordCompletion, recordPrompt } from '../src/data/chat/prompting.ts';
import { type LoadedRecord, openRecords, type Records } from '../src/data/records/reader.ts';
import type { Prompt } from '../src/engine/types.ts';
import type { LessonKind, Recipe } from '../src/experiments/recipe.ts';
import { writeStartModel } from '../src/experiments/start-model.ts';
import { writeWorld } from '../src/experiments/world-files.ts';
import { type Example, planOf } from '../src/train/sft.ts';
import { judgeConfigOf } from '../src/trm/judge-config.ts';
import { lessonRows, trmLessons } from '../src/trm/lessons.ts';
import { judgePrompt } from '../src/trm/prompt.ts';
import { SPECIAL } from '../src/worlds/seeing/index.ts';

/** Questions of the evaluation that is timed: one chunk. */
export const QUESTIONS = 120;
export const LESSONS = ['captions', 'lookups', 'listings', 'mixed'] as const;

export interface WorldBatches {
  recipe: Recipe;
  /** The start model's folder. */
  model: string;
  chat: Chat;
  /** Reads, renders and tokenises a training batch, as the stage does before each step. */
  lessons: Record<LessonKind | 'trm', () => Promise<Example[]>>;
  /** Share of each kind among the cold start's steps. */
  shares: Record<LessonKind, number>;
  /** Of an RL step. */
  asked: LoadedRecord[];
  /** A well-formed response as long as allowed, its end token not counted: what is judged in place of what was sampled. */
  response: string;
  evaluation: Records;
}

export async function worldBatches(recipe: Recipe, dir: string): Promise<WorldBatches> {
  const model = join(dir, 'start');
  await writeStartModel(model, recipe.architecture, 0);
  const chat = await loadChat(model);
  const { batch } = recipe.cold_start;
  const sizes = {
    ...batch,
    mixed: Math.max(batch.mixed, recipe.trm.batch),
    pictures: Math.max(batch.captions, batch.listings, recipe.trm.batch),
    trm: 1,
    rl: recipe.rl.prompts,
    test: QUESTIONS,
  };
  const files = await writeWorld({ dir: join(dir, 'data'), seed: 0, sizes });
  const records = async (file: string, count: number) => {
    const all = await openRecords(file);
    return Promise.all(Array.from({ length: count }, (_, i) => all.get(i)));
  };
  const { template } = recipe.data;
  const lesson = async (kind: LessonKind) => {
    const rows = await records(files[kind], batch[kind]);
    return () =>
      Promise.all(
        rows.map(async (record) => ({
          prompt: await recordPrompt(chat, record, template),
          ...recordCompletion(chat.tokenizer, record),
        })),
      );
  };
  const scored = (await records(files.mixed, recipe.trm.batch)).map((record, i) => ({
    record,
    response: record.response!,
    score: (i % 11) / 10,
  }));
  const judgements = trmLessons(lessonRows(scored), {
    order: 'balanced',
    chat,
    templates: judgeConfigOf(chat, template),
    batch: recipe.trm.batch,
    seed: 0,
  });
  return {
    recipe,
    model,
    chat,
    lessons: {
      captions: await lesson('captions'),
      lookups: await lesson('lookups'),
      listings: await lesson('listings'),
      mixed: await lesson('mixed'),
      trm: () => judgements(0),
    },
    shares: sharesOf(recipe),
    asked: await records(files.rl, recipe.rl.prompts),
    response: longestResponse(chat, recipe.rl.max_tokens),
    evaluation: await openRecords(files.testId),
  };
}

function sharesOf(recipe: Recipe): WorldBatches['shares'] {
  const plan = planOf(recipe.cold_start.phases);
  const share = (kind: LessonKind) => plan.filter((step) => step.kind === kind).length / plan.length;
  return {
    captions: share('captions'),
    lookups: share('lookups'),
    listings: share('listings'),
    mixed: share('mixed'),
  };
}

/** With its end token it has `maxTokens` tokens. */
function longestResponse(chat: Chat, maxTokens: number): string {
  const { think, thinkEnd, answer, answerEnd } = SPECIAL;
  const thinking = Array.from({ length: maxTokens - 6 }, (_, i) => ['a1', 'red', 'circle'][i % 3]);
  const text = [think, ...thinking, thinkEnd, answer, '2', answerEnd].join(' ');
  const { length } = chat.tokenizer.encode(text);
  if (length !== maxTokens - 1) throw new Error(`a response of ${length} tokens, not ${maxTokens - 1}`);
  return text;
}

/** A row as the peer takes it: the tokens after the picture, then the response with the weight of each token. */
interface PlainRow {
  picture: boolean;
  prompt: number[];
  response: number[];
  weights: number[];
}

/** Writes everything the peer needs to run the same model on the same batches. */
export async function writePlain(file: string, made: WorldBatches): Promise<void> {
  const { recipe, chat, lessons, asked, response, evaluation } = made;
  const { template } = recipe.data;
  const plainRows = async (make: () => Promise<Example[]>) => (await make()).map(plainRow);
  const question = async (record: LoadedRecord): Promise<PlainRow> =>
    plainRow({ prompt: await recordPrompt(chat, record, template), tokens: [], weights: [] });
  const judged = async (record: LoadedRecord): Promise<PlainRow> => {
    const prompt = await judgePrompt(chat, judgeConfigOf(chat, template), record, response);
    if ('failure' in prompt) throw new Error(prompt.failure);
    return judgedRow(chat, { prompt: prompt.prompt, tokens: chat.tokenizer.encode('0.0'), weights: [1] });
  };
  const plain = {
    architecture: recipe.architecture,
    vocabulary: chat.tokenizer.size,
    tokens: {
      image: chat.tokenizer.id(SPECIAL.image),
      vision_start: chat.tokenizer.id(SPECIAL.visionStart),
      vision_end: chat.tokenizer.id(SPECIAL.visionEnd),
      scores: Array.from({ length: 11 }, (_, tenths) => chat.tokenizer.id((tenths / 10).toFixed(1))),
    },
    optimizer: recipe.cold_start.optimizer,
    lessons: {
      captions: await plainRows(lessons.captions),
      lookups: await plainRows(lessons.lookups),
      listings: await plainRows(lessons.listings),
      mixed: await plainRows(lessons.mixed),
      trm: (await lessons.trm()).map((example) => judgedRow(chat, example)),
    },
    rl: {
      samples: recipe.rl.samples,
      max_tokens: recipe.rl.max_tokens,
      alpha: recipe.rl.alpha,
      asked: await Promise.all(asked.map(question)),
      judged: await Promise.all(asked.map(judged)),
    },
    evaluation: {
      max_tokens: recipe.eval.max_tokens,
      asked: await Promise.all(
        Array.from({ length: QUESTIONS }, async (_, i) => question(await evaluation.get(i))),
      ),
    },
  };
  await writeFile(file, `${JSON.stringify(plain)}\n`);
}

function plainRow({ prompt, tokens, weights }: Example): PlainRow {
  const { picture, text } = parts(prompt);
  return { picture, prompt: text, response: tokens, weights };
}

/** The prototype lays a judged response out as a response: what a judge is shown after the question counts as one. */
function judgedRow(chat: Chat, { prompt, tokens, weights }: Example): PlainRow {
  const { picture, text } = parts(prompt);
  const cut = text.indexOf(chat.tokenizer.id(SPECIAL.turn)) + 1;
  const shown = text.slice(cut);
  return {
    picture,
    prompt: text.slice(0, cut),
    response: [...shown, ...tokens],
    weights: [...shown.map(() => 0), ...weights],
  };
}

/** Text tokens without the marks around the picture. */
function parts({ chunks }: Prompt): { picture: boolean; text: number[] } {
  const picture = chunks.some((chunk) => 'image' in chunk);
  const last = chunks[chunks.length - 1];
  if (!('tokens' in last)) throw new Error('a prompt ends with text');
  return { picture, text: picture ? last.tokens.slice(1) : last.tokens };
}
