import { describe, expect, it } from 'vitest';
import { plusMinus, summarise } from '../../src/experiments/stats.ts';
import { resultsJson, resultsTable } from '../../src/experiments/table.ts';
import { resultRows } from './report-data.ts';

describe('figures over seeds', () => {
  it('are mean ± the sample standard deviation (ddof 1)', () => {
    expect(summarise([0.1, 0.2, 0.6])).toEqual({
      mean: expect.closeTo(0.3, 12),
      sd: expect.closeTo(Math.sqrt(0.07), 12),
      n: 3,
    });
    expect(plusMinus(summarise([0.1, 0.2, 0.6]))).toBe('0.30 ± 0.26');
  });

  it('of one seed have no spread, of none no value', () => {
    expect(plusMinus(summarise([0.425]), 3)).toBe('0.425');
    expect(plusMinus(summarise([null, undefined]))).toBe('–');
    expect(plusMinus(summarise([-0.001]))).toBe('0.00');
  });

  it('leave out seeds without the figure and count the others', () => {
    expect(summarise([0.2, null, 0.4])?.n).toBe(2);
  });
});

describe('the final table', () => {
  const lines = (table: string) => table.trimEnd().split('\n');
  /** A variant's figures, block by block. */
  const cells = (table: string, name: string) =>
    lines(table)
      .filter((line) => line.startsWith(`  ${name} `))
      .map((line) =>
        line
          .slice(name.length + 2)
          .split(/\s+/)
          .filter(Boolean),
      );

  it('fits into 100 columns, with one seed and with several, with long names of variants', () => {
    const rows = [
      ...resultRows([0, 1, 2]),
      { ...resultRows([0, 1, 2])[2], variant: 'wo-trust-and-annealing' },
    ];
    for (const table of [resultsTable(rows), resultsTable(resultRows([7]))])
      expect(Math.max(...lines(table).map((line) => [...line].length))).toBeLessThanOrEqual(100);
    expect(resultsTable(rows)).toContain('wo-trust-and-annealing ');
  });

  it('shows the scores as they are, a variant a row, in distribution and then out of distribution', () => {
    // accuracy, right and sound = 0.62 · (1 − 0.32) and 0.42 · (1 − 0.32 · 0.9), flawed-right, quality
    expect(cells(resultsTable(resultRows([0])), 'Trust-GRPO')).toEqual([
      ['0.62', '0.42', '0.32', '0.60'],
      ['0.42', '0.30', '0.29', '0.58'],
    ]);
  });

  it('shows mean ± sd over seeds', () => {
    const rows = lines(resultsTable(resultRows([0, 1, 2]))).filter((line) => line.startsWith('  GRPO'));
    expect(rows[0]).toContain('0.81 ± 0.01');
    expect(rows[1]).toContain('0.17 ± 0.01');
  });

  it('says how many questions stand behind it and how they were decoded', () => {
    expect(resultsTable(resultRows([3]))).toContain('One seed (3), n 480 ID and 480 OOD, greedy');
    const sampled = resultRows([0]).map((row) => ({
      ...row,
      seeds: row.seeds.map((seed) => ({ ...seed, id: seed.id && { ...seed.id, temperature: 1 }, ood: null })),
    }));
    expect(resultsTable(sampled)).toContain('n 480 ID, temperature 1');
  });

  it('says that right and sound is the reliability-conditioned accuracy', () => {
    expect(resultsTable(resultRows([0])).replaceAll('\n', ' ')).toContain(
      'Right and sound: share of all answers that are right with sound reasoning (reliability-conditioned accuracy).',
    );
  });

  it('shows a dash where there is no oracle, and no block for a split that was not evaluated', () => {
    const [row] = resultRows([0]);
    const bare = {
      ...row,
      seeds: row.seeds.map((seed) => ({ ...seed, id: seed.id && { ...seed.id, quality: null }, ood: null })),
    };
    expect(cells(resultsTable([bare]), 'Cold start')).toEqual([['0.57', '0.36', '0.37', '–']]);
    expect(resultsTable([bare])).not.toContain('Out of distribution');
  });

  it('is there as JSON, unrounded and with its seeds', () => {
    const rows = resultRows([0, 1]);
    const json = JSON.parse(JSON.stringify(resultsJson(rows)));
    expect(json.variants[2].ood.accuracy.mean).toBeCloseTo(0.4265, 12);
    expect(json.variants[2].ood.accuracy.sd).toBeCloseTo(0.013 / Math.SQRT2, 12);
    expect(json.variants[2].seeds).toEqual(rows[2].seeds);
  });
});
