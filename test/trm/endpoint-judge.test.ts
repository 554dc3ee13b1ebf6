/** A judge behind a server, against a server in a process of its own that does everything wrong that servers do. */
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import { readPicture } from '../../src/data/pictures/images.ts';
import { retryAfterMs, waitMs } from '../../src/data/servers/http-failure.ts';
import { endpointJudge } from '../../src/trm/endpoint-judge.ts';
import type { JudgedQuestion, JudgedResponse, JudgeScore } from '../../src/trm/judge.ts';
import { openJudge } from '../../src/trm/open-judge.ts';
import { EndpointSettings } from '../../src/trm/settings.ts';
import { hubPicture } from '../cli/sophia.ts';
import { temporaryFolder } from '../data/folder.ts';
import { type Call, type JudgeServer, type Plan, startJudgeServer } from './judge-server.ts';

const KEY = 'sk-very-secret/0123456789';
const VARIABLE = 'SOPHIA_TEST_KEY';

let server: JudgeServer;
beforeAll(async () => {
  server = await startJudgeServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.plan({});
  await server.forget();
  vi.unstubAllEnvs();
});

type Given = Partial<z.input<typeof EndpointSettings>>;
const settingsOf = (given: Given = {}) =>
  EndpointSettings.parse({ url: server.url, model: 'judge', key_variable: VARIABLE, ...given });
const judgeOf = (given: Given = {}) => endpointJudge(settingsOf(given));

const question: JudgedQuestion = { problem: 'How many?', options: [], picture: null, source: 'rows:1' };
const respond = (response: string, record: JudgedQuestion = question): JudgedResponse => ({
  record,
  response,
});

/** One response that asks the server to do so. */
async function scored(does: string, given: Given = {}, signal?: AbortSignal) {
  const judge = await judgeOf(given);
  const [score] = await judge.score([respond(`<think>[[${does}]]</think>`)], signal);
  return { ...score, calls: await server.log() };
}

const gaps = (calls: Call[]) => calls.slice(1).map(({ at }, i) => at - calls[i].at);

describe('what is asked', () => {
  it('is one call: the rubric with question, options and response, greedily, by name, at URL/chat/completions', async () => {
    const judge = await judgeOf();
    expect(judge.takes).toBe('singly');
    const record = { ...question, options: ['A. 3', 'B. 4'] };
    const scores = await judge.score([respond('<think>three</think><answer>A</answer> [[0.7]]', record)]);
    expect(scores).toEqual([{ score: 0.7, failure: null }]);
    const [call, ...more] = await server.log();
    expect(more).toEqual([]);
    const rubric = readFileSync(new URL('../../prompts/thinking-rubric.txt', import.meta.url), 'utf8');
    expect(call.body).toEqual({
      model: 'judge',
      temperature: 0,
      max_tokens: 16,
      messages: [
        {
          role: 'user',
          content: rubric
            .trimEnd()
            .replace('{problem}', 'How many?\nA. 3\nB. 4')
            .replace('{response}', '<think>three</think><answer>A</answer> [[0.7]]'),
        },
      ],
    });
  });

  it('takes a template, a question template and a base URL with a slash at its end', async () => {
    const judge = await endpointJudge(
      settingsOf({
        url: `${server.url}/`,
        template: 'Q: {problem} R: {response}',
        max_tokens: 5,
        temperature: 0.5,
      }),
      { questionTemplate: '({problem})' },
    );
    expect(await judge.score([respond('{problem} [[0.1]]')])).toEqual([{ score: 0.1, failure: null }]);
    const [call] = await server.log();
    // what stands in a response is not filled in
    expect(call.text).toBe('Q: (How many?) R: {problem} [[0.1]]');
    expect(call.body).toMatchObject({ max_tokens: 5, temperature: 0.5 });
  });

  it('is opened by settings with a URL', async () => {
    const judge = await openJudge(settingsOf(), { provider: 'cpu', threads: 1, tokenBudget: 1 });
    expect(await judge.score([respond('[[1]]')])).toEqual([{ score: 1, failure: null }]);
  });

  it('never holds anything of the solution, the reference reasoning or the world', async () => {
    const judge = await judgeOf();
    const record = {
      ...question,
      solution: '<answer>SOLUTION</answer>',
      process: 'PROCESS',
      world: { WORLD: 1 },
      data_source: 'SOURCE',
    };
    await judge.score([respond('[[0.5]]', record)]);
    const sent = JSON.stringify(await server.log());
    for (const word of ['SOLUTION', 'PROCESS', 'WORLD', 'SOURCE']) expect(sent).not.toContain(word);
  });

  it('tells the server nothing of this machine', async () => {
    vi.stubEnv('OPENAI_ORG_ID', 'my-organisation');
    vi.stubEnv('OPENAI_CUSTOM_HEADERS', 'x-mine: my-header');
    await scored('0.5');
    const [{ headers }] = await server.log();
    expect(Object.keys(headers).filter((name) => /stainless|openai|x-mine/.test(name))).toEqual([]);
  });

  it.each([
    ['a template without {response}', { template: '{problem}' }, /^judge\.template: must hold/],
    ['a password in the address', { url: 'http://me:pass@localhost/v1' }, /^url: holds a name or a password/],
  ])('refuses %s', async (_what, given, message) => {
    await expect(judgeOf(given)).rejects.toThrow(message);
  });
});

