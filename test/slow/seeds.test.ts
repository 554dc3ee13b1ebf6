/** `--seed 0,1`: a run folder for each, one table of means and spreads. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Scores } from '../../src/data/run-folder.ts';
import type { ResultsJson } from '../../src/experiments/table.ts';
import { recipeFile, spark } from './recipes.ts';
import { type Ended, lines, names, once, readJson, resultOf, sophia, workFolder } from './sophia.ts';

const { dir, remove } = workFolder();
const recipe = recipeFile(dir, { ...spark, judge: 'oracle' });
const run = (name: string) => join(dir, name);
let whole: Ended;
let single: Ended;
beforeAll(async () => {
  [whole, single] = await Promise.all([
    sophia(['train', recipe, '--seed', '0,1', '--run', run('both'), '--json']),
    sophia(['train', recipe, '--seed', '1', '--run', run('one')]),
  ]);
});
afterAll(remove);

describe('two seeds', () => {
  it('have a run folder each, and recipe, table and report beside them', () => {
    expect(whole.code, whole.stderr).toBe(0);
    expect(names(run('both'))).toEqual(['recipe.yaml', 'report.html', 'seed-0', 'seed-1', 'table.txt']);
  });

  it('run each as it would run alone', () => {
    expect(single.code, single.stderr).toBe(0);
    const alone = Object.entries(resultOf(run('one'))).filter(([file]) => !/recipe|table/.test(file));
    const together = resultOf(run('both'));
    for (const [file, digest] of alone) expect(together[`seed-1/${file}`], file).toBe(digest);
  });

  it('--json prints one document on stdout: mean, sd (ddof 1) and the seeds behind them', () => {
    const {
      run: at,
      report,
      results,
    } = JSON.parse(whole.stdout) as {
      run: string;
      report: string;
      results: ResultsJson;
    };
    expect(whole.stdout.endsWith('}\n')).toBe(true);
    expect(at).toBe(run('both'));
    expect(existsSync(report)).toBe(true);
    expect(results.variants.map(({ variant }) => variant)).toEqual(['cold-start', 'grpo', 'trust-grpo']);
    const folders = { 'cold-start': 'cold-start', grpo: 'grpo', 'trust-grpo': '.' } as Record<string, string>;
    for (const { variant, id, ood, seeds } of results.variants) {
      expect(seeds.map(({ seed }) => seed)).toEqual([0, 1]);
      for (const [split, figures] of Object.entries({ id, ood })) {
        const [a, b] = [0, 1].map(
          (seed) =>
            readJson<Scores>(
              join(run('both'), `seed-${seed}`, folders[variant], 'eval', split, 'scores.json'),
            ).quality!,
        );
        expect(figures.quality!.mean).toBeCloseTo((a + b) / 2, 12);
        expect(figures.quality!.sd).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 12);
        expect(figures.quality!.n).toBe(2);
      }
    }
  });

  it('killed in the second seed, go on there and come to the same end', async () => {
    const at = run('killed');
    const inSecond = () => lines(join(at, 'seed-1/cold-start/metrics.jsonl')) > 40;
    const killed = await sophia(['train', recipe, '--seed', '0,1', '--run', at], {
      watch: once(inSecond, 'SIGKILL'),
    });
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    const resumed = await sophia(['train', '--run', at, '--resume']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resultOf(at)).toEqual(resultOf(run('both')));
    // the first seed was done: none of its stages ran again
    expect(resumed.stderr).not.toMatch(/seed 0 · .* to do/);
    expect(resumed.stderr).toMatch(/seed 1 · cold-start: 94 to do, going on from (30|60)/);
    expect(resumed.stdout).toMatch(/^ +Trust-GRPO +\d\.\d\d ± \d\.\d\d /m);
    expect(resumed.stdout).toContain('ean ± sd over 2 seeds');
  });
});
