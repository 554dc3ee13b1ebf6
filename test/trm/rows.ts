/** Rows of the TRM's data for tests. */
import type { LoadedRecord } from '../../src/data/records/reader.ts';
import type { Annotated, Collected, Row } from '../../src/trm/rows.ts';
import { textRecord } from '../train/small-policy.ts';

export const wellFormed = (think: string, answer = '1') =>
  `<think> ${think} </think> <answer> ${answer} </answer>`;

export function collectedRow(
  id: number,
  facts: Partial<Collected> = {},
  record: Partial<LoadedRecord> = {},
): Row<Collected> {
  return {
    record: { ...textRecord(id, `what is number ${id} ?`), ...record },
    facts: {
      response: wellFormed(`it says ${id} so 1`),
      finish: 'stop',
      format_ok: true,
      outcome: 1,
      right: true,
      policy: 'p',
      ...facts,
    },
  };
}

export function annotatedRow(
  id: number,
  facts: Partial<Annotated> = {},
  record: Partial<LoadedRecord> = {},
): Row<Annotated> {
  const row = collectedRow(id, {}, record);
  return { ...row, facts: { ...row.facts, score: 0.5, failure: null, annotator: 'a', ...facts } };
}
