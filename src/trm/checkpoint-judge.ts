/**
 * A Thinking Reward Model on an engine as a judge. Its score is what it writes, or the expected value over the eleven
 * scores,
 *
 *     score = Σ p(s)·s / Σ p(s),   s in {0.0, 0.1, …, 1.0},
 *
 * read from forward passes (one where every score is a single token): finer than the most likely score, and without
 * sampling noise. The sum runs over these eleven scores alone.
 */
import type { Chat } from '../data/chat/chat.ts';
import { recordPictures } from '../data/chat/prompting.ts';
import { abortReason } from '../data/limited.ts';
import type { Engine, Picture, Prompt, Sequence } from '../engine/types.ts';
import { InputError } from '../errors.ts';
import { failed, type Judge, type JudgedQuestion, type JudgedResponse, type JudgeScore } from './judge.ts';
import type { JudgeConfig } from './judge-config.ts';
import { parseScore } from './parse-score.ts';
import { judgePrompt, SCORES } from './prompt.ts';

export interface CheckpointJudgeOptions {
  /** Disposed of with the judge. */
  engine: Engine;
  chat: Chat;
  /** How it is asked; `steps` is the caller's business. */
  config: JudgeConfig;
  /** Longest reply where it writes, tokens; by default as `replyTokens` says. */
  maxTokens?: number | null;
}

/** Longest reply of a judge, tokens. */
export function replyTokens(thinks: boolean): number {
  return thinks ? 4096 : 16;
}

/** Responses scored at once: their pictures are in memory together. */
const CHUNK = 256;

/** Throws InputError where expected scores are asked for and two scores are the same tokens in the vocabulary. */
export function checkpointJudge(options: CheckpointJudgeOptions): Judge {
  const { engine, chat, config } = options;
  const expected = config.reads === 'expected';
  const tokens = expected ? scoreTokens(chat) : [];
  const scoresOf = (prompts: Prompt[]) =>
    expected ? expectedScores(engine, prompts, tokens) : writtenScores(prompts, options);

  const scoreChunk = async (responses: JudgedResponse[]): Promise<JudgeScore[]> => {
    const read = readOnce();
    const prompts = await Promise.all(
      responses.map(({ record, response }) => judgePrompt(chat, config, record, response, read)),
    );
    const scores = await eachOrWhy(
      prompts.flatMap((p) => ('prompt' in p ? [p.prompt] : [])),
      scoresOf,
    );
    let next = 0;
    return prompts.map((p) => ('failure' in p ? failed(p.failure) : scores[next++]));
  };

  return {
    name: 'checkpoint',
    takes: 'together',
    async score(responses, deadline) {
      const scores: JudgeScore[] = [];
      while (scores.length < responses.length) {
        const chunk = responses.slice(scores.length, scores.length + CHUNK);
        const late = deadline?.aborted;
        scores.push(...(late ? chunk.map(() => failed(abortReason(deadline))) : await scoreChunk(chunk)));
      }
      return scores;
    },
    dispose: () => engine.dispose(),
  };
}

/** Scores of prompts at once; one that the engine refuses (too long for its context) fails and the others do not. */
async function eachOrWhy(
  prompts: Prompt[],
  scoresOf: (prompts: Prompt[]) => Promise<JudgeScore[]>,
): Promise<JudgeScore[]> {
  try {
    return await scoresOf(prompts);
  } catch (error) {
    const refused = (prompt: Prompt) => (error as Error).message.startsWith(`${prompt.source}: `);
    if (!(error instanceof InputError) || !prompts.some(refused)) throw error;
    if (prompts.length === 1) return [failed(error.message)];
    const half = Math.ceil(prompts.length / 2);
    return [
      ...(await eachOrWhy(prompts.slice(0, half), scoresOf)),
      ...(await eachOrWhy(prompts.slice(half), scoresOf)),
    ];
  }
}

async function expectedScores(
  engine: Engine,
  prompts: Prompt[],
  tokens: readonly number[][],
): Promise<JudgeScore[]> {
  return (await scoreLogprobs(engine, prompts, tokens)).map(expectedScore);
}