describe('a picture', () => {
  const shown = async (picture: string) => {
    const judge = await judgeOf();
    const [score] = await judge.score([respond('[[0.5]]', { ...question, picture })]);
    const [call] = await server.log();
    const [image, text] = (call?.body.messages[0].content ?? []) as {
      type: string;
      image_url: { url: string };
    }[];
    return { score, types: [image?.type, text?.type], url: image?.image_url.url ?? '' };
  };
  const bytesOf = (url: string) => Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');

  it('goes before the text, with its own bytes, where it is PNG, JPEG, WebP or GIF', async () => {
    const dir = temporaryFolder();
    const kinds = { png: 'image/png', jpeg: 'image/jpeg', webp: 'image/webp', gif: 'image/gif' } as const;
    for (const [kind, type] of Object.entries(kinds)) {
      // the content says what it is, not the name
      const file = join(dir, `${kind}.picture`);
      await sharp(hubPicture('shapes.png'))
        .toFormat(kind as 'png')
        .toFile(file);
      await server.forget();
      const { score, types, url } = await shown(file);
      expect({ score, types }).toEqual({
        score: { score: 0.5, failure: null },
        types: ['image_url', 'text'],
      });
      expect(url.startsWith(`data:${type};base64,`)).toBe(true);
      expect(bytesOf(url).equals(readFileSync(file))).toBe(true);
    }
  });

  it('of another format, or that is to be turned, goes as a PNG of what it shows', async () => {
    const dir = temporaryFolder();
    const tiff = join(dir, 'a.tiff');
    await sharp(hubPicture('shapes.png')).tiff().toFile(tiff);
    const turned = join(dir, 'b.jpg');
    await sharp(hubPicture('photo.jpg')).withMetadata({ orientation: 6 }).toFile(turned);
    for (const file of [tiff, turned]) {
      await server.forget();
      const { url } = await shown(file);
      expect(url.startsWith('data:image/png;base64,')).toBe(true);
      const png = join(dir, 'sent.png');
      writeFileSync(png, bytesOf(url));
      expect((await readPicture(png)).hash).toBe((await readPicture(file)).hash);
    }
  });

  it('that cannot be decoded is that response’s failure, and nothing is asked', async () => {
    const file = join(temporaryFolder(), 'broken.png');
    writeFileSync(file, readFileSync(hubPicture('shapes.png')).subarray(0, 300));
    const { score } = await shown(file);
    expect(score).toEqual({
      score: null,
      failure: expect.stringMatching(/broken\.png: cannot decode the picture/),
    });
    expect(await server.log()).toEqual([]);
  });
});

