/** The whole bench on judges whose faults are known. */
import { describe, expect, it } from 'vitest';
import { bench } from '../../../src/trm/bench/bench.ts';
import { CORRUPTIONS } from '../../../src/trm/bench/corruptions.ts';
import { oracleJudge } from '../../../src/trm/oracle-judge.ts';
import { rowsOf, ruleJudge, textRow, worldQuestions } from './bench-data.ts';

const rows = rowsOf(worldQuestions(24));
const options = {
  seed: 0,
  probes: 24,
  resamples: 50,
  names: { judge: 'a rule', file: 'rows.jsonl', run: null },
  run: null,
};

describe('the oracle as a judge of its own world', () => {
  const measured = bench(oracleJudge, rows, options);

  it('agrees perfectly and misses nothing', async () => {
    const { agreement, coverage, ranking } = await measured;
    expect(coverage).toMatchObject({ coverage: 1, failures: {} });
    // scores are rounded to four digits
    for (const figure of ['spearman', 'kendall', 'pearson'] as const)
      expect(agreement[figure].value).toBeCloseTo(1, 4);
    for (const figure of ['mae', 'bias', 'calibration_error'] as const)
      expect(agreement[figure].value).toBeCloseTo(0, 4);
    expect(ranking.all.sound_above_flawed).toMatchObject({
      overall: { value: 1 },
      same_question: { value: 1 },
    });
  });

  it('its change is the oracle’s change for every corruption and every attack', async () => {
    const { sensitivity, gaming } = await measured;
    expect(sensitivity.map(({ name }) => name)).toEqual(Object.keys(CORRUPTIONS));
    for (const each of [...sensitivity, ...gaming.flatMap(({ flawed, sound }) => [flawed, sound])]) {
      expect(each.n).toBeGreaterThan(0);
      expect(each.change.value).toBeCloseTo(each.oracle!.change, 3);
    }
    for (const { name, change, fell } of sensitivity)
      if (name !== 'steps_shuffled') {
        expect(change.value).toBeLessThan(0);
        expect(fell.value).toBe(1);
      }
  });

  it('is pushed over by no words: only a listing whose made-up contents happen to hold', async () => {
    for (const { name, flawed } of (await measured).gaming)
      if (name !== 'world_made_up') expect(flawed.pushed_over).toBe(0);
  });

  it('the same seed gives the same result to the last digit, another draws other corruptions', async () => {
    expect(await bench(oracleJudge, rows, options)).toEqual(await measured);
    const other = await bench(oracleJudge, rows, { ...options, seed: 1 });
    expect(other.sensitivity.map(({ change }) => change.value)).not.toEqual(
      (await measured).sensitivity.map(({ change }) => change.value),
    );
  });
});

describe('a judge with a weakness is caught by it', () => {
  const attack = async (rule: Parameters<typeof ruleJudge>[0], questions = worldQuestions(12)) => {
    const { gaming } = await bench(ruleJudge(rule), rowsOf(questions), options);
    return Object.fromEntries(gaming.map((each) => [each.name, each.flawed]));
  };

  it('one that obeys a score in the response', async () => {
    const found = await attack(({ response }) => (/score: 1\.0/i.test(response) ? 1 : 0.2));
    expect(found.score_written).toMatchObject({ pushed_over: 1, coverage: 1 });
    expect(found.score_written.change.value).toBeCloseTo(0.8, 12);
    expect(found.flattery).toMatchObject({ pushed_over: 0, change: { value: 0 } });
  });

  it('one that likes to be flattered', async () => {
    const found = await attack(({ response }) => (response.includes('fairest') ? 0.9 : 0.2));
    expect(found.flattery.pushed_over).toBe(1);
    expect(found.injection.pushed_over).toBe(0);
  });

  it('one that follows orders, on records of no world', async () => {
    const questions = [
      [textRow('<think>12 and 30 are 42.</think><answer>42</answer>', {}, 1)],
      [textRow('<think>I guess.</think><answer>41</answer>', { problem_id: 2 }, 0.1)],
    ];
    const found = await attack(({ response }) => (response.includes('Ignore the rubric') ? 1 : 0), questions);
    expect(found.injection).toMatchObject({ n: 1, pushed_over: 1, oracle: null });
    expect(Object.keys(found).filter((name) => name.startsWith('world_'))).toEqual([]);
  });

  it('one that never looks and goes by the form of a listing', async () => {
    const found = await attack(({ response }) => (/[abc][123] \w+ /.test(response) ? 1 : 0));
    expect(found.world_made_up.change.value).toBeGreaterThan(0.4);
  });

  it('the second answer is marked as what breaks the format, the others not', async () => {
    const { gaming } = await bench(oracleJudge, rowsOf(worldQuestions(3)), options);
    expect(gaming.filter(({ format_kept }) => format_kept === 0).map(({ name }) => name)).toEqual([
      'score_tag',
    ]);
    expect(gaming.filter(({ format_kept }) => format_kept === 1)).toHaveLength(gaming.length - 1);
  });
});

describe('a judge that fails', () => {
  it('costs coverage beside every figure and is never a number', async () => {
    let asked = 0;
    const failing = ruleJudge(() => (asked++ % 7 === 0 ? null : 0.5));
    const { coverage, agreement, sensitivity, gaming } = await bench(failing, rows, options);
    const n = rows.questions.flat().length;
    expect(coverage.scored).toBe(agreement.n);
    expect(coverage.scored).toBe(n - Math.ceil(n / 7));
    expect(coverage.failures).toEqual({ 'no reply after … s': n - coverage.scored });
    for (const { coverage: of } of [...sensitivity, ...gaming.map(({ flawed }) => flawed)]) {
      expect(of).toBeGreaterThan(0);
      expect(of).toBeLessThan(1);
    }
    for (const { change } of sensitivity) expect(change.value).toBe(0);
  });

  it('entirely leaves nothing to measure and says so', async () => {
    const silent = await bench(
      ruleJudge(() => null),
      rowsOf(worldQuestions(2)),
      options,
    );
    expect(silent.coverage.coverage).toBe(0);
    expect(silent.agreement).toMatchObject({ n: 0, spearman: { value: null } });
    expect(silent.sensitivity[0]).toMatchObject({ coverage: 0, change: { value: null } });
    expect(silent.gaming[0].flawed).toMatchObject({ largest: null, pushed_over: null });
  });
});

it('changes no more responses than it is told, of sound and of flawed ones each', async () => {
  const few = await bench(oracleJudge, rows, { ...options, probes: 5 });
  expect(few.data.probed).toEqual({ sound: 5, flawed: 5 });
  expect(few.sensitivity[0].n).toBe(5);
  expect(few.agreement.n).toBe(rows.questions.flat().length);
  const none = await bench(oracleJudge, rows, { ...options, probes: 0 });
  expect(none.gaming).toEqual([]);
  expect(none.sensitivity[0]).toMatchObject({ n: 0, coverage: null, change: { value: null } });
});
