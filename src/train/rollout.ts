/** One sampled response with all that is known of it, from the tokens to the advantage. */
import type { LoadedRecord } from '../data/reader.ts';
import type { Prompt, Sample } from '../engine/types.ts';
import type { OutcomeResult } from '../rewards/outcome.ts';
import type { JudgeScore } from '../trm/judge.ts';
import type { GroupResult } from '../trust/group.ts';
import type { Judgement } from '../worlds/seeing/index.ts';

export interface Response {
  sample: Sample;
  /** Without the token that ended it. */
  text: string;
  outcome: OutcomeResult;
  /** Rt and why there is none; both null where no judge is asked. */
  thinking: JudgeScore;
  oracle: Judgement | null;
}

/** A question, its G responses, and what trust makes of them. */
export interface Group {
  record: LoadedRecord;
  prompt: Prompt;
  responses: Response[];
  trust: GroupResult;
}
