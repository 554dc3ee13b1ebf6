/**
 * Judges: what gives a response its thinking reward. A judge that cannot say answers null with the reason; that costs
 * coverage and is never a number.
 */
import type { LoadedRecord } from '../data/reader.ts';

export interface JudgedResponse {
  record: LoadedRecord;
  /** The whole response as text. Its format has been checked: broken ones are not shown to a judge. */
  response: string;
}

/** Exactly one of the two is null. */
export interface JudgeScore {
  /** Soundness of the thinking, 0…1. */
  score: number | null;
  failure: string | null;
}

export interface Judge {
  name: string;
  /** One score a response, in order. */
  score(responses: JudgedResponse[]): Promise<JudgeScore[]>;
}
