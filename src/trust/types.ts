/**
 * The vocabulary of Trust-GRPO (SophiaVL-R1, arXiv 2505.17018). A group is the G responses
 * sampled for one question; arrays are indexed by response.
 */

/** Outcome reward Ro of each response: is the answer right? 0…1. */
export type Outcomes = readonly number[];

/** Thinking reward Rt of each response, 0…1; null where the judge gave none. */
export type Thinking = readonly (number | null)[];

/** The side of a response: right (Ro ≥ 0.5) or wrong. The rule divides groups and nothing else. */
export type Side = 'right' | 'wrong';

/** The side rule of the paper: μc is over Ro ≥ 0.5, μw over the rest. */
export function side(outcome: number): Side {
  return outcome >= 0.5 ? 'right' : 'wrong';
}

/** The side all responses are on, or null. A tied group's rewards differ through Rt alone, and its γ is 1. */
export function tiedSide(outcome: Outcomes): Side | null {
  const first = side(outcome[0]);
  return outcome.every((value) => side(value) === first) ? first : null;
}
