/** Rows of the bench: of the seeing world with the oracle's scores, and of everybody's kind. */
import type { LoadedRecord } from '../../../src/data/records/reader.ts';
import { outcomeReward } from '../../../src/rewards/outcome.ts';
import type { BenchRow, BenchRows, Questions } from '../../../src/trm/bench/rows.ts';
import type { Judge, JudgedResponse, JudgeScore } from '../../../src/trm/judge.ts';
import { keyed } from '../../../src/worlds/random.ts';
import {
  madeUpListing,
  oracle,
  questionRecord,
  responseText,
  TRACE_STYLES,
  traceOf,
} from '../../../src/worlds/seeing/index.ts';

/** Question `index` with a response in every style and one that makes things up. */
export function worldQuestion(index: number): BenchRow[] {
  const made = questionRecord({ seed: 3, split: 'test-id', index });
  const world = made.world!;
  const record: LoadedRecord = { ...made, picture: null, source: `world.jsonl:${index + 1}` };
  const random = keyed('bench-data', index);
  const responses = TRACE_STYLES.map((style) => responseText(traceOf(world, style, random)));
  const invented = madeUpListing(world, responses[2], random);
  return [...responses, ...(invented === null ? [] : [invented])].map((response) => {
    const { score, right } = oracle(world, response);
    return { record, response, known: score, right };
  });
}

export const worldQuestions = (n: number): Questions =>
  Array.from({ length: n }, (_, index) => worldQuestion(index));

export const rowsOf = (questions: Questions): BenchRows => ({
  questions,
  read: questions.flat().length,
  left_out: { unknown: 0, broken_format: 0, limit: 0 },
});

/** A row of no world. */
export function textRow(response: string, record: Partial<LoadedRecord> = {}, known = 1): BenchRow {
  const whole: LoadedRecord = {
    problem_id: 1,
    problem: 'What is 12 + 30?',
    data_type: 'text',
    problem_type: 'numerical',
    options: [],
    process: '',
    solution: '<answer>42</answer>',
    path: null,
    data_source: 'school',
    picture: null,
    source: 'rows.jsonl:1',
    ...record,
  };
  const { problem_type: problemType, solution } = whole;
  return { record: whole, response, known, right: outcomeReward({ problemType, response, solution }).exact };
}

/** A judge that is a rule. */
export function ruleJudge(rule: (asked: JudgedResponse) => number | null): Judge {
  return {
    name: 'a rule',
    takes: 'singly',
    async score(responses) {
      return responses.map((asked): JudgeScore => {
        const score = rule(asked);
        return { score, failure: score === null ? 'no reply after 1.5 s' : null };
      });
    },
    async dispose() {},
  };
}
