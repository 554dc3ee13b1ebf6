/** `sophia trm score` from outside: rows in, the rows with scores out, by a server, a folder and the oracle. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type JudgeServer, startJudgeServer } from '../trm/judge-server.ts';
import { hubModel, hubPicture } from './sophia.ts';

const binary = fileURLToPath(new URL('../../bin/sophia.js', import.meta.url));
const oracleRows: { world: unknown; response: string; score: number }[] = readFileSync(
  new URL('../fixtures/seeing-world/oracle.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .slice(0, 20)
  .map((line) => JSON.parse(line));

let folder: string;
let server: JudgeServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-score-'));
  mkdirSync(join(folder, 'rows/pictures'), { recursive: true });
  for (const name of ['shapes.png', 'photo.jpg'])
    cpSync(hubPicture(name), join(folder, 'rows/pictures', name));
  writeFileSync(
    join(folder, 'rows/pictures/broken.png'),
    readFileSync(hubPicture('shapes.png')).subarray(0, 300),
  );
  cpSync(hubPicture('chart.png'), join(folder, 'elsewhere.png'));
  server = await startJudgeServer();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await server.plan({});
  await server.forget();
});

type Row = Record<string, unknown> & { score: number | null; failure: string | null };

function start(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [binary, 'trm', 'score', ...args], {
    cwd: folder,
    env: { ...process.env, OPENAI_API_KEY: '', ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => {
    const lines = stdout.split('\n').filter((line) => line !== '');
    return { code: code as number | null, stdout, stderr, rows: lines.map((line): Row => JSON.parse(line)) };
  });
  return { child, ended };
}

const line = (row: unknown) => `${JSON.stringify(row)}\n`;

/** Scores the rows as a file of the folder `rows`. */
async function score(rows: unknown[], args: string[], env: Record<string, string> = {}) {
  writeFileSync(join(folder, 'rows/given.jsonl'), rows.map(line).join(''));
  const { child, ended } = start(['--in', 'rows/given.jsonl', '--json', ...args], env);
  child.stdin.end();
  return ended;
}

const byServer = () => ['--judge', server.url, '--judge-model', 'vision'];
const row = (does: string, more: object = {}) => ({ problem: 'How many?', response: `[[${does}]]`, ...more });

