/**
 * Leaving out records before a run: by the length of the question, by domain, and by difficulty: what a policy always or
 * never solves gives no group an advantage, and rollouts of an earlier run, or of `sophia trm collect`, say which
 * questions these are.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import type { Chat } from '../chat/chat.ts';
import { questionText } from '../chat/prompting.ts';
import { readError, readJsonl } from '../jsonl.ts';
import { listRollouts, rolloutsFile } from '../run-files.ts';
import { parseWith } from '../validate.ts';
import { type DomainTable, domainOf, domains } from './domains.ts';
import { chosen } from './mix.ts';
import type { LoadedRecord, Records } from './reader.ts';
import { matches } from './shards.ts';

const share = z.number().min(0).max(1);
const name = z.string().min(1);

export const Filter = z.strictObject({
  /** Characters of the problem, at least. */
  min_prompt_chars: z.number().int().nonnegative().default(0),
  /** Tokens of the question's text in the policy's tokenizer, at most; null: any number. */
  max_prompt_tokens: z.number().int().positive().nullable().default(null),
  /** Keep these domains alone; null: all, and what has none. */
  domains: z.array(z.enum(domains)).min(1).nullable().default(null),
  difficulty: z
    .strictObject({
      /** A run or stage folder, or JSONL files of rollouts or collected responses; null: nothing is known. */
      rollouts: z
        .union([name, z.array(name).min(1)])
        .nullable()
        .default(null),
      /** A question is kept whose share of right responses is above `min` and below `max`, or not known. */
      min: share.default(0),
      max: share.default(1),
    })
    .prefault({}),
});
export type Filter = z.infer<typeof Filter>;

export interface Filtering {
  filter: Filter;
  /** Null where no model is there yet: lengths in tokens are not looked at. */
  chat: Chat | null;
  template: string;
  domains: DomainTable;
}

export interface Dropped {
  records: number;
  kept: number;
  /** How many each filter dropped, the first that did. */
  dropped: Record<string, number>;
  /** Questions whose difficulty is not known; null where nobody asked. */
  unknown: number | null;
}

/** Opens what a filter needs; the function it gives leaves out records of one source and counts in `total`. */
export async function openFilter({ filter, chat, template, domains: own }: Filtering): Promise<{
  total: Dropped;
  each: (records: Records) => Promise<Records>;
}> {
  const { min_prompt_chars: shortest, max_prompt_tokens: longest, domains: wanted, difficulty } = filter;
  const shares = difficulty.rollouts === null ? null : await sharesOfRight(difficulty.rollouts);
  const total: Dropped = { records: 0, kept: 0, dropped: {}, unknown: shares && 0 };
  const rules: Record<string, (record: LoadedRecord) => boolean> = {
    min_prompt_chars: ({ problem }) => problem.trim().length < shortest,
    domains: ({ data_source }) => {
      const domain = wanted && domainOf(data_source, own);
      return wanted !== null && (domain === null || !wanted.includes(domain));
    },
    difficulty: (record) => {
      if (shares === null) return false;
      const share = shares.get(keyOf(record));
      if (share === undefined) total.unknown! += 1;
      return share !== undefined && !(share > difficulty.min && share < difficulty.max);
    },
    max_prompt_tokens: (record) =>
      longest !== null &&
      chat !== null &&
      chat.tokenizer.encode(questionText(record, template)).length > longest,
  };
  const each = async (records: Records): Promise<Records> => {
    const kept = new Uint32Array(records.length);
    let n = 0;
    for (let i = 0; i < records.length; i++) {
      const record = await records.get(i);
      const rule = Object.keys(rules).find((key) => rules[key](record));
      if (rule === undefined) kept[n++] = i;
      else total.dropped[rule] = (total.dropped[rule] ?? 0) + 1;
    }
    total.records += records.length;
    total.kept += n;
    if (n === 0)
      throw new InputError(`data.filter: drops every record of ${records.source} (${said(total)})`);
    return n === records.length ? records : chosen(records, kept.slice(0, n));
  };
  return { total, each };
}

/** `12 of 40 records kept; dropped: 20 by difficulty, 8 by max_prompt_tokens`. */
export function filterLine(total: Dropped): string {
  const { records, kept, unknown } = total;
  const missing = unknown ? `; ${unknown} in no rollout, kept` : '';
  return `data.filter: ${kept} of ${records} records kept; dropped: ${said(total)}${missing}`;
}

function said({ dropped }: Dropped): string {
  const parts = Object.entries(dropped).map(([rule, n]) => `${n} by ${rule}`);
  return parts.length > 0 ? parts.join(', ') : 'none';
}

const Right = z.object({ right: z.boolean() });
const Rollouts = z.union(
  [
    z.object({
      problem_id: z.union([z.string(), z.number()]),
      problem: z.string(),
      responses: z.array(Right),
    }),
    z.object({ problem_id: z.union([z.string(), z.number()]), problem: z.string(), right: z.boolean() }),
  ],
  { error: 'is neither a rollout nor a collected response' },
);

/** The share of right responses to each question that was met. */
async function sharesOfRight(rollouts: string | string[]): Promise<Map<string, number>> {
  const counts = new Map<string, { right: number; all: number }>();
  for (const given of [rollouts].flat())
    for (const file of await rolloutFiles(given))
      for await (const { value, source } of readJsonl(file)) {
        const row = parseWith(Rollouts, value, source);
        const responses = 'responses' in row ? row.responses : [row];
        const key = keyOf(row);
        const count = counts.get(key) ?? { right: 0, all: 0 };
        for (const { right } of responses) {
          count.all += 1;
          if (right) count.right += 1;
        }
        counts.set(key, count);
      }
  return new Map(
    [...counts].filter(([, { all }]) => all > 0).map(([key, { right, all }]) => [key, right / all]),
  );
}

/** A question by number and text, since sources number theirs each for itself. */
function keyOf({ problem_id, problem }: { problem_id: string | number; problem: string }): string {
  return createHash('sha256')
    .update(`${JSON.stringify(problem_id)}\n${problem}`)
    .digest('base64url')
    .slice(0, 24);
}

async function rolloutFiles(given: string): Promise<string[]> {
  const source = `data.filter.difficulty.rollouts: ${given}`;
  const info = await stat(given).catch((error) => {
    const known = readError(error, given);
    throw known instanceof InputError
      ? new InputError(`data.filter.difficulty.rollouts: ${known.message}`)
      : known;
  });
  if (!info.isDirectory()) return [given];
  const stages = [given, ...(await foldersIn(given))];
  const seeds = (
    await Promise.all(
      stages
        .slice(1)
        .filter((dir) => matches('*seed-*', dir.slice(given.length + 1)))
        .map(foldersIn),
    )
  ).flat();
  const files: string[] = [];
  for (const stage of [...stages, ...seeds])
    if (existsSync(join(stage, 'rollouts')))
      for (const step of await listRollouts(stage)) files.push(rolloutsFile(stage, step));
  if (files.length === 0)
    throw new InputError(
      `${source}: holds no rollouts/NNNNNN.jsonl; name a run, a stage of one, or JSONL files`,
    );
  return files;
}

async function foldersIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(dir, entry.name))
    .sort();
}
