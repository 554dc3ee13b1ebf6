/** Pictures from URLs: real servers on 127.0.0.1, which only a network handed in by the test may reach. */
import { existsSync, readdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cachedPicture, fetchedPicture } from '../../src/data/pictures/cache.ts';
import { fetchPicture, INTERNET, type Network } from '../../src/data/pictures/fetch.ts';
import { encodePng } from '../../src/data/pictures/images.ts';
import { isPublicAddress } from '../../src/data/pictures/public-address.ts';
import { InputError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers in turn, the last one for ever. */
async function serve(...answers: Answer[]) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answers[Math.min(asked.length, answers.length) - 1](request, response);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://pictures.test:${port}/a.png?token=secret`, port, asked };
}

/** A network in which every name is this machine, and this machine is public. */
const local: Network = {
  resolve: async () => ['127.0.0.1'],
  isAllowed: (address) => address === '127.0.0.1',
  isAllowedPort: () => true,
};
const options = { maxBytes: 10_000, network: local };
const png = await encodePng(new Uint8Array(4 * 4 * 3).fill(9), 4, 4);
const send =
  (body: Buffer | string, status = 200, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    response.writeHead(status, headers).end(body);
const refusal = async (url: string, more: object = {}) => {
  const error = await fetchPicture(url, { ...options, ...more }).catch((caught) => caught);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain('\n');
  return error.message as string;
};

describe('public addresses', () => {
  it.each([
    ...['127.0.0.1', '127.1.2.3', '0.0.0.0', '0.1.2.3', '10.0.0.1', '172.16.0.1', '172.31.255.255'],
    ...['192.168.1.1', '169.254.169.254', '100.64.0.1', '100.100.100.200', '224.0.0.1', '255.255.255.255'],
    ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '192.0.0.192', '198.18.0.1', '240.0.0.1'],
    ...['168.63.129.16', '192.88.99.1', '::', '::1', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1'],
    ...['::ffff:127.0.0.1', '::ffff:8.8.8.8', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::'],
    ...['2001::1', '2001:db8::1', '3fff::1', 'fec0::1', '100::1', '::7f00:1', '::ffff:0:7f00:1', '5f00::1'],
    ...['localhost', '', '1.2.3', '8.8.8.8/8'],
  ])('%s is none', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700::1111', '2a00:1450::1'])('%s is one', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
});

describe('on the internet as it is, nothing of this machine is asked', () => {
  it.each([
    ...['http://127.0.0.1', 'http://[::1]', 'http://0.0.0.0', 'http://2130706433', 'http://0x7f000001'],
    ...['http://017700000001', 'http://0x7f.1', 'http://127.1', 'http://[::ffff:127.0.0.1]', 'http://[::]'],
    ...['http://localhost', 'http://LOCALHOST', 'http://１２７.0.0.1', 'http://169.254.169.254/latest'],
    ...['http://[64:ff9b::7f00:1]', 'http://[2002:7f00:1::]', 'http://[fd00:ec2::254]', 'http://0'],
  ])('%s', async (base) => {
    const { port, asked } = await serve(send(png));
    const url = new URL(base);
    const anyPort = { ...INTERNET, isAllowedPort: () => true };
    url.port = String(port);
    expect(await refusal(url.href, { network: anyPort })).toMatch(/which is no public address/);
    expect(asked).toHaveLength(0);
  });

  it.each([
    ['a name that resolves to a private address', ['192.168.0.7']],
    ['a name with a public and a private address', ['8.8.8.8', '10.0.0.1']],
    ['a name with a public and a loopback address', ['2606:4700::1111', '::1']],
  ])('%s', async (_, addresses) => {
    const network = { ...INTERNET, resolve: async () => addresses };
    expect(await refusal('http://innocent.test/a.png', { network })).toMatch(
      /^http:\/\/innocent\.test\/a\.png: leads to innocent\.test is \S+, which is no public address/,
    );
  });

  it.each([
    ['http://example.test:22/a.png', /names port 22; pictures are fetched from 80, 443/],
    ['http://me:secret@example.test/a.png', /^http:\/\/example\.test\/a\.png: holds a name or a password$/],
    ['http://', /is no valid URL/],
    ['https://[::1', /is no valid URL/],
  ])('%s', async (url, message) => {
    expect(await refusal(url, { network: INTERNET })).toMatch(message);
  });
});

describe('a name is resolved once, and what it resolves to is what is connected to', () => {
  it('so that a second answer can lead nowhere else', async () => {
    const { url, asked } = await serve(send(png));
    let times = 0;
    const network: Network = {
      ...local,
      resolve: async () => {
        times += 1;
        return times === 1 ? ['127.0.0.1'] : ['127.0.0.2'];
      },
    };
    expect((await fetchPicture(url, { ...options, network })).equals(png)).toBe(true);
    expect([times, asked.length]).toEqual([1, 1]);
  });
});

describe('redirects', () => {
  it('are followed three times, each looked at anew, and nothing is told of where they come from', async () => {
    const to = (location: string) => send('', 302, { location });
    const { url, asked } = await serve(to('/b'), to('/c'), to('/d.png'), send(png));
    expect((await fetchPicture(url, options)).equals(png)).toBe(true);
    expect(asked.map((request) => request.url)).toEqual(['/a.png?token=secret', '/b', '/c', '/d.png']);
    for (const { headers } of asked)
      expect(Object.keys(headers).sort()).toEqual([
        'accept',
        'accept-encoding',
        'connection',
        'host',
        'user-agent',
      ]);
    const { url: endless } = await serve(to('/a'));
    expect(await refusal(endless)).toMatch(/cannot be fetched: more than 3 redirects$/);
  });

  it.each([
    ['http://10.0.0.1/x', /leads to 10\.0\.0\.1, which is no public address/],
    ['http://[::1]/x', /leads to ::1, which is no public address/],
    ['http://2130706434/x', /leads to 127\.0\.0\.2, which is no public address/],
    ['file:///etc/passwd', /is redirected to a URL that is of the kind file:/],
    ['ftp://a/x', /is redirected to a URL that is of the kind ftp:/],
    ['http://a:b@c/x', /is redirected to a URL that holds a name or a password/],
  ])('to %s are refused', async (location, message) => {
    const { url, asked } = await serve(send('', 307, { location }));
    expect(await refusal(url)).toMatch(message);
    expect(asked).toHaveLength(1);
  });
});

describe('an answer', () => {
  it.each([
    [
      '404',
      send('', 404),
      /^http:\/\/pictures\.test:\d+\/a\.png: cannot be fetched: the server answered 404$/,
    ],
    ['larger than it may be', send(Buffer.alloc(10_001)), /is larger than 0 MB$/],
    ['that says it is larger', send('', 200, { 'content-length': '99999' }), /is larger than 0 MB$/],
    ['compressed', send(png, 200, { 'content-encoding': 'gzip' }), /sends it compressed/],
  ])('%s is refused and not asked for again', async (_, answer, message) => {
    const { url, asked } = await serve(answer);
    expect(await refusal(url)).toMatch(message);
    expect(asked).toHaveLength(1);
  });

  it('that never ends is cut off when it is too large', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200);
      const more = () => {
        if (!response.destroyed) response.write(Buffer.alloc(1000), () => setImmediate(more));
      };
      more();
    });
    expect(await refusal(url)).toMatch(/is larger than/);
  });

  it('that does not come is given up, and asked for three times in all', async () => {
    const { url, asked } = await serve((_, response) => void response.writeHead(200).write('x'));
    expect(await refusal(url, { timeoutMs: 100 })).toMatch(/no whole answer within 0\.1 s \(3 attempts\)$/);
    expect(asked).toHaveLength(3);
  });

  it('that fails in passing is asked for again', async () => {
    const dropped: Answer = (request) => void request.socket.destroy();
    const { url, asked } = await serve(send('', 503, { 'retry-after': '0' }), dropped, send(png));
    expect((await fetchPicture(url, options)).equals(png)).toBe(true);
    expect(asked).toHaveLength(3);
  });
});