describe('a reply', () => {
  it.each([
    ['a number', '0.85', {}, 0.85],
    ['an answer body', 'answer', {}, 0.8],
    ['JSON that calls itself text', 'text', {}, 0.4],
    ['thinking, where it may think', 'thinking', { thinks: true }, 0.8],
    ['thinking without its first tag', 'thinking-untagged', { thinks: true }, 0.8],
    ['thinking that the server splits off', 'reasoning', { thinks: true }, 0.8],
    ['thinking that the server splits off, unasked', 'reasoning', {}, 0.8],
  ])('%s is a score', async (_what, does, given, value) => {
    const { score, failure, calls } = await scored(does, given);
    expect({ score, failure, calls: calls.length }).toEqual({ score: value, failure: null, calls: 1 });
  });

  it.each([
    ['a number above 1', 'outside', {}, 'not a score from 0 to 1: "1.5"'],
    ['words around it', 'words', {}, 'not a score from 0 to 1: "I would give it 0.6."'],
    ['nothing', 'empty', {}, 'the judge said nothing'],
    ['thinking, where it may not think', 'thinking', {}, /^not a score from 0 to 1: "<think>fine/],
    ['cut off, even after a number', 'length', {}, 'the judge did not end within 16 tokens: "0.5"'],
    [
      'cut off in its thinking',
      'length-thinking',
      { thinks: true },
      'the judge did not end within 4096 tokens: ""',
    ],
  ])('%s is a failure, and not asked for again', async (_what, does, given, reason) => {
    const { score, failure, calls } = await scored(does, given);
    expect({ score, calls: calls.length }).toEqual({ score: null, calls: 1 });
    expect(failure).toMatch(reason);
  });
});

describe('what may be different next time is tried three times in all, once more where that helps', () => {
  const kinds: [what: string, does: string, reason: RegExp][] = [
    ['a dropped connection', 'drop', /^the connection was dropped/],
    ['a connection dropped half-way', 'drop-midway', /^the connection was dropped/],
    ['429', '429', /^the server answered 429: too many requests/],
    ['500', '500', /^the server answered 500: out of order/],
    ['503 with HTML', '503', /^the server answered 503 /],
    ['broken JSON', 'truncated', /^the server answered with broken JSON: \{"id"/],
    ['HTML', 'html', /^the server answered with a page of HTML/],
    ['an empty answer', 'nothing', /^the server answered nothing/],
    ['JSON of another shape', 'shape', /holds no choices\[0\]\.message\.content: \{"score":0\.5\}/],
    ['no content', 'no-content', /holds no choices\[0\]\.message\.content/],
    ['no answer in time', 'hang', /^no answer within 0\.5 s/],
    ['no end of the answer in time', 'hang-midway', /^no answer within 0\.5 s/],
  ];
  let scores: { always: JudgeScore; once: JudgeScore }[];
  let calls: Call[];
  beforeAll(async () => {
    const judge = await judgeOf({ concurrency: 100, timeout_s: 0.5 });
    scores = await Promise.all(
      kinds.map(async ([, does]) => {
        const texts = [`always [[${does}]]`, `once [[${does} 0.3]]`];
        const [always, once] = await judge.score(texts.map((text) => respond(text)));
        return { always, once };
      }),
    );
    calls = await server.log();
  }, 20_000);

  it.each(kinds)('%s', (what, does, reason) => {
    const { always, once } = scores[kinds.findIndex(([kind]) => kind === what)];
    expect(once).toEqual({ score: 0.3, failure: null });
    expect(always.score).toBeNull();
    expect(always.failure).toMatch(reason);
    expect(always.failure).toMatch(/^[^\n]+ \(3 attempts\)$/);
    expect(calls.filter(({ text }) => text.includes(`once [[${does} 0.3]]`))).toHaveLength(2);
    const attempts = calls.filter(({ text }) => text.includes(`always [[${does}]]`));
    expect(attempts).toHaveLength(3);
    // from 0.5 s on, twice as long each time
    const [first, second] = gaps(attempts);
    expect(first).toBeGreaterThan(480);
    expect(second).toBeGreaterThan(980);
  });

  it('a server that is not there', async () => {
    const judge = await judgeOf({ url: `http://127.0.0.1:${await freePort()}/v1` });
    const before = Date.now();
    expect(await judge.score([respond('a')])).toEqual([
      { score: null, failure: 'the connection was refused: no server there (3 attempts)' },
    ]);
    expect(Date.now() - before).toBeGreaterThan(1400);
  });
});

describe('other refusals are not tried again', () => {
  it.each([
    ['400', 'the server answered 400: no such parameter'],
    ['404', 'the server answered 404: no such model'],
  ])('%s', async (does, reason) => {
    const { score, failure, calls } = await scored(does);
    expect({ score, failure, calls: calls.length }).toEqual({ score: null, failure: reason, calls: 1 });
  });
});

describe('Retry-After', () => {
  it.each<[string, Plan['retryAfter'], number, number]>([
    ['in seconds', 2, 1950, 2500],
    ['as a date', { date: 3 }, 1950, 3500],
    ['that is shorter than the usual wait does not shorten it', 0, 450, 1300],
    ['that says nothing', 'soon', 450, 1300],
  ])('%s', async (_what, retryAfter, least, most) => {
    await server.plan({ retryAfter });
    const { score, calls } = await scored('429 0.3');
    expect(score).toBe(0.3);
    const [gap] = gaps(calls);
    expect(gap).toBeGreaterThan(least);
    expect(gap).toBeLessThan(most);
  });

  it('is honoured up to 30 s; other waits are 5 s at most', () => {
    expect(waitMs(1, 29_000)).toBe(29_000);
    expect(waitMs(1, 3_600_000)).toBe(30_000);
    const waits = Array.from({ length: 200 }, (_, i) => ({
      n: 1 + (i % 10),
      ms: waitMs(1 + (i % 10), null),
    }));
    for (const { n, ms } of waits) {
      expect(ms).toBeGreaterThanOrEqual(Math.min(5000, 500 * 2 ** (n - 1)));
      expect(ms).toBeLessThanOrEqual(Math.min(5000, 500 * 2 ** n));
    }
    // by chance
    expect(new Set(waits.filter(({ n }) => n === 1).map(({ ms }) => ms)).size).toBeGreaterThan(1);
  });

  it('is seconds or an HTTP date', () => {
    const now = Date.parse('2026-01-02T03:04:05Z');
    expect(retryAfterMs(' 7 ', now)).toBe(7000);
    expect(retryAfterMs('Fri, 02 Jan 2026 03:04:35 GMT', now)).toBe(30_000);
    expect(retryAfterMs('Fri, 02 Jan 2026 03:04:00 GMT', now)).toBe(0);
    expect(retryAfterMs('soon', now)).toBeNull();
  });
});

describe('at once', () => {
  it('are no more calls than allowed, whatever becomes of them, and no fewer', async () => {
    await server.plan({ failures: 0.5, kinds: ['500', 'drop', 'words'], times: 1 });
    const judge = await judgeOf({ concurrency: 5 });
    const rows = Array.from({ length: 40 }, (_, i) => respond(`response ${i}`));
    await Promise.all([judge.score(rows.slice(0, 25)), judge.score(rows.slice(25))]);
    const calls = await server.log();
    expect(Math.max(...calls.map(({ running }) => running))).toBe(5);
  });

  it('replies that overtake one another still belong to their responses', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => ({ i, value: (i % 11) / 10 }));
    const judge = await judgeOf({ concurrency: 20 });
    const scores = await judge.score(rows.map(({ i, value }) => respond(`response ${i} [[${value}]]`)));
    expect(scores.map(({ score }) => score)).toEqual(rows.map(({ value }) => value));
    const calls = await server.log();
    const overtaken = calls.filter(({ doneAt }, i) =>
      calls.slice(i + 1).some((later) => later.doneAt < doneAt),
    );
    expect(calls).toHaveLength(60);
    expect(overtaken.length).toBeGreaterThan(10);
  });
});

