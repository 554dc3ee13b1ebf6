/** Asks a model every question of a record file and judges the answers: by exact match, and by the oracle where there is one. */
import { join } from 'node:path';
import type { Chat } from '../data/chat.ts';
import { writeJsonl } from '../data/jsonl.ts';
import { recordPrompt } from '../data/prompting.ts';
import type { LoadedRecord, Records } from '../data/reader.ts';
import { evalFolder, writeScores } from '../data/run-files.ts';
import type { Scores } from '../data/run-folder.ts';
import type { Engine, Sample } from '../engine/types.ts';
import { outcomeReward } from '../rewards/outcome.ts';
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
}

/** Questions asked of the engine at once. */
const CHUNK = 120;

export async function predict(records: Records, options: PredictOptions): Promise<Prediction[]> {
  const { engine, chat, template, maxTokens, temperature, seed } = options;
  const predictions: Prediction[] = [];
  for (let from = 0; from < records.length; from += CHUNK) {
    options.signal?.throwIfAborted();
    const keys = Array.from({ length: Math.min(CHUNK, records.length - from) }, (_, i) => from + i);
    const asked = await Promise.all(keys.map((i) => records.get(i)));
    const prompts = await Promise.all(asked.map((record) => recordPrompt(chat, record, template)));
    const { stop } = chat.tokenizer;
    const sampled = await engine.sample(prompts, { samples: 1, maxTokens, temperature, seed, keys, stop });
    asked.forEach((record, i) => {
      predictions.push(prediction(record, sampled[i][0], chat));
    });
    options.progress?.(predictions.length);
  }
  return predictions;
}

function prediction(record: LoadedRecord, { tokens, finish }: Sample, chat: Chat): Prediction {
  const response = chat.tokenizer.decode(finish === 'stop' ? tokens.slice(0, -1) : tokens);
  const { problem_id, problem, problem_type, data_source, solution } = record;
  const outcome = outcomeReward({ problemType: problem_type, response, solution });
  const whole = finish === 'stop' && outcome.formatOk;
  const verdict = oracleVerdict(record, whole ? response : '');
  return {
    problem_id,
    problem,
    problem_type,
    data_source,
    solution,
    response,
    finish,
    format_ok: whole,
    right: whole && outcome.exact,
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
