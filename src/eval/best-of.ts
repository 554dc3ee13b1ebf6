/**
 * Best of N: a model answers every question N times and a judge, or the majority, chooses one response; how VisualPRM
 * is used in the paper's tables (arXiv 2503.10291, section 4; self-consistency: arXiv 2203.11171).
 */
import type { LoadedRecord, Records } from '../data/records/reader.ts';
import type { BestOf } from '../data/run-folder.ts';
import { mean, share } from '../data/shares.ts';
import type { Judge, JudgeScore } from '../trm/judge.ts';
import type { Prediction } from './measures.ts';
import {
  type PredictOptions,
  prediction,
  type ReadResponse,
  readResponse,
  type Said,
  sampled,
} from './predict.ts';
import { type Choice, curve, majority, ranked } from './selection.ts';

export interface Choosing {
  /** Responses a question (N). */
  samples: number;
  /** Scores the well-formed ones; null: nobody does, the majority chooses. */
  judge: Judge | null;
  /** What the judge is called in the scores. */
  judgeName: string | null;
  choose: 'judge' | 'majority';
}

export type BestOfOptions = PredictOptions & Choosing;

/** One of the responses to a question. */
export interface Candidate extends ReadResponse, JudgeScore {}

/** The chosen response, and all there were. */
export interface BestPrediction extends Prediction {
  /** Place of the chosen one, 0-based. */
  chosen: number;
  candidates: Candidate[];
}

/** Responses asked of the engine at once. */
const CHUNK = 240;

/** With N = 1 it predicts what `predict` does. Throws what the judge throws. */
export async function predictBest(records: Records, options: BestOfOptions): Promise<BestPrediction[]> {
  const together = Math.max(1, Math.floor(CHUNK / options.samples));
  const predictions: BestPrediction[] = [];
  for await (const asked of sampled(records, options, options.samples, together)) {
    predictions.push(...(await bestAmong(asked, options)));
    options.progress?.(predictions.length);
  }
  return predictions;
}

/** The best of the responses that are there, at least one a question. Throws what the judge throws. */
export async function bestAmong(
  asked: readonly { record: LoadedRecord; responses: readonly Said[] }[],
  { judge, choose }: Choosing,
): Promise<BestPrediction[]> {
  const read = asked.map(({ record, responses }) => responses.map((one) => readResponse(record, one)));
  const scores = await scored(
    judge,
    asked.map(({ record }, i) => ({ record, responses: read[i] })),
  );
  return asked.map(({ record, responses }, i) => {
    const candidates = read[i].map((response, k) => ({ ...response, ...scores[i][k] }));
    const choices = candidates.map(choiceOf);
    const chosen = choose === 'majority' ? majority(choices) : ranked(choices)[0];
    return { ...prediction(record, responses[chosen]), chosen, candidates };
  });
}

function choiceOf({ answer, right, score }: Candidate): Choice {
  return { answer, right, score };
}

/** A score for each response. Broken formats are never shown to a judge. */
async function scored(
  judge: Judge | null,
  asked: readonly { record: LoadedRecord; responses: readonly ReadResponse[] }[],
): Promise<JudgeScore[][]> {
  const shown = asked.flatMap(({ record, responses }) =>
    responses.filter(({ format_ok }) => format_ok).map(({ response }) => ({ record, response })),
  );
  const scores = judge === null ? shown.map(() => NOT_ASKED) : await judge.score(shown);
  let next = 0;
  return asked.map(({ responses }) =>
    responses.map(({ format_ok }) => (format_ok ? scores[next++] : NOT_ASKED)),
  );
}

const NOT_ASKED: JudgeScore = { score: null, failure: null };

/** What choosing was worth: with 1, 2, 4 … N responses a question. */
export function bestOf(
  predictions: readonly BestPrediction[],
  { samples, judge, judgeName, choose }: Choosing,
): BestOf {
  const candidates = predictions.flatMap((p) => p.candidates);
  const shown = candidates.filter(({ format_ok }) => format_ok);
  const curves = predictions.map((p) => curve(p.candidates.map(choiceOf), judge !== null));
  return {
    samples,
    chosen_by: choose,
    judge: judgeName,
    coverage: judge === null || shown.length === 0 ? null : share(shown, ({ score }) => score !== null),
    curve: (curves[0] ?? []).map(({ n }, i) => ({
      n,
      pass: mean(curves.map((points) => points[i].pass)),
      judge: judge === null ? null : mean(curves.map((points) => points[i].judge!)),
      majority: mean(curves.map((points) => points[i].majority)),
    })),
  };
}