describe('a deadline', () => {
  it('ends calls that wait for an answer, for another attempt or for their turn; those that are done stand', async () => {
    const judge = await judgeOf({ concurrency: 3 });
    const deadline = new AbortController();
    const responses = ['[[0.4]]', '[[hang]] a', '[[429]] b', '[[hang]] c', 'd', 'e'];
    setTimeout(() => deadline.abort(new Error('the step is over')), 400);
    const before = Date.now();
    const scores = await judge.score(
      responses.map((text) => respond(text)),
      deadline.signal,
    );
    expect(Date.now() - before).toBeLessThan(800);
    expect(scores[0]).toEqual({ score: 0.4, failure: null });
    for (const score of scores.slice(1)) expect(score).toEqual({ score: null, failure: 'the step is over' });
    await vi.waitUntil(async () => (await server.log()).filter(({ gone }) => gone).length === 2);
    const asked = (await server.log()).map(({ text }) => text);
    expect(asked).toHaveLength(4);
  });

  it('that has passed lets nothing be asked', async () => {
    const judge = await judgeOf();
    expect(await judge.score([respond('[[0.4]]')], AbortSignal.abort('too late'))).toEqual([
      { score: null, failure: 'too late' },
    ]);
    expect(await server.log()).toEqual([]);
  });
});

