/** `sophia trm collect`, `annotate` and `curate` from outside, one after the other. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeMadeRun } from '../../bench/trm-rollouts.ts';
import { jsonLine } from '../../src/data/jsonl.ts';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import { annotatedSchema, collectedSchema } from '../../src/trm/rows.ts';
import { type JudgeServer, startJudgeServer } from '../trm/judge-server.ts';
import { adapter, hubModel, smallest, sophia } from './sophia.ts';

let folder: string;
let server: JudgeServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-trm-'));
  server = await startJudgeServer();
  await writeStartModel(join(folder, 'model'), smallest, 0);
  await writeMadeRun(join(folder, 'run'), 60);
  const sums = ['2', '3', '5'].map((n, i) => ({
    problem_id: i,
    problem: `${n} + ${n}`,
    data_type: 'text',
    problem_type: 'numerical',
    solution: `<answer>${2 * Number(n)}</answer>`,
    data_source: 'school',
  }));
  writeFileSync(join(folder, 'sums.jsonl'), sums.map(jsonLine).join(''));
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

type Json = Record<string, unknown>;
const trm = (...args: string[]) => sophia(folder, 'trm', ...args);
const text = (file: string) => readFileSync(join(folder, file), 'utf8');
const rows = (file: string): Json[] =>
  text(file)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
/** Runs a stage that must succeed; returns its counts. */
async function done(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await trm(...args, '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe('collect --run', () => {
  it('writes each response of the rollouts once, as its record and what is known of it', async () => {
    const counts = await done('collect', '--run', 'run', '--out', 'run.jsonl');
    const written = rows('run.jsonl');
    expect(counts).toMatchObject({ out: 'run.jsonl', read: 480, failed: {}, rows: written.length });
    expect(Number(counts.duplicates) + written.length).toBe(480);
    const groups = rows('run/rollouts/000001.jsonl') as {
      problem_id: string;
      responses: { text: string }[];
    }[];
    const texts = new Set(groups[0].responses.map((response) => response.text));
    const first = written.filter((row) => row.problem_id === groups[0].problem_id);
    expect(new Set(first.map((row) => row.response))).toEqual(texts);
    for (const row of written) {
      const facts = collectedSchema.parse(row);
      expect(row).toMatchObject({
        world: { name: 'seeing' },
        data_source: expect.stringMatching(/^seeing\//),
      });
      expect(facts.policy).toMatch(/^run@[12]$/);
      if (row.data_type === 'image') expect(existsSync(join(folder, String(row.path)))).toBe(true);
      if (facts.finish === 'length')
        expect(facts).toMatchObject({ format_ok: false, outcome: 0, right: false });
    }
    const count = (wanted: (facts: Json) => boolean) => written.filter(wanted).length;
    expect(counts).toMatchObject({
      right: count((row) => row.right === true),
      truncated: count((row) => row.finish === 'length'),
      broken_format: count((row) => row.finish === 'stop' && row.format_ok === false),
    });
    expect(
      Math.min(Number(counts.duplicates), Number(counts.truncated), Number(counts.broken_format)),
    ).toBeGreaterThan(0);
  });

  it('finds the records of a stage in the run around it, or where --data says; what there are none of is refused', async () => {
    cpSync(join(folder, 'run/rollouts'), join(folder, 'run/grpo/rollouts'), { recursive: true });
    await done('collect', '--run', 'run/grpo', '--out', 'grpo.jsonl');
    const without = (file: string) => rows(file).map(({ policy: _, ...row }) => row);
    expect(without('grpo.jsonl')).toEqual(without('run.jsonl'));
    await done('collect', '--run', 'run', '--data', 'run/data/rl.jsonl', '--out', 'by-data.jsonl');
    expect(text('by-data.jsonl')).toBe(text('run.jsonl'));
    const { code, stderr } = await trm(
      'collect',
      '--run',
      'run',
      '--data',
      'sums.jsonl',
      '--out',
      'no.jsonl',
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /rollouts\/000001\.jsonl:1: problem_id: sums\.jsonl has no record "rl-0" .* --data\n$/,
    );
    expect(existsSync(join(folder, 'no.jsonl'))).toBe(false);
  });
});

describe('collect --policy', () => {
  it('samples a checkpoint; the same seed draws the same rows, another one others', async () => {
    const ask = (out: string, ...more: string[]) =>
      done(
        'collect',
        '--policy',
        'model',
        '--data',
        'run/data/rl.jsonl',
        '--samples',
        '3',
        '--max-tokens',
        '6',
        '--limit',
        '10',
        '--out',
        out,
        ...more,
      );
    expect(await ask('p.jsonl')).toMatchObject({ read: 30, truncated: expect.any(Number) });
    await ask('p-again.jsonl');
    expect(text('p-again.jsonl')).toBe(text('p.jsonl'));
    await ask('p-1.jsonl', '--seed', '1');
    expect(text('p-1.jsonl')).not.toBe(text('p.jsonl'));
    expect(collectedSchema.parse(rows('p.jsonl')[0]).policy).toBe('model');
  });

  it('takes adapters beside the weights', async () => {
    const ask = (out: string, ...more: string[]) =>
      done(
        'collect',
        '--policy',
        hubModel,
        '--data',
        'sums.jsonl',
        '--samples',
        '2',
        '--max-tokens',
        '4',
        '--out',
        out,
        ...more,
      );
    await ask('bare.jsonl');
    await ask('adapted.jsonl', '--adapter', adapter);
    const responses = (file: string) => rows(file).map((row) => row.response);
    expect(responses('adapted.jsonl')).not.toEqual(responses('bare.jsonl'));
  });

  it('asks a server once a response; calls that fail are counted and make no row', async () => {
    await server.plan({
      rules: [
        {
          has: '2 + 2',
          does: ['<think>two and two</think><answer>4</answer>', '<think>so 5</think><answer>5</answer>'],
        },
        { has: '3 + 3', does: ['400', 'length'] },
        { has: '5 + 5', does: ['400'] },
      ],
    });
    await server.forget();
    const counts = await done(
      'collect',
      '--policy',
      server.url,
      '--policy-model',
      'm',
      '--data',
      'sums.jsonl',
      '--samples',
      '2',
      '--template',
      'add: {problem}',
      '--out',
      'url.jsonl',
    );
    expect(counts).toMatchObject({
      read: 6,
      failed: { 'the server answered 400': 3 },
      duplicates: 0,
      rows: 3,
      truncated: 1,
      right: 1,
    });
    expect(
      rows('url.jsonl')
        .filter((row) => row.problem === '2 + 2')
        .map((row) => row.outcome)
        .sort(),
    ).toEqual([0, 1]);
    const calls = await server.log();
    expect(calls).toHaveLength(6);
    expect(calls.map(({ body }) => body.model)).toEqual(Array(6).fill('m'));
    expect(calls[0].text).toMatch(/^add: \d/);
    expect(new Set(calls.map(({ body }) => body.seed)).size).toBe(6);
  });

  it('a server that answers nothing ends the stage with one line, and nothing is written', async () => {
    await server.plan({ rules: [{ has: '+', does: ['400'] }] });
    const { code, stdout, stderr } = await trm(
      'collect',
      '--policy',
      server.url,
      '--data',
      'sums.jsonl',
      '--out',
      'dead.jsonl',
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^dead\.jsonl: not written: the policy gives no answer \(the server answered 400/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('dead.jsonl'))).toEqual([]);
  });
});

describe('annotate', () => {
  it('adds a score or a failure to every row, in order', async () => {
    const counts = await done('annotate', '--in', 'run.jsonl', '--judge', 'oracle', '--out', 'oracle.jsonl');
    const before = rows('run.jsonl');
    const after = rows('oracle.jsonl');
    expect(after.map(({ score: _, failure: __, annotator: ___, ...row }) => row)).toEqual(before);
    for (const row of after) {
      const { score, failure, annotator, finish, format_ok } = annotatedSchema.parse(row);
      expect(annotator).toBe('oracle');
      expect(failure).toBe(
        finish === 'length' ? 'truncated: not judged' : format_ok ? null : 'broken format: not judged',
      );
      expect(score === null).toBe(failure !== null);
    }
    const scored = after.filter((row) => row.score !== null).length;
    expect(counts).toMatchObject({ read: before.length, scored });
    expect(new Set(after.map((row) => row.score)).size).toBeGreaterThan(8);
  });

  it('asks only rows that failed again; the others keep their score', async () => {
    await server.plan({ rules: [{ has: 'so ', does: ['0.7'] }], failures: 1, kinds: ['words'] });
    const first = await done(
      'annotate',
      '--in',
      'url.jsonl',
      '--judge',
      server.url,
      '--judge-model',
      'j',
      '--out',
      'some.jsonl',
    );
    expect(first).toMatchObject({
      read: 3,
      scored: 1,
      failed: { truncated: 1, 'not a score from 0 to 1': 1 },
    });
    await server.plan({ rules: [{ has: '', does: ['0.4'] }] });
    await server.forget();
    const retried = await done(
      'annotate',
      '--in',
      'some.jsonl',
      '--retry-failed',
      '--judge',
      server.url,
      '--judge-model',
      'j',
      '--out',
      'all.jsonl',
    );
    expect(retried).toMatchObject({ read: 3, scored: 2, failed: { truncated: 1 } });
    expect(await server.log()).toHaveLength(1);
    expect(
      rows('all.jsonl')
        .map((row) => row.score)
        .sort(),
    ).toEqual([0.4, 0.7, null]);
    expect(rows('all.jsonl')[0].annotator).toBe(`${server.url} j`);
  });

  it('keeps what was scored before an error, and goes on with the same prompt only, by what its file says', async () => {
    const write = (file: string, said: string) => writeFileSync(join(folder, file), said);
    const lines = text('url.jsonl').trimEnd().split('\n');
    const last = lines.at(-1)!;
    const input = (end: string) => write('damaged.jsonl', [...lines.slice(0, -1), end, ''].join('\n'));
    const args = [
      ...['annotate', '--in', 'damaged.jsonl', '--out', 'kept.jsonl', '--judge-template', 'template.txt'],
      ...['--judge', `${server.url}?key=hunter2`],
    ];
    await server.plan({ rules: [{ has: '', does: ['0.4'] }] });
    write('template.txt', 'Q {problem} R {response}');
    input(last.replace('"finish"', '"finisch"').replace(' + ', '+ '));
    const stopped = await trm(...args);
    expect(stopped.code).toBe(2);
    expect(stopped.stderr.trimEnd().split('\n').at(-1)).toMatch(/^damaged\.jsonl:3: finish: is missing$/);
    expect(JSON.parse(text('kept.jsonl.part.json'))).toMatchObject({ inputs: 2 });
    expect(text('kept.jsonl.part.json')).not.toContain('hunter2');
    input(last);

    write('template.txt', 'Question {problem} R {response}');
    const other = await trm(...args);
    expect(other.code).toBe(2);
    expect(other.stderr.trimEnd().split('\n').at(-1)).toMatch(/was begun with another judgeTemplate \(/);

    write('template.txt', 'Q {problem} R {response}');
    expect(await done(...args)).toMatchObject({ read: 3, scored: 2 });
    expect(rows('kept.jsonl').map((row) => row.annotator)).toEqual(Array(3).fill(server.url));
  });

  it('rows of a policy behind a server name it without what may be secret in its address', async () => {
    await server.plan({ rules: [{ has: '', does: ['<think>so</think><answer>4</answer>'] }] });
    const address = `${server.url}?key=hunter2`;
    await done(
      'collect',
      '--policy',
      address,
      '--data',
      'sums.jsonl',
      '--samples',
      '1',
      '--out',
      'named.jsonl',
    );
    expect(rows('named.jsonl').map((row) => row.policy)).toEqual(Array(3).fill(`${server.url} default`));
  });

  it('a picture that cannot be read costs its row', async () => {
    const some = rows('run.jsonl')
      .filter((row) => row.data_type === 'image' && row.format_ok === true)
      .slice(0, 4);
    writeFileSync(join(folder, 'broken.png'), 'no picture');
    some[1].path = 'broken.png';
    writeFileSync(join(folder, 'pictures.jsonl'), some.map(jsonLine).join(''));
    await server.plan({});
    for (const judge of [server.url, join(folder, 'model')]) {
      const { stderr } = await trm(
        'annotate',
        '--in',
        'pictures.jsonl',
        '--judge',
        judge,
        '--judge-reads',
        'text',
        '--out',
        'seen.jsonl',
        '--force',
      );
      const failures = rows('seen.jsonl').map((row) => String(row.failure));
      expect(failures[1], stderr).toMatch(/^unreadable picture: /);
      expect(failures.filter((failure) => failure.startsWith('unreadable'))).toHaveLength(1);
    }
  });

  it('ends with 1 where nothing could be scored: the file says why; with 2 where the judge can judge none of it', async () => {
    await server.plan({ failures: 1, kinds: ['words'] });
    const none = await trm('annotate', '--in', 'url.jsonl', '--judge', server.url, '--out', 'none.jsonl');
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^none\.jsonl: not one of 3 responses was scored \(.*\); its rows say why$/,
    );
    expect(rows('none.jsonl').every((row) => row.failure !== null)).toBe(true);
    const refused = await trm('annotate', '--in', 'url.jsonl', '--judge', 'oracle', '--out', 'refused.jsonl');
    expect(refused.code).toBe(2);
    expect(refused.stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^url\.jsonl:\d: refused: world: missing; the oracle judges only/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('refused.jsonl'))).toEqual([]);
  });
});