/** Greedy. */
async function writtenScores(
  prompts: Prompt[],
  { engine, chat, config: { thinks }, ...options }: CheckpointJudgeOptions,
): Promise<JudgeScore[]> {
  if (prompts.length === 0) return [];
  const maxTokens = options.maxTokens ?? replyTokens(thinks);
  const { stop } = chat.tokenizer;
  const replies = await engine.sample(prompts, { samples: 1, maxTokens, temperature: 0, seed: 0, stop });
  return replies.map(([{ tokens, finish }]) => {
    if (finish === 'length') return failed(`the judge did not end within ${maxTokens} tokens`);
    return parseScore(chat.tokenizer.decode(tokens.slice(0, -1)), { thinks });
  });
}

/** Scores whose tokens are alike but for the last: one pass reads them all. */
interface Ending {
  /** The tokens before the last. */
  prefix: number[];
  /** Last token of each score, and which score it is. */
  last: number[];
  scores: number[];
}

function scoreEndings(tokens: readonly number[][]): Ending[] {
  const endings = new Map<string, Ending>();
  tokens.forEach((list, score) => {
    const prefix = list.slice(0, -1);
    const key = prefix.join(' ');
    const ending = endings.get(key) ?? { prefix, last: [], scores: [] };
    ending.last.push(list[list.length - 1]);
    ending.scores.push(score);
    endings.set(key, ending);
  });
  return [...endings.values()];
}

/** log p of each of the eleven scores, given as token lists, after each prompt: [prompt][score]. */
export async function scoreLogprobs(
  engine: Engine,
  prompts: Prompt[],
  tokens: readonly number[][],
): Promise<number[][]> {
  const result = prompts.map(() => SCORES.map(() => Number.NEGATIVE_INFINITY));
  if (prompts.length === 0) return result;
  for (const { prefix, last, scores } of scoreEndings(tokens)) {
    const sequences: Sequence[] = prompts.map((prompt) => ({ prompt, completion: [...prefix, last[0]] }));
    const read = await engine.logprobs(sequences, { candidates: last });
    read.forEach(({ logprobs, candidates }, i) => {
      const before = logprobs.slice(0, -1).reduce((sum, lp) => sum + lp, 0);
      scores.forEach((score, k) => {
        result[i][score] = before + candidates![k];
      });
    });
  }
  return result;
}

/** Reads a record's pictures once, however many responses to it are judged. */
function readOnce(): (record: JudgedQuestion) => Promise<Picture[]> {
  const known = new Map<string, Promise<Picture[]>>();
  return (record) => {
    if (record.picture === null) return Promise.resolve([]);
    const pictures = known.get(record.picture) ?? recordPictures(record);
    known.set(record.picture, pictures);
    return pictures;
  };
}

/** Below this probability of any score at all, a model is not judging, and its expected score would mean nothing. */
const MIN_MASS = 0.5;

/** Expected value of the scores under their log-probabilities; a failure where the model hardly gives any score. */
export function expectedScore(logprobs: readonly number[]): JudgeScore {
  const top = Math.max(...logprobs);
  const mass = logprobs.map((lp) => Math.exp(lp - top));
  const total = mass.reduce((a, b) => a + b, 0);
  const score = mass.reduce((sum, p, i) => sum + p * Number(SCORES[i]), 0) / total;
  if (!Number.isFinite(score)) return failed('the model gave no finite probabilities');
  const given = total * Math.exp(top);
  return given < MIN_MASS
    ? failed(`the model gave only ${(100 * given).toFixed(1)} % to the scores; it was not taught to judge`)
    : { score, failure: null };
}

/** The tokens of each score. Throws InputError where the vocabulary cannot tell them apart. */
export function scoreTokens(chat: Chat): number[][] {
  const tokens = SCORES.map((score) => chat.tokenizer.encode(score));
  if (new Set(tokens.map((list) => list.join(' '))).size < SCORES.length) {
    throw new InputError(
      `judge: this model's vocabulary cannot tell the scores ${SCORES[0]} to ${SCORES[10]} apart; it was not made to judge`,
    );
  }
  return tokens;
}
