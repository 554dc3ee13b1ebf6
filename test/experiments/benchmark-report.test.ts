/** The page of right and wrong answers: whatever a question or a response says is text in it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formats } from '../../src/eval/asking/template.ts';
import { writeBenchmarkReport } from '../../src/experiments/benchmark-report.ts';
import { evaluateSample } from '../eval/model-server.ts';
import { type JudgeServer, startJudgeServer } from '../trm/judge-server.ts';

let folder: string;
let server: JudgeServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-report-'));
  server = await startJudgeServer();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const HOSTILE =
  '</pre><script>alert(1)</script><img src="http://example.org/x" onerror="alert(1)">\u202e Yes';

async function report(does: string[], failures: 'wrong' | null = null): Promise<string> {
  await server.plan({
    rules: [
      { has: 'yellow?', does },
      { has: '', does: [HOSTILE] },
    ],
  });
  const out = mkdtempSync(join(folder, 'out-'));
  rmSync(out, { recursive: true });
  const { benchmark, questions, rows, scores } = await evaluateSample('mme', out, server.url, { failures });
  await writeBenchmarkReport(out, { benchmark, questions, template: formats.plain, rows, scores: scores! });
  return readFileSync(join(out, 'report.html'), 'utf8');
}

describe('the report of a benchmark', () => {
  it('shows right and wrong answers with their pictures, scores by category, and what is published', async () => {
    const page = await report(['No']);
    for (const name of ['Scores', 'Wrong answers', 'Right answers', 'Beside published figures', 'Settings'])
      expect(page).toContain(`>${name}</h2>`);
    expect(page.match(/<article/g)).toHaveLength(6);
    expect(page.match(/<img [^>]*src="data:image\/png;base64,/g)).toHaveLength(6);
    expect(page).toContain('4 of 6 are right: 66.7 %.');
    expect(page).toMatch(/<th scope="row">color<\/th>/);
    expect(page).toContain('(this run)');
    expect(page).toContain('SophiaVL-R1-7B');
    expect(page).toContain('True answer: <strong>Yes</strong>');
  });

  it('needs nothing from outside and makes no markup of what a model says', async () => {
    const page = await report(['No']);
    expect(page).not.toMatch(/<script>alert|onerror="|src="http|\u202e/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('default-src &#39;none&#39;');
  });

  it('lists questions without a response where these count as wrong', async () => {
    const page = await report(['400'], 'wrong');
    expect(page).toContain('1 question has no response, which counts as wrong');
    expect(page).toMatch(/Without a response<\/h2>[\s\S]*the server answered 400: no such parameter/);
    expect(page.match(/<article/g)).toHaveLength(5);
  });
});
