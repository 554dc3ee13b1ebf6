/** Finds the published files of a benchmark in a folder, by the names under which they are published. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { repositoryFiles } from '../../data/hub/repository.ts';
import { readError } from '../../data/jsonl.ts';
import { InputError } from '../../errors.ts';
import type { Benchmark } from '../benchmarks/benchmark.ts';

/** Where a benchmark's files lie. */
export interface PublishedFiles {
  /** Pictures that rows name by path lie below it. */
  folder: string;
  /** Paths of its files of rows, in the order of their names. */
  files: string[];
}

/**
 * Files of a variant in `DIR/BENCHMARK` where that is a folder, or else in DIR; of the layouts in which a benchmark is
 * published, the first of which anything is there. Throws InputError that says what was looked for.
 */
export async function findPublished(
  benchmark: Pick<Benchmark, 'name' | 'title' | 'asking'>,
  variant: string,
  dir: string,
): Promise<PublishedFiles> {
  const info = await stat(dir).catch((error) => {
    throw readError(error, dir);
  });
  if (!info.isDirectory())
    throw new InputError(`${dir}: is a file; name the folder that holds the published files`);
  const patterns = benchmark.asking.files(variant);
  for (const folder of [join(dir, benchmark.name), dir])
    for (const pattern of patterns) {
      const files = await matching(folder, pattern);
      if (files.length > 0) return { folder, files };
    }
  throw new InputError(
    `${dir}: holds no files of ${benchmark.title}${variant === '' ? '' : `, ${variant}`}; looked there and in ${benchmark.name}/ for ${patterns.join(', ')}`,
  );
}

/**
 * Files of a variant in the cache of the hub's client, fetched where they are not there yet; `address`: the repository,
 * `hf://datasets/OWNER/NAME`, by default the one that publishes the benchmark. Throws InputError, RunError.
 */
export async function fetchPublished(
  { asking }: Pick<Benchmark, 'asking'>,
  variant: string,
  address = `hf://datasets/${asking.hub}`,
): Promise<PublishedFiles> {
  let first: InputError | null = null;
  for (const pattern of asking.files(variant).filter((name) => name.endsWith('.parquet')))
    try {
      const files = await repositoryFiles(`${address.replace(/\/+$/, '')}/${pattern}`);
      return { folder: dirname(files[0]), files };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      first ??= error;
    }
  throw (
    first ?? new InputError(`${address}: publishes no Parquet files of ${variant}; name a folder with --data`)
  );
}

/** Files below `folder` whose path is `pattern`, in which `*` stands for anything within a name; sorted. */
async function matching(folder: string, pattern: string): Promise<string[]> {
  const [name, ...below] = pattern.split('/');
  const found: string[] = [];
  for (const entry of await namesLike(folder, name)) {
    const path = join(folder, entry);
    const info = await stat(path).catch(() => null);
    if (below.length === 0 && info?.isFile()) found.push(path);
    if (below.length > 0 && info?.isDirectory()) found.push(...(await matching(path, below.join('/'))));
  }
  return found;
}

async function namesLike(folder: string, name: string): Promise<string[]> {
  if (!name.includes('*')) return [name];
  const like = new RegExp(`^${name.split('*').map(escaped).join('.*')}$`, 's');
  const names = await readdir(folder).catch(() => [] as string[]);
  return names.filter((entry) => !entry.startsWith('.') && like.test(entry)).sort();
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
