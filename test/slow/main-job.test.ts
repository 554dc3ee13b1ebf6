/** What `sophia train recipes/tiny.yaml` leaves behind, checked from outside with formulas of its own. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import {
  listCheckpoints,
  listRollouts,
  readRlMetrics,
  readRollouts,
  readScores,
  readSftMetrics,
  readTrainerState,
} from '../../src/data/run-files.ts';
import type { RlMetrics, RolloutGroup, Scores } from '../../src/data/run-folder.ts';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import type { Prediction } from '../../src/eval/measures.ts';
import { readRecipe } from '../../src/experiments/recipe-file.ts';
import { filesBelow, leftovers, lines, names, readJson, readRows } from './sophia.ts';

const job = inject('mainJob');
const at = (...path: string[]) => join(job.dir, ...path);

/** Folder and variant of what was evaluated, in the table's order. */
const evaluated = [
  ['cold-start', 'Cold start'],
  ['grpo', 'GRPO'],
  ['.', 'Trust-GRPO'],
] as const;
const splits = ['id', 'ood'] as const;
/** Steps of reinforcement. */
const T = 10;

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe('the shortened main job', () => {
  it('ends well', () => expect(job.code, job.stderr).toBe(0));

  it('tells how far it is on stderr, stage by stage, and nothing of that on stdout', () => {
    for (const stage of ['world', 'cold-start', 'trm: responses', 'trm', 'grpo', 'trust-grpo'])
      expect(job.stderr).toMatch(new RegExp(`^${stage}: \\d+ to do$`, 'm'));
    for (const [, name] of evaluated)
      expect(job.stderr).toMatch(
        new RegExp(`^evaluate ${name.toLowerCase().replace(' ', '-')} done in`, 'm'),
      );
    expect(job.stdout).not.toContain('to do');
    expect(job.stdout).not.toContain('done in');
  });

  it('ends with the table and the path of the report on stdout', () => {
    const [, report] = /\n\nReport: (\S+)\n$/.exec(job.stdout)!;
    expect(resolve(report)).toBe(at('report.html'));
    expect(job.stdout).toContain(readFileSync(at('table.txt'), 'utf8'));
  });

  it('leaves the run folder that docs/architecture.md describes, and nothing half-written', () => {
    expect(names(job.dir)).toEqual(
      [
        'checkpoints',
        'cold-start',
        'data',
        'eval',
        'grpo',
        'metrics.jsonl',
        'recipe.yaml',
        'report.html',
        'rollouts',
        'start',
        'table.txt',
        'timings.json',
        'trm',
      ].sort(),
    );
    expect(names(at('cold-start'))).toEqual(['checkpoints', 'eval', 'metrics.jsonl']);
    expect(names(at('grpo'))).toEqual(['checkpoints', 'eval', 'metrics.jsonl', 'rollouts']);
    expect(names(at('rollouts'))).toEqual(
      Array.from({ length: T }, (_, i) => `${String(i + 1).padStart(6, '0')}.jsonl`),
    );
    expect(leftovers(job.dir)).toEqual([]);
  });

  it('writes down the recipe with every default, which reads back to the same', async () => {
    const recipe = await readRecipe(at('recipe.yaml'), []);
    expect(recipe).toEqual(await readRecipe(resolve('recipes/tiny.yaml'), []));
    expect(readFileSync(at('recipe.yaml'), 'utf8')).toContain('alpha: 0.3');
  });

  it('writes metrics of every stage in the format promised, a line a step', async () => {
    const recipe = await readRecipe(at('recipe.yaml'), []);
    const steps = (rows: { step: number }[]) => rows.map(({ step }) => step);
    const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
    const cold = recipe.cold_start.phases.reduce((sum, phase) => sum + phase.steps, 0);
    expect(steps(await readSftMetrics(at('cold-start')))).toEqual(upTo(cold));
    expect(steps(await readSftMetrics(at('trm')))).toEqual(upTo(recipe.trm.steps));
    for (const stage of ['.', 'grpo'])
      expect(steps(await readRlMetrics(at(stage)))).toEqual(upTo(recipe.rl.steps));
  });

  it('learns: the cold start’s loss falls by more than half', async () => {
    const losses = (await readSftMetrics(at('cold-start'))).map((row) => row.loss!);
    expect(mean(losses.slice(-10))).toBeLessThan(mean(losses.slice(0, 10)) / 2);
  });
});