describe('curate', () => {
  it('prints counts by rule and by interval, on stderr for people and as JSON for programs', async () => {
    const { code, stdout, stderr } = await trm(
      'curate',
      '--in',
      'oracle.jsonl',
      '--floor',
      '5',
      '--cap',
      '30',
      '--total',
      '120',
      '--out',
      'curated.jsonl',
      '--json',
    );
    expect(code, stderr).toBe(0);
    const counts = JSON.parse(stdout);
    expect(counts).toMatchObject({
      kept: 120,
      rejected: { duplicate: 0, loops: expect.any(Number), language: 0 },
    });
    expect(counts.rejected.loops).toBeGreaterThan(0);
    expect(rows('curated.jsonl')).toHaveLength(120);
    expect(stderr).toMatch(/^curated\.jsonl: 120 of \d+ rows$/m);
    expect(stderr).toMatch(new RegExp(`^  loops +${counts.rejected.loops}$`, 'm'));
    const { available, kept } = counts.intervals[9];
    expect(stderr).toMatch(new RegExp(`^  0\\.9–1\\.0 +${available} +${kept}$`, 'm'));
  });

  it('rules are switched off by name; the same rows from two files are duplicates', async () => {
    const once = await done(
      'curate',
      '--in',
      'oracle.jsonl',
      '--out',
      'once.jsonl',
      '--without',
      'loops',
      '--without',
      'inconsistent',
    );
    expect(once.rejected).toMatchObject({ loops: 0, inconsistent: 0, duplicate: 0 });
    const twice = await done(
      'curate',
      '--in',
      'oracle.jsonl',
      'oracle.jsonl',
      '--out',
      'twice.jsonl',
      '--without',
      'loops',
      '--without',
      'inconsistent',
    );
    expect(text('twice.jsonl')).toBe(text('once.jsonl'));
    expect(twice.rejected).toMatchObject({ duplicate: rows('oracle.jsonl').length });
  });
});

