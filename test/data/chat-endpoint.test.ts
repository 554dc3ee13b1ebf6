/** A chat model behind a server: when it is called, how much of an answer is read, and what it is called in writing. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { type ChatRequest, chatEndpoint } from '../../src/data/servers/chat-endpoint.ts';
import { withoutSecrets } from '../../src/data/servers/server-name.ts';
import { temporaryFolder } from './folder.ts';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that answers each call so, and counts calls and bytes. */
async function serving(status: number, answer: () => Iterable<Buffer | string>) {
  const sent = { calls: 0, bytes: 0 };
  function* counted() {
    for (const piece of answer()) {
      sent.bytes += piece.length;
      yield piece;
    }
  }
  server = createServer((request, response) => {
    sent.calls += 1;
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json' });
    pipeline(Readable.from(counted(), { objectMode: true, highWaterMark: 1 }), response, () => {});
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { sent, url: `http://127.0.0.1:${port}/v1` };
}

const endpointAt = (url: string) =>
  chatEndpoint({ url, model: 'm', concurrency: 1, timeoutMs: 20_000, keyVariable: 'SOPHIA_NO_KEY' });
const question: ChatRequest = { messages: [{ role: 'user', content: 'how many?' }] };
const said = JSON.stringify({ choices: [{ message: { content: '2' }, finish_reason: 'stop' }] });

describe('a call', () => {
  it('is not made where its deadline passes while its picture is being read', async () => {
    const { sent, url } = await serving(200, () => [said]);
    const image = join(temporaryFolder(), 'large.tiff');
    await sharp({ create: { width: 1500, height: 1500, channels: 3, background: 'red' } }).toFile(image);
    const withPicture: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'image', image }] }] };
    const deadline = new AbortController();
    const asked = endpointAt(url).chat(withPicture, deadline.signal);
    await sleep(1);
    deadline.abort(new Error('too late'));
    expect(await asked).toEqual({ failure: 'too late' });
    // the picture is read to its end
    expect(await endpointAt(url).chat(withPicture)).toMatchObject({ reply: { text: '2' } });
    await sleep(100);
    expect(sent.calls).toBe(1);
  });
});

describe('an answer without an end', () => {
  function* endless() {
    const piece = Buffer.alloc(1 << 20, ' ');
    while (true) yield piece;
  }

  it('is a failure after 32 MB, and not asked for again', async () => {
    const { sent, url } = await serving(200, endless);
    expect(await endpointAt(url).chat(question)).toEqual({
      failure: "the server's answer is longer than 32 MB",
    });
    expect(sent.calls).toBe(1);
    expect(sent.bytes).toBeLessThan(64 << 20);
  });

  it('that says what went wrong is not read to where it has none', async () => {
    const { url } = await serving(400, endless);
    expect(await endpointAt(url).chat(question)).toEqual({ failure: 'the server answered 400' });
  });

  it('of less comes whole, letters that are cut in two by the network included', async () => {
    const text = Buffer.from(said.replace('"2"', '"zwölf"'));
    const at = text.indexOf('ö') + 1;
    const { url } = await serving(200, () => [text.subarray(0, at), text.subarray(at)]);
    expect(await endpointAt(url).chat(question)).toMatchObject({ reply: { text: 'zwölf' } });
  });
});

describe('what is written names a server', () => {
  it('by origin and path: its query, which may hold a secret, is sent and not written', () => {
    expect(endpointAt('http://host:80/v1/?token=hunter2').name).toBe('http://host/v1 m');
  });

  it.each([
    ['https://host/v1', 'https://host/v1'],
    ['https://host:8443/v1/?api-key=hunter2#hunter2', 'https://host:8443/v1'],
    ['https://me:hunter2@host/v1', 'https://host/v1'],
    ['https://me:hunter@2@host', 'https://host'],
    ['runs/a?b@c', 'runs/a?b@c'],
    ['oracle', 'oracle'],
  ])('%s', (given, shown) => {
    expect(withoutSecrets(given)).toBe(shown);
  });
});