describe('the report', () => {
  const html = readFileSync(at('report.html'), 'utf8');

  it('is one file: it asks for nothing from anywhere', () => {
    expect(html).toMatch(/^<!doctype html>/i);
    expect(html).toMatch(/<\/html>\s*$/);
    const asked = [...html.matchAll(/\b(?:src|href|poster|action)\s*=\s*["']?([^"'\s>]+)/gi)].map(
      (m) => m[1],
    );
    expect(asked.filter((target) => !/^(data:|#)/.test(target))).toEqual([]);
    const others = html.match(/@import|url\((?!["']?(?:data:|#))|<iframe\b|\bfetch\(|XMLHttpRequest/gi);
    expect(others ?? []).toEqual([]);
  });

  it('shows the figures of the table and examples with their pictures', () => {
    for (const [, name] of evaluated) expect(html).toContain(name);
    expect(html).toContain('data:image/png;base64,');
    const { accuracy } = readJson<Scores>(at('eval/id/scores.json'));
    expect(html).toContain(accuracy.toFixed(2));
  });
});

describe('checkpoints', () => {
  it.each(['cold-start', 'trm', 'grpo', '.'])('of %s are whole model folders that load', async (stage) => {
    const checkpoints = await listCheckpoints(at(stage));
    const { step, dir } = checkpoints.at(-1)!;
    expect((await readTrainerState(dir)).total_steps).toBe(step);
    expect(names(dir)).toEqual([
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      // how a TRM is asked
      ...(stage === 'trm' ? ['judge.json'] : []),
      'model.safetensors',
      'preprocessor_config.json',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'trainer',
    ]);
    const engine = await createLocalEngine({
      source: { dir },
      trainable: true,
      provider: 'cpu',
      threads: 1,
      tokenBudget: 1024,
    });
    await engine.load(dir, { optimizer: true });
    expect(engine.capabilities.parameters).toBeGreaterThan(500_000);
    await engine.dispose();
  });
});

describe('the figures', () => {
  /** Recomputed from the predictions, after docs/architecture.md and nothing else. */
  function recomputed(predictions: Prediction[]) {
    const n = predictions.length;
    const right = predictions.filter((p) => p.right);
    const sound = (p: Prediction) => p.oracle!.score >= 0.5;
    return {
      n,
      accuracy: right.length / n,
      quality: mean(predictions.map((p) => p.oracle!.score)),
      flawed_right: right.length === 0 ? null : right.filter((p) => !sound(p)).length / right.length,
      reliability_conditioned_accuracy: right.filter(sound).length / n,
      broken_format: predictions.filter((p) => !p.format_ok).length / n,
      truncated: predictions.filter((p) => p.finish === 'length').length / n,
    };
  }

  const cases = evaluated.flatMap(([stage, name]) => splits.map((split) => [name, split, stage] as const));
  it.each(cases)('of %s on %s follow from its predictions', async (_name, split, stage) => {
    const scores = await readScores(at(stage), split);
    const predictions = readRows<Prediction>(at(stage, 'eval', split, 'predictions.jsonl'));
    const expected = recomputed(predictions);
    for (const [key, value] of Object.entries(expected)) {
      const got = scores[key as keyof typeof expected];
      if (value === null) expect(got, key).toBeNull();
      else expect(got, key).toBeCloseTo(value, 12);
    }
    expect(Object.values(scores.by_type).reduce((sum, { n }) => sum + n, 0)).toBe(scores.n);
    expect(mean(Object.values(scores.by_style!).map((s) => s.share))).toBeCloseTo(
      1 / Object.keys(scores.by_style!).length,
      12,
    );
    // every question of the file, in its order
    const asked = readRows(at('data', `test-${split}.jsonl`)).map((row) => row.problem_id);
    expect(predictions.map((p) => p.problem_id)).toEqual(asked);
    // a right answer is the solution word for word
    for (const p of predictions) {
      const answer = /<answer>([\s\S]*?)<\/answer>\s*$/.exec(p.response)?.[1].trim();
      const solution = /<answer>([\s\S]*)<\/answer>/.exec(p.solution)![1].trim();
      if (p.format_ok) expect(p.right, p.response).toBe(answer === solution);
      else expect(p.right).toBe(false);
    }
  });

  it('in the table are those of scores.json', async () => {
    const blocks = { id: 'In distribution (ID)', ood: 'Out of distribution (OOD)' };
    const table = job.stdout.split('\n');
    for (const split of splits) {
      const head = table.findIndex((line) => line.startsWith(blocks[split]));
      for (const [i, [stage, name]] of evaluated.entries()) {
        const scores = await readScores(at(stage), split);
        const line = table[head + 1 + i].trim();
        expect(line.startsWith(name), line).toBe(true);
        const shown = (value: number | null) => (value === null ? '–' : value.toFixed(2));
        expect(line.slice(name.length).trim().split(/\s+/)).toEqual(
          [scores.accuracy, scores.reliability_conditioned_accuracy, scores.flawed_right, scores.quality].map(
            shown,
          ),
        );
      }
    }
  });
});

describe('every group of every rollout', () => {
  const alpha = 0.3;
  const groupsOf = async (stage: string) =>
    (await Promise.all((await listRollouts(at(stage))).map((step) => readRollouts(at(stage), step)))).flat();

  /** γ, R and A from Ro and Rt after the paper's equations; a missing Rt takes the mean of its side. */
  function byThePaper({ step, responses }: RolloutGroup) {
    const Ro = responses.map((r) => r.outcome);
    const scored = responses.filter((r) => r.thinking !== null);
    const right = scored.filter((r) => r.outcome >= 0.5).map((r) => r.thinking!);
    const wrong = scored.filter((r) => r.outcome < 0.5).map((r) => r.thinking!);
    const gap = right.length && wrong.length ? mean(right) - mean(wrong) : 0;
    const gamma = gap < 0 ? Math.exp(gap) : 1;
    const Rt = responses.map(({ thinking, outcome }) => {
      const side = outcome >= 0.5 ? right : wrong;
      return thinking ?? mean(side.length ? side : scored.map((r) => r.thinking!));
    });
    const R = Ro.map((ro, i) => ro + gamma * alpha * Math.exp(-(step - 1) / T) * Rt[i]);
    const spread = Math.sqrt(R.reduce((sum, r) => sum + (r - mean(R)) ** 2, 0) / (R.length - 1));
    const A = R.map((r) => (r - mean(R)) / (spread + 1e-6));
    return { gamma, R, A, right, wrong };
  }

  it('of Trust-GRPO has γ, R and A as the paper’s equations give them from Ro and Rt', async () => {
    const groups = await groupsOf('.');
    expect(groups.length).toBe(6 * T);
    for (const group of groups) {
      const { gamma, R, A, right, wrong } = byThePaper(group);
      expect(group.gamma).toBeCloseTo(gamma, 12);
      if (right.length) expect(group.mu_c).toBeCloseTo(mean(right), 12);
      else expect(group.mu_c).toBeNull();
      if (wrong.length) expect(group.mu_w).toBeCloseTo(mean(wrong), 12);
      else expect(group.mu_w).toBeNull();
      expect(group.tied).toBe(new Set(group.responses.map((r) => r.outcome >= 0.5)).size === 1);
      group.responses.forEach((response, i) => {
        expect(response.reward).toBeCloseTo(R[i], 12);
        expect(response.advantage).toBeCloseTo(A[i], 6);
        if (!response.format_ok) expect([response.outcome, response.thinking]).toEqual([0, 0]);
        expect(response.thinking === null).toBe(response.failure !== null);
      });
    }
    // the cases that matter did occur
    expect(groups.some((g) => g.gamma! < 1)).toBe(true);
    expect(groups.some((g) => g.tied)).toBe(true);
    expect(groups.some((g) => !g.tied)).toBe(true);
  });

  it('of outcome-only GRPO has R = Ro, and no advantage where all are alike', async () => {
    for (const group of await groupsOf('grpo')) {
      expect([group.gamma, group.mu_c, group.mu_w]).toEqual([null, null, null]);
      for (const r of group.responses) {
        expect(r.reward).toBe(r.outcome);
        expect(r.thinking).toBeNull();
        if (new Set(group.responses.map((other) => other.outcome)).size === 1) expect(r.advantage).toBe(0);
      }
    }
  });

  it('names a picture in the run folder, or none', async () => {
    for (const { path } of await groupsOf('.'))
      if (path !== null) expect(existsSync(at(path)), path).toBe(true);
  });

  it.each(['.', 'grpo'])('adds up to the metrics of its step (%s)', async (stage) => {
    const rows = await readRlMetrics(at(stage));
    for (const row of rows) {
      const groups = await readRollouts(at(stage), row.step);
      expect(figures(row)).toEqual(figuresOf(groups, stage === '.'));
    }
  });

  const close = (value: number | null) => (value === null ? null : expect.closeTo(value, 10));
  const figures = (row: RlMetrics) => ({
    accuracy: row.accuracy,
    outcome: row.outcome,
    reward: row.reward,
    thinking: row.thinking,
    coverage: row.coverage,
    gamma: row.gamma,
    gamma_below_1: row.gamma_below_1,
    tied: row.tied,
    tied_right: row.tied_right,
    tied_wrong: row.tied_wrong,
    quality: row.quality,
    flawed_right: row.flawed_right,
    broken_format: row.broken_format,
    truncated: row.truncated,
    completion_tokens: row.completion_tokens,
  });
  function figuresOf(groups: RolloutGroup[], judged: boolean) {
    const all = groups.flatMap((g) => g.responses);
    const share = <T>(items: T[], is: (item: T) => boolean) => items.filter(is).length / items.length;
    const right = all.filter((r) => r.right);
    const wellFormed = all.filter((r) => r.format_ok);
    const mixed = groups.filter((g) => !g.tied);
    return {
      accuracy: close(share(all, (r) => r.right)),
      outcome: close(mean(all.map((r) => r.outcome))),
      reward: close(mean(all.map((r) => r.reward))),
      thinking: judged ? close(mean(all.flatMap((r) => r.thinking ?? []))) : null,
      coverage: judged ? close(share(wellFormed, (r) => r.thinking !== null)) : null,
      gamma: judged && mixed.length ? close(mean(mixed.map((g) => g.gamma!))) : null,
      gamma_below_1: judged && mixed.length ? close(share(mixed, (g) => g.gamma! < 1)) : null,
      tied: close(share(groups, (g) => g.tied)),
      tied_right: close(share(groups, (g) => g.responses.every((r) => r.outcome >= 0.5))),
      tied_wrong: close(share(groups, (g) => g.responses.every((r) => r.outcome < 0.5))),
      quality: close(mean(all.map((r) => r.oracle!.score))),
      flawed_right: right.length ? close(share(right, (r) => r.oracle!.score < 0.5)) : null,
      broken_format: close(share(all, (r) => !r.format_ok)),
      truncated: close(share(all, (r) => r.finish === 'length')),
      completion_tokens: close(mean(all.map((r) => r.tokens))),
    };
  }
});

describe('the Thinking Reward Model', () => {
  it('learnt from responses of the cold start, with the oracle’s scores, and kept questions apart for measuring', () => {
    const [lessons, heldOut] = ['responses', 'held-out'].map((name) => readRows(at('trm', `${name}.jsonl`)));
    const ids = (rows: Record<string, unknown>[]) => new Set(rows.map((row) => row.problem_id));
    expect([...ids(heldOut)].filter((id) => ids(lessons).has(id))).toEqual([]);
    for (const row of [...lessons, ...heldOut])
      expect(typeof row.score === 'number' && typeof row.response === 'string').toBe(true);
  });

  it('has its reliability measured at the start and on the policy it has trained', () => {
    const { on_trained_policy: after, ...start } = readJson<Record<string, unknown>>(
      at('trm/reliability.json'),
    );
    const keys = ['auc_right', 'auc_sound', 'mae', 'n', 'spearman'];
    expect(Object.keys(start).sort()).toEqual(keys);
    expect(Object.keys(after as object).sort()).toEqual(keys);
    const heldOut = lines(at('trm/held-out.jsonl'));
    // those that it did score
    expect(start.n as number).toBeGreaterThan(heldOut / 2);
    expect(start.n as number).toBeLessThanOrEqual(heldOut);
  });
});

describe('the world', () => {
  it('was written as records with pictures, splits apart', () => {
    const files = filesBelow(at('data')).filter((file) => file.endsWith('.jsonl'));
    expect(files).toEqual(
      ['captions', 'listings', 'lookups', 'mixed', 'rl', 'test-id', 'test-ood', 'trm'].map(
        (f) => `${f}.jsonl`,
      ),
    );
    const questions = (file: string) =>
      new Set(readRows(at('data', `${file}.jsonl`)).map((r) => `${r.problem}${JSON.stringify(r.world)}`));
    const [rl, test] = [questions('rl'), questions('test-id')];
    expect([...rl].filter((q) => test.has(q))).toEqual([]);
  });
});