describe('the cache', () => {
  it('keeps a picture by its URL: many who ask at once and later ask the server once', async () => {
    const folder = temporaryFolder();
    const { url, asked } = await serve(send(png));
    const all = await Promise.all(
      Array.from({ length: 5 }, () => fetchedPicture(url, { ...options, folder })),
    );
    expect(all.every((bytes) => bytes.equals(png))).toBe(true);
    await fetchedPicture(`${url}#fragment`, { ...options, folder });
    expect(asked).toHaveLength(1);
    expect((await cachedPicture(url, folder))?.equals(png)).toBe(true);
    expect(JSON.stringify(readdirSync(folder, { recursive: true }))).not.toContain('secret');
  });

  it('keeps no failure, and nothing that is no picture', async () => {
    const folder = join(temporaryFolder(), 'cache');
    const { url, asked } = await serve(send('', 404), send('<html>sorry</html>'), send(png));
    const ask = () => fetchedPicture(url, { ...options, folder });
    await expect(ask()).rejects.toThrow(/answered 404/);
    await expect(ask()).rejects.toThrow(/a\.png: pictures of format HTML are not read/);
    expect(existsSync(folder)).toBe(false);
    expect((await ask()).equals(png)).toBe(true);
    expect(asked).toHaveLength(3);
  });
});
