/** What a set of records is made of: kinds, domains and sources, lengths, sizes of pictures. */
import pMap from 'p-map';
import { InputError } from '../../errors.ts';
import type { PictureAccess } from '../pictures/access.ts';
import { type DomainTable, domainOf, domains } from '../records/domains.ts';
import { type LoadedRecord, loadRecord } from '../records/reader.ts';
import { pictureSize } from './encoded.ts';
import { meter, type Quantiles } from './quantiles.ts';
import { type RawRow, rawRows } from './raw-rows.ts';

export interface Stats {
  files: number;
  /** Rows that are records. */
  records: number;
  /** Rows that are none: `sophia data check` says why. */
  unusable: number;
  problem_type: Record<string, number>;
  data_type: Record<string, number>;
  /** Every domain, and `unknown`. */
  domain: Record<string, number>;
  data_source: Record<string, number>;
  /** Sources of no known domain. */
  unknown_sources: string[];
  /** Characters of the problem, and of the solution. */
  problem_chars: Quantiles | null;
  solution_chars: Quantiles | null;
  /** Tokens of the problem; null where no tokenizer was given. */
  problem_tokens: Quantiles | null;
  /** Options of multiple-choice questions. */
  options: Quantiles | null;
  /** By their headers; null where pictures were left out. */
  pictures: {
    read: number;
    unreadable: number;
    width: Quantiles | null;
    height: Quantiles | null;
    megapixels: Quantiles | null;
    kilobytes: Quantiles | null;
  } | null;
}

export interface StatsOptions {
  domains: DomainTable;
  /** Tokens of a text, where a model was named. */
  tokens: ((text: string) => number) | null;
  pictures: boolean;
  /** What rows may name as pictures. */
  access: PictureAccess;
  progress?: (files: number, rows: number) => void;
}

const BATCH = 64;
const AT_ONCE = 4;
/** Of names that are not known, so many are said, and counted one by one. */
const MOST_NAMES = 1000;

export async function statsOf(files: readonly string[], options: StatsOptions): Promise<Stats> {
  const { domains: own, tokens, access, progress } = options;
  const counts = {
    problem_type: new Map<string, number>(),
    data_type: new Map<string, number>(),
    domain: new Map<string, number>([...domains, 'unknown'].map((domain) => [domain, 0])),
    data_source: new Map<string, number>(),
  };
  const unknown = new Set<string>();
  const [problemChars, solutionChars, problemTokens, optionCount] = [meter(), meter(), meter(), meter()];
  const [width, height, megapixels, kilobytes] = [meter(), meter(), meter(), meter()];
  const rows = { records: 0, unusable: 0, pictures: 0, unreadable: 0 };
  const count = (key: keyof typeof counts, name: string) => {
    const known = counts[key].has(name) || counts[key].size < MOST_NAMES;
    const as = known ? name : '(others)';
    counts[key].set(as, (counts[key].get(as) ?? 0) + 1);
  };

  const add = (record: LoadedRecord) => {
    rows.records += 1;
    const { problem, problem_type, data_type, data_source, solution } = record;
    count('problem_type', problem_type);
    count('data_type', data_type);
    count('data_source', data_source === '' ? '(none)' : data_source);
    const domain = domainOf(data_source, own);
    count('domain', domain ?? 'unknown');
    if (domain === null && unknown.size < MOST_NAMES)
      unknown.add(data_source === '' ? '(none)' : data_source);
    problemChars.add(problem.length);
    solutionChars.add(solution.length);
    if (tokens) problemTokens.add(tokens(problem));
    if (problem_type === 'multiple choice') optionCount.add(record.options.length);
  };
  const look = async ({ picture, roots }: LoadedRecord) => {
    if (picture === null) return;
    try {
      const size = await pictureSize(picture, roots);
      rows.pictures += 1;
      width.add(size.width);
      height.add(size.height);
      megapixels.add((size.width * size.height) / 1e6);
      kilobytes.add(size.bytes / 1000);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      rows.unreadable += 1;
    }
  };
  for (const [done, file] of files.entries())
    for await (const batch of batches(file, access)) {
      for (const record of batch.records) add(record);
      rows.unusable += batch.unusable;
      if (options.pictures) await pMap(batch.records, look, { concurrency: AT_ONCE });
      progress?.(done, rows.records + rows.unusable);
    }
  const sorted = (map: Map<string, number>) =>
    Object.fromEntries([...map].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
  return {
    files: files.length,
    records: rows.records,
    unusable: rows.unusable,
    problem_type: sorted(counts.problem_type),
    data_type: sorted(counts.data_type),
    domain: sorted(counts.domain),
    data_source: sorted(counts.data_source),
    unknown_sources: [...unknown].sort(),
    problem_chars: problemChars.result(),
    solution_chars: solutionChars.result(),
    problem_tokens: problemTokens.result(),
    options: optionCount.result(),
    pictures: options.pictures
      ? {
          read: rows.pictures,
          unreadable: rows.unreadable,
          width: width.result(),
          height: height.result(),
          megapixels: megapixels.result(),
          kilobytes: kilobytes.result(),
        }
      : null,
  };
}

async function* batches(
  file: string,
  access: PictureAccess,
): AsyncGenerator<{ records: LoadedRecord[]; unusable: number }> {
  let batch = { records: [] as LoadedRecord[], unusable: 0 };
  for await (const row of rawRows(file)) {
    const record = 'message' in row ? null : recordOf(row, file, access);
    if (record !== null) batch.records.push(record);
    else batch.unusable += 'message' in row ? row.rows : 1;
    if (batch.records.length + batch.unusable < BATCH) continue;
    yield batch;
    batch = { records: [], unusable: 0 };
  }
  yield batch;
}

function recordOf({ value, source }: RawRow, file: string, access: PictureAccess): LoadedRecord | null {
  try {
    return loadRecord(value, source, file, access);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return null;
  }
}
