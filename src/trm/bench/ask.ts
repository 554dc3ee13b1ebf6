/** Asking a judge about many responses; what it could not score is counted, by reason, and never made up. */
import type { Judge, JudgedResponse, JudgeScore } from '../judge.ts';

export interface Coverage {
  asked: number;
  scored: number;
  /** scored / asked; null where nothing was asked. */
  coverage: number | null;
  /** How many failed for which reason, most frequent first. */
  failures: Record<string, number>;
}

/** Responses handed over at once. */
const CHUNK = 256;

/** One score a response, in order. */
export async function ask(
  judge: Judge,
  responses: readonly JudgedResponse[],
  progress: (done: number) => void,
): Promise<JudgeScore[]> {
  const scores: JudgeScore[] = [];
  while (scores.length < responses.length) {
    const chunk = responses.slice(scores.length, scores.length + CHUNK);
    scores.push(...(await judge.score(chunk.map(({ record, response }) => ({ record, response })))));
    progress(scores.length);
  }
  return scores.map(({ score, failure }) => ({ score: score === null ? null : rounded(score), failure }));
}

/** The last digits of a computed score depend on what else was in its batch: they must not put responses in order. */
const rounded = (score: number) => Math.round(score * 1e4) / 1e4;

export function coverageOf(scores: readonly JudgeScore[]): Coverage {
  const counts = new Map<string, number>();
  for (const { failure } of scores)
    if (failure !== null) counts.set(reason(failure), (counts.get(reason(failure)) ?? 0) + 1);
  const scored = scores.filter(({ score }) => score !== null).length;
  return {
    asked: scores.length,
    scored,
    coverage: scores.length === 0 ? null : scored / scores.length,
    failures: Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))),
  };
}

/** A failure without what differs from response to response: what the judge said, measured numbers. */
const reason = (failure: string) => failure.replace(/"(?:[^"\\]|\\.)*"/g, '"…"').replace(/\d+\.\d+/g, '…');
