/** What the bench reads from a run: the TRM's error on the policy in training, and γ beside it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measureRun, type RunMeasures, readRun } from '../../../src/trm/bench/run.ts';

const resampling = { seed: 0, resamples: 50 };
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sophia-bench-run-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** [thinking reward, oracle's score, right?], as lines of rollouts that have what they must have and little else. */
type Line = [thinking: number | null, oracle: number, right: boolean][];
const group = (gamma: number, lines: Line) => ({
  gamma,
  responses: lines.map(([thinking, score, right]) => ({
    thinking,
    right,
    outcome: Number(right),
    format_ok: true,
    oracle: { score },
  })),
});

function writeRun(name: string, steps: object[][]): string {
  const run = join(dir, name);
  mkdirSync(join(run, 'rollouts'), { recursive: true });
  steps.forEach((groups, i) => {
    const file = join(run, 'rollouts', `${String(i + 1).padStart(6, '0')}.jsonl`);
    writeFileSync(file, groups.map((each) => `${JSON.stringify(each)}\n`).join(''));
  });
  return run;
}

const right = group(1, [
  [0.9, 1, true],
  [0.1, 0.2, false],
]);
const doubted = group(0.7, [
  [0.8, 0.8, false],
  [0.3, 0.2, true],
]);
const trusted = group(1, [
  [0.9, 0.2, true],
  [0.4, 1, false],
]);
const caught = group(0.5, [
  [0.9, 0.2, false],
  [0.2, 0.9, true],
]);
const allRight = group(1, [
  [0.9, 1, true],
  [0.8, 1, true],
]);

const measured = async (...args: Parameters<typeof writeRun>): Promise<RunMeasures> => {
  const run = writeRun(...args);
  return measureRun(run, await readRun(run), resampling);
};

describe('from a run', () => {
  it('γ is held against whether the TRM was right in groups with right and wrong answers', async () => {
    const { gamma } = await measured('gamma', [
      [right, doubted, allRight],
      [trusted, caught],
    ]);
    expect(gamma).toMatchObject({
      groups: 4,
      trm_right: { groups: 2, gamma_below_1: 1 },
      trm_wrong: { groups: 2, gamma_1: 1 },
      doubted_although_right: 0.5,
      trusted_although_wrong: 0.5,
    });
    // γ 1 .7 1 .5 against errors .1 .05 .65 .7: ranks 3½ 2 3½ 1 against 2 1 3 4
    expect(gamma.with_error.value).toBeCloseTo(-1.5 / Math.sqrt(4.5 * 5), 10);
    // … against order 1 1 0 0: ranks 3½ 3½ 1½ 1½
    expect(gamma.with_order.value).toBeCloseTo(1 / Math.sqrt(4.5 * 4), 10);
  });

  it('γ that is exp(−error) and order that is γ’s correlate perfectly', async () => {
    const groups = [0.1, 0.2, 0.3, 0.4].map((error) =>
      group(Math.exp(-error), [
        [0.5 + error, 0.5, true],
        [0.5 - error, 0.5, false],
      ]),
    );
    const { gamma } = await measured('perfect', [groups]);
    expect(gamma.with_error.value).toBeCloseTo(-1, 10);
    // all sound: no order to tell
    expect(gamma.with_order.value).toBeNull();
    expect(gamma).toMatchObject({ doubted_although_right: null, trusted_although_wrong: null });
  });

  it('the intervals of γ are over questions: groups of one question count together, however often it comes', async () => {
    const kinds = [0.1, 0.2, 0.3, 0.4].map((error, i) =>
      group(i % 2 === 0 ? Math.exp(-error) : 1, [
        [0.5 + error, 0.5, true],
        [0.5 - error, 0.5, false],
      ]),
    );
    const asked = (times: number) =>
      Array.from({ length: times }, () =>
        kinds.map((kind, i) => ({ ...kind, problem_id: i % 2, problem: `question ${i >> 1}` })),
      );
    const [once, often] = [await measured('once', asked(1)), await measured('often', asked(20))];
    expect(often.gamma).toMatchObject({ groups: 80, with_error: { value: once.gamma.with_error.value } });
    expect(often.gamma.with_error).toEqual(once.gamma.with_error);
    const low = once.gamma.with_error.low!;
    expect(low).toBeLessThan(once.gamma.with_error.value!);
    // as if each group were a question of its own
    const apart = await measured(
      'apart',
      Array.from({ length: 20 }, () => kinds),
    );
    expect(apart.gamma.with_error.low!).toBeGreaterThan(low);
  });

  it('puts steps together until there are enough responses to measure on, and gives each pool its figures', async () => {
    const { points, pool, steps } = await measured(
      'pools',
      Array.from({ length: 4 }, (_, i) => Array.from({ length: 64 }, () => (i < 2 ? right : trusted))),
    );
    expect([steps, pool]).toEqual([4, 2]);
    expect(points).toMatchObject([
      {
        from: 1,
        to: 2,
        n: 256,
        coverage: 1,
        spearman: 1,
        auc_sound: 1,
        gamma: 1,
        gamma_below_1: 0,
        mixed: 128,
      },
      { from: 3, to: 4, n: 256, spearman: -1, auc_sound: 0 },
    ]);
    expect(points[0].mae).toBeCloseTo(0.1, 12);
    expect(points[1].mae).toBeCloseTo(0.65, 12);
  });

  it('leaves broken formats out, which are scored by rule, and counts thinking rewards that did not come', async () => {
    const broken = { thinking: 0, right: false, outcome: 0, format_ok: false, oracle: { score: 0 } };
    const some = group(1, [
      [0.9, 1, true],
      [null, 0.2, false],
    ]);
    const { points } = await measured('coverage', [[{ ...some, responses: [...some.responses, broken] }]]);
    expect(points).toMatchObject([{ n: 1, coverage: 0.5, spearman: null }]);
  });

  it('reads the reliability on the start policy and on the trained one', async () => {
    const run = writeRun('reliability', [[right]]);
    expect((await readRun(run)).reliability).toBeNull();
    const start = { n: 620, spearman: 0.86, mae: 0.05, auc_sound: 1, auc_right: 0.7 };
    const trained = { ...start, n: 311, spearman: 0.57 };
    mkdirSync(join(run, 'trm'));
    writeFileSync(
      join(run, 'trm/reliability.json'),
      JSON.stringify({ ...start, on_trained_policy: trained }),
    );
    expect((await readRun(run)).reliability).toEqual({ start, trained });
  });

  it('says what is wrong with a folder without rollouts, without an oracle, without thinking rewards', async () => {
    await expect(readRun(dir)).rejects.toThrow(/^--run .*: holds no rollouts; name the folder of a run/);
    const without = { ...right, responses: right.responses.map((each) => ({ ...each, oracle: null })) };
    const grpo = { ...right, responses: right.responses.map((each) => ({ ...each, thinking: null })) };
    for (const [name, groups] of Object.entries({ without, grpo }))
      await expect(readRun(writeRun(name, [[groups]]))).rejects.toThrow(
        /: its rollouts hold no thinking reward beside an oracle's score; /,
      );
  });
});
