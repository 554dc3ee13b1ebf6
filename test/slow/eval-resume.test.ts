/** `sophia eval --benchmark` killed without warning: the same command goes on and comes to the same files. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type JudgeServer, startJudgeServer } from '../trm/judge-server.ts';
import { sophia } from './sophia.ts';

let folder: string;
let server: JudgeServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-eval-resume-'));
  mkdirSync(join(folder, 'data'));
  const pixel =
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
  const rows = Array.from({ length: 60 }, (_, i) => [i, `Question ${i} end`, 'x', 'y', 'A', 'math', pixel]);
  const head = ['index', 'question', 'A', 'B', 'answer', 'category', 'image'];
  const lines = [head, ...rows].map((cells) => `${cells.join('\t')}\n`);
  writeFileSync(join(folder, 'data/MMStar.tsv'), lines.join(''));
  server = await startJudgeServer({ rules: [{ has: '', does: ['slow'] }], delayMs: 150 });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const evaluate = (out: string, watch?: Parameters<typeof sophia>[1]) =>
  sophia(
    ['eval', '--model', server.url, '--benchmark', 'mmstar', '--data', join(folder, 'data'), '--out', out],
    watch,
  );

it('three kills change nothing but the time', async () => {
  const out = join(folder, 'killed');
  const part = join(out, 'responses.jsonl.part');
  const kept = (): number =>
    existsSync(`${part}.json`) ? JSON.parse(readFileSync(`${part}.json`, 'utf8')).inputs : 0;
  for (const rows of [5, 20, 40]) {
    const ended = await evaluate(out, { watch: ({ kill }) => void (kept() >= rows && kill('SIGKILL')) });
    expect(ended.signal).toBe('SIGKILL');
    expect(existsSync(join(out, 'scores.json'))).toBe(false);
  }
  const inputs = kept();
  expect(inputs).toBeGreaterThanOrEqual(40);
  await server.forget();
  expect((await evaluate(out)).code).toBe(0);
  const asked = (await server.log()).map(({ text }) => Number(/Question (\d+) end/.exec(text)![1]));
  const rest = Array.from({ length: 60 - inputs }, (_, i) => inputs + i);
  expect(asked.sort((a, b) => a - b)).toEqual(rest);
  const straight = join(folder, 'straight');
  expect((await evaluate(straight)).code).toBe(0);
  for (const file of ['responses.jsonl', 'predictions.jsonl', 'scores.json', 'report.html'])
    expect(readFileSync(join(out, file), 'utf8')).toBe(readFileSync(join(straight, file), 'utf8'));
});
