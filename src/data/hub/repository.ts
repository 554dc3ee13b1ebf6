/**
 * Files of a dataset repository, fetched into the cache that Hugging Face's own client uses
 * (datasets--OWNER--NAME/ with blobs/, refs/ and snapshots/COMMIT/), so that each serves the other. Beside them stands
 * what the repository lists at a commit: with it a set is known to be whole without asking anybody.
 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, extname, join, posix } from 'node:path';
import { datasetInfo, listFiles } from '@huggingface/hub';
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { writeFileWhole } from '../atomic.ts';
import { byNumber, checkNumbers, matches, oneSet } from '../records/shards.ts';
import { Failed } from '../servers/http-failure.ts';
import { type RepositoryAddress, repositoryAddress } from './address.ts';
import { type HubClient, hubClient } from './client.ts';
import { download, type HubFile, sizeOf } from './download.ts';
import { type HubSettings, hubSettings } from './settings.ts';

const commitForm = /^[0-9a-f]{40}$/;
const Listing = z.array(
  z.object({
    path: z.string().refine(isSafePath),
    size: z.number().int().nonnegative(),
    hash: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/),
  }),
);

/** Absolute paths of the files that the address names, in the cache. Throws InputError, RunError. */
export async function repositoryFiles(address: string): Promise<string[]> {
  const wanted = repositoryAddress(address);
  const settings = await hubSettings();
  const home = join(settings.cache, `datasets--${wanted.name.replace('/', '--')}`);
  const client = hubClient(settings);
  const commit = await commitOf(wanted, settings, client, home, address);
  const snapshot = join(home, 'snapshots', commit);
  const listed = await listingOf(wanted, commit, settings, client, home, address);
  const found = listed ?? (await alreadyThere(snapshot));
  const names = chosenOf(
    found.map(({ path }) => path),
    wanted.path,
    address,
  );
  for (const name of names) {
    const file = found.find(({ path }) => path === name)!;
    const target = join(snapshot, name);
    if ((await sizeOf(target)) === file.size) continue;
    if (settings.offline)
      throw new InputError(
        `${address}: HF_HUB_OFFLINE is set and ${name} has not been downloaded; unset it once to fetch it`,
      );
    const url = `${settings.endpoint}/datasets/${wanted.name}/resolve/${commit}/${name.split('/').map(encodeURIComponent).join('/')}`;
    const source = `hf://datasets/${wanted.name}/${name}`;
    process.stderr.write(`${source}: fetching ${(file.size / 1e6).toFixed(1)} MB\n`);
    await download(client, url, file, join(home, 'blobs'), target, source);
  }
  return names.map((name) => join(snapshot, name));
}

async function commitOf(
  { name, revision }: RepositoryAddress,
  { endpoint, offline }: HubSettings,
  client: HubClient,
  home: string,
  address: string,
): Promise<string> {
  if (commitForm.test(revision)) return revision;
  const ref = join(home, 'refs', revision);
  if (offline) {
    const known = (await readFile(ref, 'utf8').catch(() => '')).trim();
    if (commitForm.test(known)) return known;
    throw new InputError(
      `${address}: HF_HUB_OFFLINE is set and the cache (${dirname(home)}) does not have it; unset it once to fetch it`,
    );
  }
  const commit = await client.retried(address, async () => {
    const info = await datasetInfo({
      name,
      revision,
      hubUrl: endpoint,
      additionalFields: ['sha'],
      fetch: client.fetch,
    });
    if (!commitForm.test(info.sha)) throw new Failed('the hub names no commit for it', false);
    return info.sha;
  });
  await writeFileWhole(ref, commit);
  return commit;
}

/** What the repository lists at a commit; null offline where that has not been asked, but files may be there. */
async function listingOf(
  { name }: RepositoryAddress,
  commit: string,
  { endpoint, offline }: HubSettings,
  client: HubClient,
  home: string,
  address: string,
): Promise<HubFile[] | null> {
  const file = join(home, '.listings', `${commit}.json`);
  const text = await readFile(file, 'utf8').catch(() => null);
  const known = text === null ? null : Listing.safeParse(parsed(text)).data;
  if (known) return known;
  if (offline) return null;
  const listed = await client.retried(address, async () => {
    const all: HubFile[] = [];
    const repo = { type: 'dataset', name } as const;
    const found = listFiles({
      repo,
      revision: commit,
      recursive: true,
      hubUrl: endpoint,
      fetch: client.fetch,
    });
    for await (const { type, path, size, oid, lfs } of found)
      if (type === 'file') all.push({ path, size: lfs?.size ?? size, hash: lfs?.oid ?? oid ?? '' });
    const checked = Listing.safeParse(all.filter(({ path }) => isSafePath(path)));
    if (!checked.success) throw new Failed('the hub lists its files in a way that is not known', false);
    return checked.data;
  });
  await writeFileWhole(file, JSON.stringify(listed));
  return listed;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Files that another client fetched; whether they are all cannot be told. */
async function alreadyThere(snapshot: string): Promise<HubFile[]> {
  const names = await readdir(snapshot, { recursive: true }).catch(() => []);
  const files = await Promise.all(
    names.map(async (path) => ({ path, size: await sizeOf(join(snapshot, path)), hash: '' })),
  );
  return files.filter((file): file is HubFile => file.size !== null);
}

/** Whether a name within a repository stays in its folder. */
function isSafePath(path: string): boolean {
  const parts = path.split(/[/\\]/);
  return (
    path !== '' &&
    !path.includes('\0') &&
    !parts.some((part) => part === '' || part === '..' || /^[a-z]:/i.test(part))
  );
}

/** Files that a path names: a file, a pattern, or the shards in a folder (the repository's own, or data/). */
function chosenOf(names: readonly string[], path: string, address: string): string[] {
  if (path.includes('*')) {
    const found = names.filter((name) => matches(path, name));
    if (found.length === 0) throw new InputError(`${address}: no file of the repository has such a name`);
    checkNumbers(found, address, (name) => matches(path, name));
    return byNumber(found);
  }
  if (names.includes(path)) return [path];
  const within = (folder: string) => {
    const own = names
      .filter((name) => posix.dirname(name) === (folder || '.'))
      .map((name) => posix.basename(name));
    const named = folder === path ? address : posix.join(address, 'data').replace(':/', '://');
    return oneSet(own, named).map((name) => posix.join(folder, name));
  };
  const shards = within(path);
  if (shards.length > 0) return shards;
  const data = within(posix.join(path, 'data'));
  if (data.length > 0) return data;
  const near = names.filter((name) => ['.parquet', '.jsonl', '.json'].includes(extname(name))).slice(0, 3);
  throw new InputError(
    `${address}: no such file or folder of shards in the repository${near.length > 0 ? `; it has ${near.join(', ')}` : ''}`,
  );
}