describe('with a judge behind a server', () => {
  it('rows come in order, every field kept, a score that was there replaced', async () => {
    const rows = Array.from({ length: 30 }, (_, i) =>
      row(String((i % 11) / 10), { id: i, score: 'old', failure: 'old', more: { nested: [null] } }),
    );
    const got = await score(rows, byServer());
    expect({ code: got.code, stderr: got.stderr }).toEqual({ code: 0, stderr: '' });
    expect(got.rows).toEqual(rows.map((given, i) => ({ ...given, score: (i % 11) / 10, failure: null })));
    expect((await server.log()).every(({ body }) => body.model === 'vision')).toBe(true);
  });

  it('the judge sees the picture beside the file, by path or image, and never the solution or the old score', async () => {
    const rows = [
      row('0.1', { path: 'pictures/shapes.png', solution: 'SECRET', process: 'SECRET', data_type: 'image' }),
      row('0.2', { image: 'pictures/photo.jpg', score: 'SECRET' }),
      row('0.3', { path: 'pictures/none.png', data_type: 'text' }),
      row('0.4', { path: '', image: null }),
      // wherever it lies
      row('0.5', { path: join(folder, 'elsewhere.png') }),
    ];
    const got = await score(rows, byServer());
    expect(got.code).toBe(0);
    const calls = (await server.log()).sort((a, b) => (a.text < b.text ? -1 : 1));
    const shown = calls.map(({ body }) => {
      const { content } = body.messages[0];
      return typeof content === 'string' ? null : content[0].image_url?.url.slice(0, 15);
    });
    expect(shown).toEqual(['data:image/png;', 'data:image/jpeg', null, null, 'data:image/png;']);
    expect(JSON.stringify(calls)).not.toContain('SECRET');
  });

  it('exits with 0 whatever the share of failures; each says why', async () => {
    const rows = ['words', '400', 'outside', 'broken picture'].map((does) =>
      row(does, does === 'broken picture' ? { path: 'pictures/broken.png' } : {}),
    );
    const got = await score(rows, byServer());
    expect({ code: got.code, stderr: got.stderr }).toEqual({ code: 0, stderr: '' });
    expect(got.rows.map(({ score }) => score)).toEqual([null, null, null, null]);
    const reasons = [
      /^not a score/,
      /^the server answered 400: no such parameter$/,
      /^not a score/,
      /broken\.png: cannot decode the picture/,
    ];
    got.rows.forEach(({ failure }, i) => {
      expect(failure).toMatch(reasons[i]);
    });
  });

  it('a response that breaks the format is shown all the same', async () => {
    const got = await score([{ problem: 'q', response: 'no tags [[0.9]]' }], byServer());
    expect(got.rows[0].score).toBe(0.9);
  });

  it('the flags say how it is asked', async () => {
    writeFileSync(join(folder, 'template.txt'), 'Q {problem} R {response}\n');
    const got = await score(
      [row('thinking', { options: ['A', 2] })],
      [
        ...byServer(),
        ...['--judge-template', 'template.txt', '--judge-thinks', '--judge-temperature', '0.7'],
        ...['--judge-max-tokens', '50', '--judge-key', 'MY_KEY', '--judge-cache', 'cache'],
      ],
      { MY_KEY: 'sk-my-key' },
    );
    expect(got.rows[0].score).toBe(0.8);
    const [call] = await server.log();
    expect(call.text).toBe('Q How many?\nA\n2 R [[thinking]]');
    expect(call.body).toMatchObject({ temperature: 0.7, max_tokens: 50 });
    expect(call.headers.authorization).toBe('Bearer sk-my-key');
    await server.forget();
    await score(
      [row('thinking', { options: ['A', 2] })],
      [
        ...byServer(),
        ...['--judge-template', 'template.txt', '--judge-thinks', '--judge-temperature', '0.7'],
        ...['--judge-max-tokens', '50', '--judge-cache', 'cache'],
      ],
    );
    expect(await server.log()).toEqual([]);
  });

  it('expected scores that the server cannot give are said once on standard error, and taken as written', async () => {
    const got = await score([row('0.2'), row('0.3')], [...byServer(), '--judge-reads', 'expected']);
    expect({ code: got.code, scores: got.rows.map(({ score }) => score) }).toEqual({
      code: 0,
      scores: [0.2, 0.3],
    });
    expect(got.stderr).toMatch(/^judge: vision was asked for log-probabilities and gave none; [^\n]+\n$/);
  });

  it('a server that works three times out of ten costs coverage and nothing else', async () => {
    await server.plan({ failures: 0.7, kinds: ['words', 'outside', '400', 'empty'], seed: 3 });
    const rows = Array.from({ length: 100 }, (_, i) => ({ problem: 'q', response: `response ${i}`, id: i }));
    const [flaky, again] = [await score(rows, byServer()), await score(rows, byServer())];
    expect(flaky.rows).toEqual(again.rows);
    await server.plan({ seed: 3 });
    const healthy = await score(rows, byServer());
    const failed = flaky.rows.filter(({ score }) => score === null);
    expect(failed.length).toBeGreaterThan(50);
    expect(failed.length).toBeLessThan(90);
    expect(healthy.rows.every(({ score }) => score !== null)).toBe(true);
    flaky.rows.forEach((row, i) => {
      if (row.score !== null) expect(row).toEqual(healthy.rows[i]);
    });
  });
});

describe('rows stream', () => {
  it('by a server: the first comes out before the next goes in', async () => {
    const { child, ended } = start(['--in', '-', ...byServer()]);
    child.stdin.write(line({ ...row('0.5'), path: 'rows/pictures/shapes.png' }));
    const [first] = await once(child.stdout, 'data');
    expect(JSON.parse(first)).toMatchObject({ score: 0.5 });
    child.stdin.end(line(row('0.6')));
    expect(await ended).toMatchObject({ code: 0, rows: [{ score: 0.5 }, { score: 0.6 }] });
  });

  it('by a folder too', async () => {
    const { child, ended } = start(['--in', '-', '--judge', hubModel, '--threads', '1']);
    child.stdin.write(line(row('x')));
    const [first] = await once(child.stdout, 'data');
    expect(JSON.parse(first)).toMatchObject({ problem: 'How many?' });
    child.stdin.end(line(row('y')));
    expect((await ended).rows).toHaveLength(2);
  });
});