describe('the key', () => {
  it('goes to the server from the variable that the settings name, and without it none does', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'another');
    await scored('0.5');
    vi.stubEnv(VARIABLE, `${KEY}\n`);
    await scored('0.5');
    const sent = (await server.log()).map(({ headers }) => headers.authorization);
    expect(sent).toEqual([undefined, `Bearer ${KEY}`]);
  });

  it('does not travel to another host, nor does anything else', async () => {
    vi.stubEnv(VARIABLE, KEY);
    const other = await startJudgeServer();
    try {
      await server.plan({ location: `${other.url}/chat/completions?token=${KEY}` });
      const { score, failure, calls } = await scored('redirect');
      expect({ score, failure, calls: calls.length }).toEqual({
        score: null,
        failure: `the server answered 307: moved to ${other.url}/chat/completions; give the address itself`,
        calls: 1,
      });
      expect(await other.log()).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  it('is neither shown, logged nor kept, though the server repeats it', async () => {
    vi.stubEnv(VARIABLE, KEY);
    vi.stubEnv('OPENAI_LOG', 'debug');
    const said: string[] = [];
    for (const method of ['log', 'debug', 'info', 'warn', 'error'] as const)
      vi.spyOn(console, method).mockImplementation((...parts) => void said.push(JSON.stringify(parts)));
    const cache = temporaryFolder();
    for (const [does, shown] of [
      ['401', 'the server answered 401: wrong key: Bearer [key]'],
      ['echo', 'not a score from 0 to 1: "key Bearer [key]"'],
    ])
      expect((await scored(does, { cache })).failure).toBe(shown);
    expect(await scored('echo-thinking', { cache, thinks: true })).toMatchObject({ score: 0.5 });
    vi.restoreAllMocks();
    expect(said).toEqual([]);
    const kept = filesIn(cache).map((file) => readFileSync(file, 'utf8'));
    expect(kept).toHaveLength(1);
    expect(kept[0]).toContain('Bearer [key]');
    expect(kept[0]).not.toContain(KEY);
  });

  it('that no header can carry is refused without being shown', async () => {
    vi.stubEnv(VARIABLE, 'sk-one\nsk-two');
    const error = await judgeOf().catch((error) => error);
    expect(error.message).toBe(
      `key_variable: ${VARIABLE} holds white space or characters that no key has; set it anew`,
    );
  });
});

describe('the cache', () => {
  const rows = ['a [[0.3]]', 'b [[0.6]]'].map((text) => respond(text));
  const asked = async (given: Given, responses = rows) => {
    await server.forget();
    const scores = await (await judgeOf(given)).score(responses);
    return { scores: scores.map(({ score }) => score), calls: (await server.log()).length };
  };

  it('answers what has been asked before, in another judge too', async () => {
    const cache = temporaryFolder();
    expect(await asked({ cache })).toEqual({ scores: [0.3, 0.6], calls: 2 });
    expect(await asked({ cache })).toEqual({ scores: [0.3, 0.6], calls: 0 });
  });

  it('asks again where model, settings, template, response or picture are others', async () => {
    const dir = temporaryFolder();
    const cache = join(dir, 'made/by/the/judge');
    const picture = join(dir, 'a.png');
    cpSync(hubPicture('shapes.png'), picture);
    const withPicture = [respond('a [[0.3]]', { ...question, picture })];
    await asked({ cache });
    await asked({ cache }, withPicture);
    const others: Given[] = [
      { model: 'other' },
      { temperature: 0.1 },
      { max_tokens: 17 },
      { reads: 'expected' },
      { template: '{problem} {response}' },
      { url: `${server.url}/?version=2` },
    ];
    for (const given of others) expect(await asked({ cache, ...given })).toMatchObject({ calls: 2 });
    expect(await asked({ cache }, [respond('c [[0.1]]')])).toMatchObject({ calls: 1 });
    expect(await asked({ cache }, withPicture)).toMatchObject({ calls: 0 });
    cpSync(hubPicture('chart.png'), picture);
    expect(await asked({ cache }, withPicture)).toMatchObject({ calls: 1 });
  });

  it('keeps no failure: neither of the network nor of what was written', async () => {
    const cache = temporaryFolder();
    for (const does of ['400', 'words', 'length'])
      expect(await scored(does, { cache })).toMatchObject({ score: null });
    expect(filesIn(cache)).toEqual([]);
    expect(await asked({ cache }, [respond('[[words 0.5]]')])).toEqual({ scores: [null], calls: 1 });
    const judge = await judgeOf({ cache });
    expect(await judge.score([respond('[[words 0.5]]')])).toEqual([{ score: 0.5, failure: null }]);
  });

  it('takes a damaged entry for none, and mends it', async () => {
    const cache = temporaryFolder();
    await asked({ cache }, rows.slice(0, 1));
    const [file] = filesIn(cache);
    const whole = readFileSync(file, 'utf8');
    for (const damaged of [whole.slice(0, -20), '', '{}', whole.replace(/"key":"./, '"key":"x')]) {
      writeFileSync(file, damaged);
      expect(await asked({ cache }, rows.slice(0, 1))).toEqual({ scores: [0.3], calls: 1 });
      expect(readFileSync(file, 'utf8')).toBe(whole);
    }
  });

  it('serves two at once', async () => {
    const cache = temporaryFolder();
    const many = Array.from({ length: 30 }, (_, i) => respond(`response ${i}`));
    const judges = await Promise.all([judgeOf({ cache }), judgeOf({ cache })]);
    const [one, other] = await Promise.all(judges.map((judge) => judge.score(many)));
    expect(one).toEqual(other);
    expect(filesIn(cache)).toHaveLength(30);
    expect((await asked({ cache }, many)).calls).toBe(0);
  });

  it('that cannot be written says so in one line', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(judgeOf({ cache: join(file, 'cache') })).rejects.toThrow(/cache: cannot write: /);
  });
});

function filesIn(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[])
    .map((name) => join(dir, name))
    .filter((file) => statSync(file).isFile());
}

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  await new Promise((resolve) => taken.close(resolve));
  return port;
}
