/** `sophia trm collect`'s work: responses of a source into a file, each once, with counts; goes on where it was stopped. */
import { rm } from 'node:fs/promises';
import { NOT_LOOKED_AT } from '../data/pictures/access.ts';
import type { Records } from '../data/records/reader.ts';
import { type Done, writeResumable } from '../data/resumable-jsonl.ts';
import { RunError } from '../errors.ts';
import { collectResponses, type ResponseSource } from './collect.ts';
import { countFailure } from './failure-counts.ts';
import type { Policy } from './policy.ts';
import { firstTimes } from './question.ts';
import { collectedSchema, parseRow, rowOf } from './rows.ts';

/** What went in and what came out. */
export interface CollectCounts {
  /** Responses that were there, or asked for. */
  read: number;
  /** Calls to a policy that gave none, by reason. */
  failed: Record<string, number>;
  /** The same response to the same question as one before. */
  duplicates: number;
  /** Rows written, and of these: cut off by the token limit, otherwise not of the format, with the right answer. */
  rows: number;
  truncated: number;
  broken_format: number;
  right: number;
}

export interface StageOptions {
  /** What the rows depend on. */
  settings: Record<string, unknown>;
  force: boolean;
  /** Inputs done, and in all. */
  progress?: (done: number, total: number) => void;
}

/** A policy's responses to the first `limit` records. */
export function policyResponses(records: Records, policy: Policy, limit = records.length): ResponseSource {
  const inputs = Math.min(limit, records.length);
  return { inputs, batches: (from) => collectResponses(records, from, inputs, { policy }) };
}

/** Writes `out`. Throws InputError as writeResumable does, RunError where there is nothing to write. */
export async function collectFile(
  source: ResponseSource,
  out: string,
  { settings, force, progress }: StageOptions,
): Promise<Done<CollectCounts>> {
  const counts: CollectCounts = {
    read: 0,
    failed: {},
    duplicates: 0,
    rows: 0,
    truncated: 0,
    broken_format: 0,
    right: 0,
  };
  const done = await writeResumable(out, { settings, counts, force }, async (part) => {
    const isNew = firstTimes();
    for await (const { value, source: at } of part.rows()) {
      const { record, facts } = parseRow(collectedSchema, value, at, out, NOT_LOOKED_AT);
      isNew(record, facts.response);
    }
    let { inputs } = part;
    progress?.(inputs, source.inputs);
    const now = structuredClone(part.counts);
    for await (const batch of source.batches(inputs)) {
      if (batch.rows.length === 0 && batch.failures.length > 0)
        throw new RunError(
          inputs === 0
            ? `${out}: not written: the policy gives no answer (${batch.failures[0]})`
            : `${out}: the policy answers no more (${batch.failures[0]}); the same command goes on from here`,
        );
      const rows = batch.rows.filter(({ record, facts }) => isNew(record, facts.response));
      now.read += batch.rows.length + batch.failures.length;
      now.duplicates += batch.rows.length - rows.length;
      now.rows += rows.length;
      for (const failure of batch.failures) countFailure(now.failed, failure);
      for (const { facts } of rows) {
        if (facts.finish === 'length') now.truncated++;
        else if (!facts.format_ok) now.broken_format++;
        if (facts.right) now.right++;
      }
      inputs += batch.inputs;
      await part.append(
        rows.map((row) => rowOf(row, out)),
        inputs,
        structuredClone(now),
      );
      progress?.(inputs, source.inputs);
    }
  });
  if (done.counts.rows > 0) return done;
  await rm(out, { force: true });
  throw new RunError(`${out}: not written: there is not one response`);
}
