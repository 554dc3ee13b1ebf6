/**
 * Judges: what gives a response its thinking reward. A judge that cannot say answers null with the reason; that costs
 * coverage and is never a number.
 */
import type { ScoredStep } from '../data/records/record.ts';

/** What a judge is told of a question: a record, or less. The solution is not among it. */
export interface JudgedQuestion {
  problem: string;
  options: string[];
  /** Address of the picture, absolute; null for text. */
  picture: string | null;
  /** Folders of which one must hold the picture's file; left out: anywhere. */
  roots?: readonly string[];
  /** The beginning of every message about it: `FILE:LINE`. */
  source: string;
  /** What a world's oracle needs. */
  world?: unknown;
}

export interface JudgedResponse {
  record: JudgedQuestion;
  /** The whole response as text. */
  response: string;
}

/** Exactly one of score and failure is null. */
export interface JudgeScore {
  /** Soundness of the thinking, 0…1. */
  score: number | null;
  failure: string | null;
  /** Of a judge that scored the response by its steps. */
  steps?: ScoredStep[];
}

export interface Judge {
  name: string;
  /**
   * `singly`: a score depends on its response alone, so responses may be handed over one by one as they are completed,
   * while others are still being written. `together`: scores are computed in batches, whose rounding depends on what is
   * in them, so all that belongs together is handed over at once.
   */
  takes: 'singly' | 'together';
  /**
   * One score a response, in order. Those that have none when `deadline` is aborted fail, saying why it was.
   * Throws InputError for records that this judge can never judge.
   */
  score(responses: JudgedResponse[], deadline?: AbortSignal): Promise<JudgeScore[]>;
  dispose(): Promise<void>;
}

export const failed = (failure: string): JudgeScore => ({ score: null, failure });
