/**
 * Whether a judge puts the better of two responses above: sound above flawed where both answers are right or both are
 * wrong, right above wrong. Ties count half.
 */
import { orderedPairs } from '../rank-statistics.ts';
import type { Scored } from './agreement.ts';
import { type Estimate, estimates, type Resampling } from './estimate.ts';
import { type Questions, SOUND } from './rows.ts';

/** The share of pairs in the right order. */
export interface Order extends Estimate {
  /** Pairs compared. */
  pairs: number;
}

/** Over pairs of all responses, and over those to the same question. */
export interface Orders {
  overall: Order;
  same_question: Order;
}

export interface Ranking {
  n: number;
  /** Known quality ≥ 0.5 above less, among right answers and among wrong ones. */
  sound_above_flawed: Orders;
  right_above_wrong: Orders;
  /** The same among sound responses and among flawed ones. */
  right_above_wrong_at_equal_soundness: Orders;
}

export interface Rankings {
  all: Ranking;
  /** By problem type and by domain (`data_source`). */
  by_type: Record<string, Ranking>;
  by_domain: Record<string, Ranking>;
}

export function rankings(questions: Questions<Scored>, resampling: Resampling): Rankings {
  const by = (part: (row: Scored) => string) => {
    const names = [...new Set(questions.flat().map(part))].sort();
    return Object.fromEntries(
      names.map((name) => {
        const some = questions.map((rows) => rows.filter((row) => part(row) === name));
        return [
          name,
          ranking(
            some.filter((rows) => rows.length > 0),
            resampling,
          ),
        ];
      }),
    );
  };
  return {
    all: ranking(questions, resampling),
    by_type: by(({ record }) => record.problem_type),
    by_domain: by(({ record }) => record.data_source || 'none named'),
  };
}

const isSound = (row: Scored) => row.known >= SOUND;
const isRight = (row: Scored) => row.right;
const alike = () => true;

function ranking(questions: Questions<Scored>, resampling: Resampling): Ranking {
  const orders = (positive: Side, stratum: Side): Orders => {
    const across = (sample: Questions<Scored>) => [...strata(sample.flat(), stratum)];
    const within = (sample: Questions<Scored>) => sample.flatMap((rows) => strata(rows, stratum));
    const share = (groups: (sample: Questions<Scored>) => Scored[][]) => (sample: Questions<Scored>) => {
      const { pairs, inOrder } = counted(groups(sample), positive);
      return pairs === 0 ? null : inOrder / pairs;
    };
    const found = estimates(questions, { overall: share(across), same_question: share(within) }, resampling);
    return {
      overall: { ...found.overall, pairs: counted(across(questions), positive).pairs },
      same_question: { ...found.same_question, pairs: counted(within(questions), positive).pairs },
    };
  };
  return {
    n: questions.flat().length,
    sound_above_flawed: orders(isSound, isRight),
    right_above_wrong: orders(isRight, alike),
    right_above_wrong_at_equal_soundness: orders(isRight, isSound),
  };
}

type Side = (row: Scored) => boolean;

/** Those on a side and the others. */
function strata(rows: readonly Scored[], side: Side): Scored[][] {
  return [rows.filter(side), rows.filter((row) => !side(row))];
}

function counted(groups: readonly Scored[][], positive: Side): { pairs: number; inOrder: number } {
  let [pairs, inOrder] = [0, 0];
  for (const rows of groups) {
    const of = orderedPairs(
      rows.map((row) => row.judged),
      rows.map(positive),
    );
    pairs += of.pairs;
    inOrder += of.inOrder;
  }
  return { pairs, inOrder };
}
