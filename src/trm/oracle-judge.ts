/** The oracle of a synthetic world as a judge, and as what measures are taken with. */
import { InputError } from '../errors.ts';
import { type Judgement, oracle, parseWorld } from '../worlds/seeing/index.ts';
import type { Judge, JudgedQuestion } from './judge.ts';

/** Judges a response to a world's question; null where the record is of no world. */
export function oracleVerdict(
  record: Pick<JudgedQuestion, 'world' | 'source'>,
  response: string,
): Judgement | null {
  return record.world === undefined ? null : oracle(parseWorld(record, record.source), response);
}

export const oracleJudge: Judge = {
  name: 'oracle',
  takes: 'singly',
  async score(responses) {
    return responses.map(({ record, response }) => {
      const verdict = oracleVerdict(record, response);
      if (!verdict) {
        throw new InputError(
          `${record.source}: world: missing; the oracle judges only records that \`sophia world\` wrote, set another judge`,
        );
      }
      return { score: verdict.score, failure: null };
    });
  },
  async dispose() {},
};
