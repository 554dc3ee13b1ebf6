/** Asks a model every question of a record file and judges the answers: by exact match, and by the oracle where there is one. */
import { join } from 'node:path';
import type { Chat } from '../data/chat/chat.ts';
import { recordPrompt } from '../data/chat/prompting.ts';
import { writeJsonl } from '../data/jsonl.ts';
import type { LoadedRecord, Records } from '../data/records/reader.ts';
import { evalFolder, writeScores } from '../data/run-files.ts';
import type { Scores } from '../data/run-folder.ts';
import type { Engine } from '../engine/types.ts';
import { comparableAnswer, outcomeReward } from '../rewards/outcome.ts';
import { oracleVerdict } from '../trm/oracle-judge.ts';
import { type Prediction, scoresOf } from './measures.ts';

export interface PredictOptions {
  engine: Engine;
  chat: Chat;
  template: string;
  maxTokens: number;
  /** 0 is greedy. */
  temperature: number;
  seed: number;
  progress?: (done: number) => void;
  signal?: AbortSignal;
  /** Told of a question that cannot be asked, which is left out; without it, that is an error: scores are over all. */
  leaveOut?: (error: unknown) => void;
}

/** Questions asked of the engine at once. */
const CHUNK = 120;

export async function predict(records: Records, options: PredictOptions): Promise<Prediction[]> {
  const predictions: Prediction[] = [];
  for await (const asked of sampled(records, options, 1, CHUNK)) {
    for (const { record, responses } of asked) predictions.push(prediction(record, responses[0]));
    options.progress?.(predictions.length);
  }
  return predictions;
}

/** A response as text, and how it ended. */
export interface Said {
  response: string;
  finish: 'stop' | 'length';
}

/** Every question with its responses, in order, so many questions at a time. Draws depend on the question alone. */
export async function* sampled(
  records: Records,
  options: PredictOptions,
  samples: number,
  together: number,
): AsyncGenerator<{ record: LoadedRecord; responses: Said[] }[]> {
  const { engine, chat, template, maxTokens, temperature, seed } = options;
  const { stop } = chat.tokenizer;
  for (let from = 0; from < records.length; from += together) {
    options.signal?.throwIfAborted();
    const keys = Array.from({ length: Math.min(together, records.length - from) }, (_, i) => from + i);
    const tried = await Promise.allSettled(
      keys.map(async (key) => {
        const record = await records.get(key);
        return { key, record, prompt: await recordPrompt(chat, record, template) };
      }),
    );
    for (const one of tried) {
      if (one.status === 'fulfilled') continue;
      if (options.leaveOut === undefined) throw one.reason;
      options.leaveOut(one.reason);
    }
    const asked = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (asked.length === 0) continue;
    const drawn = await engine.sample(
      asked.map(({ prompt }) => prompt),
      { samples, maxTokens, temperature, seed, keys: asked.map(({ key }) => key), stop },
    );
    yield asked.map(({ record }, i) => ({
      record,
      responses: drawn[i].map(({ tokens, finish }) => ({
        response: chat.tokenizer.decode(finish === 'stop' ? tokens.slice(0, -1) : tokens),
        finish,
      })),
    }));
  }
}

/** A response, and what the rules say of it. */
export interface ReadResponse extends Said {
  format_ok: boolean;
  /** Exact match of the answer. */
  right: boolean;
  /** In the form in which answers are compared; null where the format is broken. */
  answer: string | null;
}

export function readResponse(
  { problem_type: problemType, solution }: LoadedRecord,
  { response, finish }: Said,
): ReadResponse {
  const { formatOk, exact, answer } = outcomeReward({ problemType, response, solution });
  const whole = finish === 'stop' && formatOk;
  return {
    response,
    finish,
    format_ok: whole,
    right: whole && exact,
    answer: whole ? comparableAnswer(problemType, answer!) : null,
  };
}

export function prediction(record: LoadedRecord, said: Said): Prediction {
  const { answer: _, ...read } = readResponse(record, said);
  const { problem_id, problem, problem_type, data_source, solution } = record;
  const verdict = oracleVerdict(record, read.format_ok ? read.response : '');
  return {
    problem_id,
    problem,
    problem_type,
    data_source,
    solution,
    ...read,
    oracle: verdict && {
      score: verdict.score,
      sound: verdict.sound,
      style: verdict.style,
      statements: verdict.statements,
    },
  };
}

/** Predicts and writes `eval/SPLIT/predictions.jsonl` and `scores.json` in a stage's folder. */
export async function evaluate(
  records: Records,
  stageDir: string,
  split: string,
  model: string,
  options: PredictOptions,
): Promise<Scores> {
  const predictions = await predict(records, options);
  await writeJsonl(join(evalFolder(stageDir, split), 'predictions.jsonl'), predictions);
  const scores = scoresOf(predictions, model, split, options.temperature);
  await writeScores(stageDir, scores);
  return scores;
}
