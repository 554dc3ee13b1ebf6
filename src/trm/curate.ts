/**
 * The TRM's data, third stage: rows that rules let through, evenly over the scores (paper, section 3.2). Of an interval
 * that has too many, those stay whose seeded hash is lowest: a pure function of row and seed, so that the same rows in
 * another order give the same choice. Files are read twice; only hashes are held.
 */
import { writeFileWhole } from '../data/atomic.ts';
import { countRows, jsonLine, readJsonl } from '../data/jsonl.ts';
import { NOT_LOOKED_AT } from '../data/pictures/access.ts';
import { InputError, RunError } from '../errors.ts';
import {
  checkRules,
  curationRules,
  RULE_DEFAULTS,
  RULE_NAMES,
  type RuleName,
  type RuleSettings,
} from './curation-rules.ts';
import { INTERVALS, intervalOf, type Quota, waterFill } from './intervals.ts';
import { digest } from './question.ts';
import { type Annotated, annotatedSchema, parseRow, type Row, rowOf } from './rows.ts';

export interface CurationSettings extends RuleSettings, Quota {
  seed: number;
}

/** The paper's numbers, and rules as curation-rules.ts has them. */
export const CURATION_DEFAULTS: CurationSettings = {
  ...RULE_DEFAULTS,
  floor: 5000,
  cap: 15_000,
  total: 156_703,
  seed: 0,
};

export interface CurationCounts {
  read: number;
  /** By the first rule that rejects a row. */
  rejected: Record<RuleName, number>;
  intervals: { from: number; to: number; available: number; kept: number }[];
  /** Intervals that have fewer rows than the floor, by their place. */
  below_floor: number[];
  kept: number;
}

/** What is known after a first look at all rows. */
interface Choice {
  /** Places of the rows that stay. */
  chosen: Set<number>;
  counts: CurationCounts;
}

interface Candidate {
  hash: string;
  /** Where the row stands among all. */
  place: number;
}

/**
 * Throws InputError for settings that contradict each other, and for rules there are not. `named` says how a setting is
 * written where it comes from: as a flag, or as a recipe's key.
 */
export function checkCuration(
  { floor, cap, total, without }: Quota & Pick<RuleSettings, 'without'>,
  named: (key: 'floor' | 'cap' | 'total' | 'without') => string,
): void {
  if (floor > cap) throw new InputError(`${named('floor')} ${floor}: is above ${named('cap')} ${cap}`);
  if (INTERVALS * floor > total)
    throw new InputError(
      `${named('floor')} ${floor}: ${INTERVALS} intervals of it are more than ${named('total')} ${total}; lower it to ${Math.floor(total / INTERVALS)}`,
    );
  checkRules(without, named('without'));
}

/**
 * Files into one, in order, whole or not at all; the settings are such as `checkCuration` lets through. Throws InputError
 * naming file and line.
 */
export async function curate(
  files: readonly string[],
  out: string,
  settings: CurationSettings,
  progress: (looked: number, total: number) => void = () => {},
): Promise<CurationCounts> {
  const look = chooser(settings);
  let total = 0;
  for (const file of files) total += await countRows(file);
  let read = 0;
  progress(0, 2 * total);
  for await (const row of rowsOf(files)) {
    look.see(row);
    if (++read % 1000 === 0) progress(read, 2 * total);
  }
  const { chosen, counts } = look.choose();

  async function* lines(): AsyncGenerator<string> {
    let place = 0;
    let text = '';
    for await (const row of rowsOf(files)) {
      if (chosen.has(place++)) text += jsonLine(rowOf(row, out));
      if (place % 1000 === 0) progress(read + place, 2 * total);
      if (text.length < CHUNK) continue;
      yield text;
      text = '';
    }
    yield text;
    if (place !== read) throw new RunError(`${files.join(', ')}: changed while being read; run it again`);
  }
  await writeFileWhole(out, lines());
  return counts;
}

/** Characters written at once. */
const CHUNK = 1 << 20;

async function* rowsOf(files: readonly string[]): AsyncGenerator<Row<Annotated>> {
  for (const file of files)
    for await (const { value, source } of readJsonl(file))
      yield parseRow(annotatedSchema, value, source, file, NOT_LOOKED_AT);
}

function chooser(settings: CurationSettings): { see: (row: Row<Annotated>) => void; choose: () => Choice } {
  const { cap, seed } = settings;
  const firstRejecting = curationRules(settings);
  const lowest = Array.from({ length: INTERVALS }, () => lowestHashes(cap));
  let read = 0;
  const rejected = Object.fromEntries(RULE_NAMES.map((name) => [name, 0])) as CurationCounts['rejected'];

  const see = (row: Row<Annotated>) => {
    const place = read++;
    const rule = firstRejecting(row);
    if (rule !== null) rejected[rule]++;
    else lowest[intervalOf(row.facts.score!)].add({ hash: rowHash(row, seed), place });
  };
  const choose = (): Choice => {
    const available = lowest.map(({ seen }) => seen());
    const quotas = waterFill(available, settings);
    const chosen = new Set(lowest.flatMap((list, i) => list.take(quotas[i])));
    const intervals = quotas.map((kept, i) => ({
      from: i / INTERVALS,
      to: (i + 1) / INTERVALS,
      available: available[i],
      kept,
    }));
    const below_floor = available.flatMap((n, i) => (n < settings.floor ? [i] : []));
    return { chosen, counts: { read, rejected, intervals, below_floor, kept: chosen.size } };
  };
  return { see, choose };
}

/** Says nothing of folders, so that data that was moved gives the same choice. */
function rowHash({ record, facts }: Row<Annotated>, seed: number): string {
  const { problem_id, problem, options } = record;
  return digest(JSON.stringify([seed, problem_id, problem, options]), facts.response);
}

/** Holds the places of the `most` lowest hashes it is given, and up to as many again until it sorts. */
function lowestHashes(most: number) {
  let held: Candidate[] = [];
  let count = 0;
  const sort = () => {
    held.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : a.place - b.place));
    held = held.slice(0, most);
  };
  return {
    seen: () => count,
    add(candidate: Candidate) {
      count++;
      held.push(candidate);
      if (held.length >= 2 * most) sort();
    },
    take(n: number): number[] {
      sort();
      return held.slice(0, n).map(({ place }) => place);
    },
  };
}
