/** `sophia eval --benchmark` from outside: published files, a server or a checkpoint, and what is written and printed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JudgeServer, startJudgeServer } from '../trm/judge-server.ts';
import { hubModel, sophia } from './sophia.ts';

const data = fileURLToPath(new URL('../fixtures/benchmarks', import.meta.url));
let folder: string;
let server: JudgeServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-eval-benchmarks-'));
  const rules = [
    { has: 'READ', does: ['B'] },
    { has: 'Is the square', does: ['Yes'] },
    { has: '', does: ['like blood'] },
  ];
  server = await startJudgeServer({ rules });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const evaluate = (...args: string[]) => sophia(folder, 'eval', '--data', data, ...args);
const atServer = (...args: string[]) => evaluate('--model', server.url, '--model-name', 'org/m-7b', ...args);

describe('sophia eval --benchmark', () => {
  it('several at once: a folder each, one table, published figures beside; the same again asks nothing', async () => {
    const first = await atServer('--benchmark', 'mme,mmbench:cn');
    expect(first.code).toBe(0);
    expect(readdirSync(join(folder, 'eval')).sort()).toEqual(['org-m-7b-mmbench-cn', 'org-m-7b-mme']);
    expect(readdirSync(join(folder, 'eval/org-m-7b-mme')).sort()).toEqual([
      'predictions.jsonl',
      'report.html',
      'responses.jsonl',
      'scores.json',
      'settings.json',
    ]);
    expect(first.stdout).toMatch(/^MME +6 +50\.0 % +0\.0 %$/m);
    expect(first.stdout).toMatch(/^MMBench \(dev\) +3 +0\.0 % +0\.0 %$/m);
    expect(first.stdout).toMatch(/^SophiaVL-R1-7B .* 2403\.8 /m);
    expect(first.stdout).toContain('MME: eval/org-m-7b-mme/report.html');
    await server.forget();
    const again = await atServer('--benchmark', 'mme,mmbench:cn');
    expect(again.stdout).toBe(first.stdout);
    expect(await server.log()).toEqual([]);
    const scored = await sophia(
      folder,
      ...['score', '--benchmark', 'mme', '--predictions', 'eval/org-m-7b-mme/predictions.jsonl', '--json'],
    );
    const scores = JSON.parse(readFileSync(join(folder, 'eval/org-m-7b-mme/scores.json'), 'utf8'));
    expect(scores).toMatchObject(JSON.parse(scored.stdout));
    expect(scores).toMatchObject({
      model: `${server.url} org/m-7b`,
      variant: 'test',
      settings: { benchmark: 'mme', max_tokens: 2048, temperature: 0, samples: 1, template: '{problem}' },
    });
  });

  it('a checkpoint on this machine', async () => {
    const args = ['--model', hubModel, '--max-tokens', '3', '--out', 'tiny', '--json'];
    const { code, stdout } = await evaluate('--benchmark', 'mmstar', ...args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ benchmark: 'mmstar', model: hubModel, n: 4, truncated: 1 });
    expect(existsSync(join(folder, 'tiny/report.html'))).toBe(true);
  });

  it('an extractor with a prompt of its own, and one of several by vote', async () => {
    writeFileSync(join(folder, 'read.txt'), 'READ {response}\n');
    const { code, stdout } = await atServer(
      ...['--benchmark', 'mmstar', '--out', 'read', '--json', '--best-of', '2', '--vote', 'majority'],
      ...[
        '--extractor',
        server.url,
        '--extractor-model',
        'reader',
        '--extractor-template',
        'extract=read.txt',
      ],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      n: 4,
      correct: 1,
      extractor: { model: `${server.url} reader`, asked: 4, decided: 4, share: 1 },
      best_of: { samples: 2, chosen_by: 'majority', judge: null },
      settings: { samples: 2, temperature: 1 },
    });
  });
});

it('prints what choosing among 1, 2 … responses comes to', async () => {
  const args = ['--benchmark', 'mme', '--out', 'voted', '--best-of', '2', '--vote', 'majority'];
  const { stdout } = await atServer(...args);
  expect(stdout).toMatch(/^responses +majority +right$/m);
  expect(stdout).toMatch(/^2 +0\.50 +0\.50$/m);
  expect(stdout).toMatch(/^Of 2 responses the majority chose one\.$/m);
});

describe('wrong input ends with exit code 2, one line, and nothing written', () => {
  it.each([
    [
      'no such benchmark',
      ['--benchmark', 'mmlu'],
      /^--benchmark mmlu: no such benchmark; there are mathvista, /,
    ],
    ['no such variant', ['--benchmark', 'mmbench:fr'], /^--benchmark mmbench:fr: its variants are en, cn$/],
    ['one twice', ['--benchmark', 'mme,mme:test'], /^--benchmark mme,mme:test: mme:test stands there twice$/],
    [
      'no files',
      ['--benchmark', 'mme', '--data', '.'],
      /^\.: holds no files of MME, test; looked there and in mme\/ for /,
    ],
    ['a split', ['--benchmark', 'mme', '--split', 'x'], /^--split: is of records; a benchmark has variants/],
    [
      'an extractor for rules',
      ['--benchmark', 'chartqa', '--extractor', 'http://h/v1'],
      /^--extractor: .* rules alone/,
    ],
    [
      'flags of an extractor',
      ['--benchmark', 'mme', '--extractor-model', 'm'],
      /^--extractor-model: is about an extractor/,
    ],
    [
      'an adapter',
      ['--benchmark', 'mme', '--adapter', 'a'],
      /^--adapter: is of a folder's model, and --model http/,
    ],
    ['a long patience', ['--benchmark', 'mme', '--timeout', '301'], /^--timeout 301: must be 300 at most$/],
  ])('%s', async (_what, args, line) => {
    const { code, stdout, stderr } = await atServer('--out', 'new', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd()).toMatch(line);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });
});
