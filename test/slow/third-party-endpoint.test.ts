/**
 * The wire format, by a server that is not ours: `transformers serve` with a tiny vision model of random weights. It writes
 * rubbish, so no row has a score; that it answers 200 to chats with pictures is the point. Skipped unless SOPHIA_TRANSFORMERS
 * names a `transformers` executable; docs/trm.md says how to get one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hubModel, hubPicture } from '../cli/sophia.ts';
import { sophia } from './sophia.ts';

const transformers = process.env.SOPHIA_TRANSFORMERS;

describe.skipIf(!transformers)('transformers serve as a judge', () => {
  let folder: string;
  let server: ChildProcess;
  let url: string;
  let log = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sophia-third-party-'));
    cpSync(hubModel, join(folder, 'model'), { recursive: true });
    for (const name of ['shapes.png', 'chart.png', 'photo.jpg']) cpSync(hubPicture(name), join(folder, name));
    writeFileSync(join(folder, 'rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const port = await freePort();
    url = `http://127.0.0.1:${port}/v1`;
    const device = ['--device', 'cpu', '--dtype', 'float32', '--host', '127.0.0.1', '--port', String(port)];
    server = spawn(transformers!, ['serve', join(folder, 'model'), ...device, '--log-level', 'info'], {
      env: { ...process.env, HF_HUB_OFFLINE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [server.stdout!, server.stderr!])
      stream.setEncoding('utf8').on('data', (text) => {
        log += text;
      });
    while (!(await answers(url))) {
      if (server.exitCode !== null) throw new Error(`${transformers} serve ended:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }, 240_000);
  afterAll(async () => {
    if (server.exitCode === null) {
      const closed = once(server, 'close');
      server.kill();
      await closed;
    }
    rmSync(folder, { recursive: true });
    process.stdout.write(log);
  });

  const rows = [
    {
      id: 'png',
      problem: 'How many?',
      response: '<think>four</think><answer>4</answer>',
      path: 'shapes.png',
    },
    {
      id: 'chart',
      problem: 'How many?',
      response: '<think>four</think><answer>4</answer>',
      path: 'chart.png',
    },
    { id: 'jpeg', problem: 'What is it?', options: ['A. a cat'], response: 'A', image: 'photo.jpg' },
    { id: 'text', problem: '1 + 1?', response: '<think>2</think><answer>2</answer>', data_type: 'text' },
  ];

  async function judged(...args: string[]) {
    const model = join(folder, 'model');
    const asked = ['trm', 'score', '--judge', url, '--judge-model', model, '--in', 'rows.jsonl', '--json'];
    const { code, stdout, stderr } = await sophia([...asked, ...args], { cwd: folder });
    process.stdout.write(stdout);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const got = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(got.map(({ score, failure, ...row }) => row)).toEqual(rows);
    const texts = got.map(({ score, failure }) => {
      // it has answered, and what it wrote is rubbish
      expect(score).toBeNull();
      expect(failure).toMatch(/^(the judge did not end within 16 tokens|not a score from 0 to 1): ".+"$/);
      return failure as string;
    });
    return texts;
  }

  it('answers every row with some text, which depends on the picture', async () => {
    const [png, chart] = await judged();
    expect(png).not.toBe(chart);
  });

  it('so also with a template of its user’s', async () => {
    writeFileSync(join(folder, 'template.txt'), 'Grade this. {problem}\n{response}\n');
    const [png] = await judged('--judge-template', 'template.txt');
    expect(png).not.toBe((await judged())[0]);
  });

  it('and where log-probabilities are asked for, which it does not give', async () => {
    expect(await judged('--judge-reads', 'expected')).toEqual(await judged());
  });

  it('refuses a model that it does not have in one line', async () => {
    const asked = ['trm', 'score', '--judge', url, '--judge-model', 'another', '--in', 'rows.jsonl'];
    const { code, stdout } = await sophia(asked, { cwd: folder });
    expect(code).toBe(0);
    expect(JSON.parse(stdout.split('\n')[0]).failure).toMatch(/^the server answered 4\d\d: /);
  });

  it('has answered 200 to all but those', () => {
    const statuses = [...log.matchAll(/POST \/v1\/chat\/completions HTTP\/1\.1" (\d+)/g)].map(
      ([, status]) => status,
    );
    expect(statuses.filter((status) => status === '200')).toHaveLength(5 * rows.length);
    expect(statuses.filter((status) => status !== '200')).toEqual(rows.map(() => '400'));
  });
});

/** Whether a server listens there. */
async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  taken.close();
  await once(taken, 'close');
  return port;
}
