/** Dataset repositories, from a server on this machine that speaks the hub's protocol. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { repositoryAddress } from '../../src/data/hub/address.ts';
import { hubSettings } from '../../src/data/hub/settings.ts';
import { openRecords } from '../../src/data/records/reader.ts';
import { temporaryFolder } from './folder.ts';
import { parquetBytes } from './parquet-files.ts';

const COMMIT = `${'c0ffee'.repeat(6)}c0ff`;
const TOKEN = 'hf_a-very-secret-token';
/** Nothing that a file would get smaller by. */
const noise = (seed: number) =>
  Buffer.concat(Array.from({ length: 200 }, (_, i) => createHash('sha256').update(`${seed} ${i}`).digest()));
const shard = (from: number) =>
  Buffer.from(
    parquetBytes(
      [0, 1, 2].map((i) => ({ problem_id: from + i, image: { bytes: noise(from + i), path: null } })),
    ),
  );

interface Request {
  url: string;
  range: string | undefined;
  authorization: string | undefined;
}

/** A hub with one repository; `storage` is the other host that large files are redirected to. */
async function hub(
  files: Record<string, Buffer>,
  serve: (bytes: Buffer, response: ServerResponse, request: IncomingMessage) => boolean = () => false,
) {
  const requests: Request[] = [];
  const stored: Request[] = [];
  const note = (list: Request[], request: IncomingMessage) =>
    list.push({
      url: request.url!,
      range: request.headers.range,
      authorization: request.headers.authorization,
    });
  const listen = async (handler: (request: IncomingMessage, response: ServerResponse) => void) => {
    const server = createServer(handler);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const storage = await listen((request, response) => {
    note(stored, request);
    const bytes = files[decodeURIComponent(request.url!.slice(1))];
    if (serve(bytes, response, request)) return;
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (start > 0)
      response.writeHead(206, { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
    response.end(bytes.subarray(start));
  });
  const endpoint = await listen((request, response) => {
    note(requests, request);
    const url = new URL(request.url!, 'http://hub');
    const json = (value: unknown) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    if (url.pathname === '/api/datasets/some/set/revision/main')
      return json({ id: 'some/set', _id: '1', sha: COMMIT });
    if (url.pathname === `/api/datasets/some/set/tree/${COMMIT}`)
      return json(
        Object.entries(files).map(([path, bytes]) => ({
          type: 'file',
          path,
          size: bytes.length,
          oid: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'),
          ...(path.endsWith('.parquet')
            ? {
                lfs: {
                  oid: createHash('sha256').update(bytes).digest('hex'),
                  size: bytes.length,
                  pointerSize: 100,
                },
              }
            : {}),
        })),
      );
    const resolved = `/datasets/some/set/resolve/${COMMIT}/`;
    if (url.pathname.startsWith(resolved)) {
      const path = url.pathname.slice(resolved.length);
      return response.writeHead(302, { location: `${storage}/${encodeURIComponent(path)}` }).end();
    }
    response.writeHead(404).end();
  });
  vi.stubEnv('HF_ENDPOINT', endpoint);
  return { requests, stored };
}

let home: string;
beforeEach(() => {
  home = temporaryFolder();
  for (const name of [
    'HF_HUB_CACHE',
    'HUGGINGFACE_HUB_CACHE',
    'HF_TOKEN',
    'HUGGING_FACE_HUB_TOKEN',
    'HF_HUB_OFFLINE',
    'HF_TOKEN_PATH',
  ])
    vi.stubEnv(name, '');
  vi.stubEnv('HF_HOME', home);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const files = () => ({
  'README.md': Buffer.from('# some set'),
  'data/train-00000-of-00002.parquet': shard(0),
  'data/train-00001-of-00002.parquet': shard(3),
});
const set = 'hf://datasets/some/set';
const cache = () => join(home, 'hub/datasets--some--set');

describe('a dataset repository', () => {
  it('is fetched once, whole, in the layout of the official cache; offline it is used as it is', async () => {
    const { requests, stored } = await hub(files());
    const records = await openRecords(set);
    expect(records.length).toBe(6);
    expect((await records.get(4)).problem_id).toBe(4);
    expect(readFileSync(join(cache(), 'refs/main'), 'utf8')).toBe(COMMIT);
    const snapshot = join(cache(), 'snapshots', COMMIT, 'data');
    expect(readdirSync(snapshot)).toEqual(['train-00000-of-00002.parquet', 'train-00001-of-00002.parquet']);
    expect(existsSync(join(cache(), 'snapshots', COMMIT, 'README.md'))).toBe(false);
    expect(readdirSync(join(cache(), 'blobs')).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true);

    const asked = [requests.length, stored.length];
    await openRecords(`${set}@${COMMIT}/data/train-*.parquet`);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect((await openRecords(set)).length).toBe(6);
    expect([requests.length, stored.length]).toEqual(asked);
    await expect(openRecords(`${set}/README.md`)).rejects.toThrow(/README\.md/);
  });

  it('shows the token to the hub alone, never to the host that it redirects to, and writes it nowhere', async () => {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'token'), `${TOKEN}\n`);
    const { requests, stored } = await hub(files());
    await openRecords(set);
    expect(requests.every(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);
    expect(stored.length).toBe(2);
    expect(stored.every(({ authorization }) => authorization === undefined)).toBe(true);
    for (const name of readdirSync(cache(), { recursive: true }) as string[])
      if (statSync(join(cache(), name)).isFile())
        expect(readFileSync(join(cache(), name)).includes(TOKEN)).toBe(false);
    vi.stubEnv('HF_TOKEN', 'hf_another-token');
    expect((await hubSettings()).token).toBe('hf_another-token');
  });

  it('goes on by byte range where a download broke off', async () => {
    let broken = false;
    const { stored } = await hub(files(), (bytes, response, request) => {
      if (broken || !request.url!.includes('00001')) return false;
      broken = true;
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 4000), () => response.destroy());
      return true;
    });
    expect((await openRecords(set)).length).toBe(6);
    const ranges = stored.filter(({ url }) => url.includes('00001')).map(({ range }) => range);
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
  });

  it('starts anew where what was kept is not the beginning of the file', async () => {
    const all = files();
    const [, bytes] = Object.entries(all).find(([name]) => name.includes('00000'))!;
    const blobs = join(cache(), 'blobs');
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, `${createHash('sha256').update(bytes).digest('hex')}.incomplete`), 'rubbish');
    await hub(all);
    expect((await openRecords(set)).length).toBe(6);
  });

  it('refuses a file that is not what the repository lists, and keeps nothing of it', async () => {
    await hub(files(), (bytes, response) => {
      response.end(Buffer.alloc(bytes.length, 1));
      return true;
    });
    await expect(openRecords(set)).rejects.toThrow(/not the file that it lists/);
    expect(readdirSync(join(cache(), 'blobs'))).toEqual([]);
  });

  it('says what is not there', async () => {
    await hub(files());
    await expect(openRecords('hf://datasets/no/set')).rejects.toThrow(
      /^hf:\/\/datasets\/no\/set: the hub has no such dataset, revision or file$/,
    );
    await expect(openRecords(`${set}/test-*.parquet`)).rejects.toThrow(
      /no file of the repository has such a name/,
    );
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(openRecords('hf://datasets/other/set')).rejects.toThrow(
      /HF_HUB_OFFLINE is set and the cache/,
    );
  });
});

describe('an address', () => {
  it('has owner and name, and may have revision and path', () => {
    expect(repositoryAddress('hf://datasets/a/b')).toEqual({ name: 'a/b', revision: 'main', path: '' });
    expect(repositoryAddress('hf://datasets/a/b@refs%2Fconvert%2Fparquet/default/train')).toEqual({
      name: 'a/b',
      revision: 'refs/convert/parquet',
      path: 'default/train',
    });
  });

  it.each([
    'hf://datasets/a',
    'hf://a/b',
    'hf://datasets/a/b/../../etc',
    'hf://datasets/../b',
    'hf://datasets/a/b@%2e%2e/x',
  ])('%s is none', (address) => expect(() => repositoryAddress(address)).toThrow(/hf:\/\//));
});
