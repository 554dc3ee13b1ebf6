/** A run whose judge is a server of its own process that fails for three responses in ten, in every way there is. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readRlMetrics, readRollouts, withoutTime } from '../../src/data/run-files.ts';
import type { RolloutGroup } from '../../src/data/run-folder.ts';
import { type JudgeServer, startJudgeServer } from '../trm/judge-server.ts';
import { lines, names, once, resultOf, sophia, workFolder } from './sophia.ts';

const job = inject('mainJob');
const { dir, remove } = workFolder();
const STEPS = 5;
const failures = 0.3;
const everyKind = ['drop', '429', '500', 'truncated', 'html', 'shape', 'outside', 'words', 'hang'];

let server: JudgeServer;
beforeAll(async () => {
  server = await startJudgeServer();
});
afterAll(async () => {
  await server.stop();
  remove();
});

function args(run: string): string[] {
  const cold = join(job.dir, 'cold-start/checkpoints');
  const settings = {
    model: join(cold, names(cold).at(-1)!),
    'data.train': join(job.dir, 'data/rl.jsonl'),
    'data.id': join(job.dir, 'data/test-id.jsonl'),
    'judge.url': server.url,
    'judge.model': 'judge',
    'judge.concurrency': 64,
    'judge.timeout_s': 1,
    baselines: '[]',
    'rl.steps': STEPS,
    'rl.prompts': 6,
    'rl.samples': 8,
    'rl.save_every': 2,
    'rl.warn_coverage': 0.5,
    'rl.min_coverage': 0.2,
    'eval.limit': 20,
  };
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return ['train', '--run', join(dir, run), ...set];
}

const metricsOf = async (run: string) => (await readRlMetrics(join(dir, run))).map(withoutTime);
async function groupsOf(run: string): Promise<RolloutGroup[]> {
  const steps = Array.from({ length: STEPS }, (_, i) => readRollouts(join(dir, run), i + 1));
  return (await Promise.all(steps)).flat();
}
const failing = (groups: RolloutGroup[]) =>
  groups.flatMap(({ responses }) =>
    responses.flatMap(({ text, failure }) => (failure === null ? [] : [text])),
  );
/** All but what a failure says. */
const unsaid = (groups: RolloutGroup[]) =>
  groups.map(({ responses, ...group }) => ({
    ...group,
    responses: responses.map(({ failure, ...rest }) => ({ ...rest, failed: failure !== null })),
  }));

describe('a run against a judge that fails for 30 % of the responses', () => {
  it('ends as it does where these responses have no score from the start', async () => {
    await server.plan({ failures, kinds: everyKind, seed: 1, retryAfter: 1 });
    const ended = await sophia(args('failing'));
    expect(ended.stderr).not.toMatch(/Error|at file:/);
    expect(ended.code).toBe(0);
    const kinds = new Set((await server.log()).map(({ action }) => action));
    expect([...kinds].filter((kind) => everyKind.includes(kind)).length).toBeGreaterThanOrEqual(5);

    // the same responses fail, at once and in one way
    await server.plan({ failures, kinds: ['words'], seed: 1 });
    expect((await sophia(args('imputed'))).code).toBe(0);

    const groups = await groupsOf('failing');
    const asked = groups.flatMap(({ responses }) => responses.filter((r) => r.format_ok));
    const share = failing(groups).length / asked.length;
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.45);
    expect(unsaid(groups)).toEqual(unsaid(await groupsOf('imputed')));
    expect(await metricsOf('failing')).toEqual(await metricsOf('imputed'));
    const weights = (run: string) =>
      Object.entries(resultOf(join(dir, run))).filter(([file]) => file.includes('checkpoints/'));
    expect(weights('failing')).toEqual(weights('imputed'));
  });

  it('gives a response without a score the mean of its side, which neither rewards nor punishes it', async () => {
    let seen = 0;
    for (const { responses, gamma, alpha, anneal } of await groupsOf('failing')) {
      const mean = (of: typeof responses) => {
        const scores = of.flatMap((r) => r.thinking ?? []);
        return scores.length > 0 ? scores.reduce((a, b) => a + b, 0) / scores.length : null;
      };
      for (const missing of responses.filter((r) => r.thinking === null)) {
        const side = responses.filter((r) => r.outcome >= 0.5 === missing.outcome >= 0.5);
        const imputed = mean(side) ?? mean(responses);
        expect(missing.reward).toBeCloseTo(missing.outcome + gamma! * alpha * anneal * (imputed ?? 0), 9);
        seen += 1;
      }
    }
    expect(seen).toBeGreaterThan(20);
    const [row] = await metricsOf('failing');
    expect(row.coverage).toBeLessThan(0.9);
  });

  it('warns of low coverage, and stops below rl.min_coverage with what the judge said', async () => {
    await server.plan({ failures: 0.7, kinds: ['500'], seed: 1 });
    const warned = await sophia([...args('warned'), '--set', 'rl.steps=1', '--set', 'rl.min_coverage=0']);
    expect(warned.code).toBe(0);
    expect(warned.stderr).toMatch(/only \d+ of \d+ responses were scored \(.*500/);
    const stopped = await sophia([...args('stopped'), '--set', 'rl.min_coverage=0.9']);
    expect(stopped.code).toBe(1);
    expect(stopped.stderr.trim().split('\n').at(-1)).toMatch(
      /^judge: only \d+ of \d+ responses were scored \(.*500.*\); mend the judge, or lower rl\.min_coverage\. Go on with: npx sophia train --run .* --resume$/,
    );
    expect(lines(join(dir, 'stopped/metrics.jsonl'))).toBe(0);
  });

  it('that was killed goes on exactly, given the same replies', async () => {
    await server.plan({ failures, kinds: ['words'], seed: 1 });
    const run = join(dir, 'killed');
    const killed = await sophia(args('killed'), {
      watch: once(() => lines(join(run, 'metrics.jsonl')) >= 3, 'SIGKILL'),
    });
    expect(killed.signal).toBe('SIGKILL');
    expect((await sophia(['train', '--run', run, '--resume'])).code).toBe(0);
    expect(await metricsOf('killed')).toEqual(await metricsOf('imputed'));
  });
});