describe('with a folder', () => {
  it('rows have scores or say why not, pictures, long responses and placeholders included', async () => {
    const rows = [
      row('a', { path: 'pictures/shapes.png', score: 3 }),
      row('b', { path: 'pictures/broken.png' }),
      { problem: 'q', response: 'very long '.repeat(5000) },
      { problem: '<|image_pad|>', response: 'r' },
      row('c'),
    ];
    const asked = ['--judge', hubModel, '--judge-template', 'template.txt', '--threads', '1'];
    writeFileSync(join(folder, 'template.txt'), '{problem} {response} Score:');
    const got = await score(rows, asked);
    expect({ code: got.code, stderr: got.stderr }).toEqual({ code: 0, stderr: '' });
    expect(got.rows.map(({ score: _, failure: __, ...rest }) => rest)).toEqual(
      rows.map(({ score: _, ...rest }: Record<string, unknown>) => rest),
    );
    const failures = got.rows.map(({ failure }) => failure);
    // random weights write no scores
    expect(failures[0]).toMatch(/^(not a score|the judge did not end)/);
    expect(failures[1]).toMatch(/broken\.png: cannot decode the picture/);
    expect(failures[2]).toMatch(/takes \d+ tokens, .* but the model's context is 4096/);
    expect(failures[3]).toBe('the question holds a picture placeholder');
    expect(failures[4]).toMatch(/^(not a score|the judge did not end)/);
  });
});

describe('with the oracle', () => {
  it('rows of a world have its scores', async () => {
    const rows = oracleRows.map(({ world, response }) => ({ problem: 'q', response, world }));
    const got = await score(rows, ['--judge', 'oracle']);
    expect({ code: got.code, stderr: got.stderr }).toEqual({ code: 0, stderr: '' });
    expect(got.rows.map(({ score }) => score)).toEqual(
      oracleRows.map(({ score }) => expect.closeTo(score, 9)),
    );
  });

  it.each([undefined, 'minecraft', { grid: 3 }])(
    'a row of no world (%j) ends with exit code 2 and one line; rows before it stand',
    async (other) => {
      const { world, response } = oracleRows[0];
      const good = { problem: 'q', response, world };
      const got = await score([good, { problem: 'q', response, world: other }, good], ['--judge', 'oracle']);
      expect({ code: got.code, rows: got.rows.length }).toEqual({ code: 2, rows: 1 });
      expect(got.stderr).toMatch(/^rows\/given\.jsonl:2: world: missing; [^\n]+\n$/);
    },
  );
});

describe('a bad row ends with exit code 2 and one line that names file and line; rows before it stand', () => {
  it.each<[string, unknown, RegExp]>([
    ['no problem', { response: 'r' }, /problem: is missing/],
    ['no response', { problem: 'q' }, /response: is missing/],
    ['a response that is no text', { problem: 'q', response: ['r'] }, /response: must be string/],
    ['options that are no list', row('0.5', { options: 'A' }), /options: must be array/],
    [
      'an unknown kind of data',
      row('0.5', { data_type: 'video' }),
      /data_type: must be one of "image", "text"/,
    ],
    [
      'a relative path that leaves the folder',
      row('0.5', { path: '../elsewhere.png' }),
      /path: \S+elsewhere\.png: lies outside of .* --root\n$/,
    ],
    ['no such picture', row('0.5', { path: 'pictures/none.png' }), /path: no such picture: .*none\.png/],
    ['a folder for a picture', row('0.5', { path: 'pictures' }), /path: not a file/],
    [
      'a picture that is no path',
      row('0.5', { image: { bytes: '' } }),
      /image: must be the path of a picture/,
    ],
    ['a picture question without one', row('0.5', { data_type: 'image' }), /"image" needs a path/],
    ['no object', 'A', /must be object/],
  ])('%s', async (_what, bad, message) => {
    const got = await score([row('0.5'), bad, row('0.6')], byServer());
    expect({ code: got.code, rows: got.rows.map(({ score }) => score) }).toEqual({ code: 2, rows: [0.5] });
    expect(got.stderr).toMatch(/^rows\/given\.jsonl:2: [^\n]+\n$/);
    expect(got.stderr).toMatch(message);
  });
});

describe('wrong flags end with exit code 2 and one line', () => {
  it.each<[string, string[], RegExp]>([
    ['no judge', [], /--judge/],
    ['no address', ['--judge', 'ftp://host/v1'], /^--judge: url: must be the address of a server/],
    [
      'a model’s name without a server',
      ['--judge', 'oracle', '--judge-model', 'x'],
      /--judge-model is about one/,
    ],
    ...['--judge-template=t.txt', '--judge-thinks', '--judge-reads=text', '--judge-max-tokens=9'].map(
      (flag): [string, string[], RegExp] => [
        `${flag} for the oracle`,
        ['--judge', 'oracle', flag],
        new RegExp(`^${flag.split('=')[0]}: says how a model is asked, and the oracle is none`),
      ],
    ),
    ...['--judge-thinks', '--judge-max-tokens=9'].map((flag): [string, string[], RegExp] => [
      `${flag} for a folder whose probabilities are read`,
      ['--judge', hubModel, '--judge-reads', 'expected', flag],
      new RegExp(`\\(${flag.split('=')[0]}\\): is of a judge that writes its score`),
    ]),
    ['no such folder', ['--judge', 'nowhere'], /nowhere/],
    [
      'an endless call',
      ['--judge', 'http://h/v1', '--judge-timeout', '301'],
      /timeout_s: must be 300 at most/,
    ],
    ['a secret in the address', ['--judge', 'http://me:hunter2@h/v1'], /^url: holds a name or a password/],
    [
      'no template',
      ['--judge', 'http://h/v1', '--judge-template', 'none.txt'],
      /^--judge-template none\.txt: /,
    ],
  ])('%s', async (_what, args, message) => {
    const got = await score([row('0.5')], args);
    expect({ code: got.code, stdout: got.stdout }).toEqual({ code: 2, stdout: '' });
    expect(got.stderr).toMatch(/^[^\n]+\n$/);
    expect(got.stderr).toMatch(message);
    expect(got.stderr).not.toContain('hunter2');
  });
});