describe('wrong input ends with exit code 2 and one line', () => {
  it.each<[what: string, args: string[], line: RegExp]>([
    ['neither a run nor a policy', ['collect'], /^--run, --policy: give one of the two/],
    ['both', ['collect', '--run', 'run', '--policy', 'model'], /^--run, --policy: give one/],
    ['sampling of a run', ['collect', '--run', 'run', '--samples', '2'], /^--samples: is of --policy/],
    ['a policy without questions', ['collect', '--policy', 'model'], /^--data: missing/],
    [
      "a server's flag for a folder",
      ['collect', '--policy', 'model', '--data', 'sums.jsonl', '--policy-key', 'K'],
      /--policy-key is about one$/,
    ],
    [
      'an adapter for a server',
      ['collect', '--policy', 'http://127.0.0.1:1', '--data', 'sums.jsonl', '--adapter', 'a'],
      /^--adapter: is of a folder's model/,
    ],
    [
      'no such policy',
      ['collect', '--policy', 'nowhere', '--data', 'sums.jsonl'],
      /^--policy nowhere: no such folder$/,
    ],
    ['a folder without rollouts', ['collect', '--run', 'model'], /^--run model: holds no rollouts/],
    ['standard input', ['annotate', '--in', '-', '--judge', 'oracle'], /^--in -: must be a file/],
    [
      'rows that were not collected',
      ['annotate', '--in', 'sums.jsonl', '--judge', 'oracle'],
      /^sums\.jsonl:1: response: is missing$/,
    ],
    ['rows that were not annotated', ['curate', '--in', 'run.jsonl'], /^run\.jsonl:1: score: is missing$/],
    [
      'a floor above the cap',
      ['curate', '--in', 'oracle.jsonl', '--cap', '9'],
      /^--floor 5000: is above --cap 9$/,
    ],
    [
      'a rule there is not',
      ['curate', '--in', 'oracle.jsonl', '--without', 'lops'],
      /^--without lops: no such rule; there are duplicate, /,
    ],
    [
      'a bound above 1',
      ['curate', '--in', 'oracle.jsonl', '--max-over', '2'],
      /^--max-over 2: must be a number from 0 to 1$/,
    ],
  ])('%s', async (_, args, line) => {
    const { code, stdout, stderr } = await trm(...args, '--out', 'wrong.jsonl');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(line);
    expect(readdirSync(folder).filter((name) => name.startsWith('wrong.jsonl'))).toEqual([]);
  });

  it.each(['collect --run run', 'annotate --in run.jsonl --judge oracle', 'curate --in oracle.jsonl'])(
    '%s: a file that exists is replaced only with --force',
    async (command) => {
      const args = command.split(' ');
      writeFileSync(join(folder, 'mine.jsonl'), 'mine');
      const refused = await trm(...args, '--out', 'mine.jsonl');
      expect(refused).toMatchObject({
        code: 2,
        stderr: 'mine.jsonl: exists already; name another file, or replace it with --force\n',
      });
      expect(text('mine.jsonl')).toBe('mine');
      expect((await trm(...args, '--out', 'mine.jsonl', '--force')).code).toBe(0);
      expect(rows('mine.jsonl').length).toBeGreaterThan(100);
    },
  );
});
