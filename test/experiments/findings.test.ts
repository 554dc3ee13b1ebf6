import { describe, expect, it } from 'vitest';
import { clear, difference, findings, trainingFindings } from '../../src/experiments/report/findings.ts';
import type { ResultRow } from '../../src/experiments/results.ts';
import { resultRows, rlMetrics } from './report-data.ts';

const said = (rows: ResultRow[]) => {
  const { verdict, findings: list } = findings(rows);
  return { verdict, list, text: list.map(({ about, says }) => `${about}: ${says}`).join('\n') };
};

/** The same rows with the figures of the two trained variants exchanged. */
function exchanged(rows: ResultRow[]): ResultRow[] {
  const [cold, grpo, trust] = rows;
  return [cold, { variant: 'grpo', seeds: trust.seeds }, { variant: 'trust-grpo', seeds: grpo.seeds }];
}

/** A seed each: Trust-GRPO's out-of-distribution accuracy is so much above GRPO's. */
function withDifferences(differences: number[]): ResultRow[] {
  const [cold, grpo, trust] = resultRows(differences.map((_, seed) => seed));
  const seeds = trust.seeds.map((seed, i) => ({
    ...seed,
    ood: seed.ood && { ...seed.ood, accuracy: (grpo.seeds[i].ood?.accuracy ?? 0) + differences[i] },
  }));
  return [cold, grpo, { ...trust, seeds }];
}

describe('sentences about the result', () => {
  it('name both figures and the difference, whichever way it points', () => {
    const there = said(resultRows([0], 0.16, 0.42)).text;
    expect(there).toContain(
      'Accuracy out of distribution: 0.40 at the cold start, 0.16 under GRPO and 0.42 under Trust-GRPO.',
    );
    expect(there).toContain('Trust-GRPO is 0.26 above GRPO.');
    const back = said(resultRows([0], 0.42, 0.16)).text;
    expect(back).toContain('0.42 under GRPO and 0.16 under Trust-GRPO.');
    expect(back).toContain('Trust-GRPO is 0.26 below GRPO.');
    expect(said(resultRows([0], 0.3, 0.3)).text).toContain('Trust-GRPO and GRPO do not differ.');
  });

  it('say that the method helped only where every sign of sounder reasoning says so', () => {
    expect(said(resultRows([0])).verdict).toBe(
      'In this run Trust-GRPO ended with higher accuracy out of distribution, more answers right and soundly reasoned there and fewer right answers from flawed reasoning than GRPO.',
    );
  });

  it('say plainly that it did not help where all signs are the other way', () => {
    expect(said(exchanged(resultRows([0]))).verdict).toBe(
      'In this run Trust-GRPO did not help: it ended with lower accuracy out of distribution, fewer answers right and soundly reasoned there and more right answers from flawed reasoning than GRPO.',
    );
  });

  it('call a picture mixed that is mixed', () => {
    expect(said(resultRows([0], 0.8, 0.42)).verdict).toMatch(
      /^In this run the picture is mixed: .* but with lower accuracy out of distribution\.$/,
    );
  });

  it('do not call a difference that chance could give', () => {
    const rows = resultRows([0], 0.41, 0.42);
    expect(said(rows).text).toMatch(/0\.01 above GRPO, no more than the 0\.06 that chance could give/);
    expect(said(rows).verdict).toContain('by accuracy out of distribution they cannot be told apart');
    const alike = [rows[0], rows[2], { ...rows[2], variant: 'grpo' }].map((row, i) =>
      i === 1 ? { ...row, variant: 'trust-grpo' } : row,
    );
    expect(said(alike).verdict).toContain('cannot be told apart');
  });

  it('with several seeds count how many agree', () => {
    expect(said(resultRows([0, 1, 2])).text).toMatch(
      /0\.26 ± 0\.00 above GRPO, the same way in all 3 seeds\./,
    );
    const rows = resultRows([0, 1, 2]);
    const against = rows[2].seeds[1].ood;
    if (against) against.accuracy = 0.05;
    expect(said(rows).text).toContain('above GRPO, but so in only 2 of 3 seeds');
    expect(said(rows).verdict).toContain('by accuracy out of distribution they cannot be told apart');
  });

  it('do not call a difference clear that has one sign in all seeds but a 95 % interval that holds 0', () => {
    // Student's t for 3 seeds: 4.303 · sd / √3, so ± 2.48 sd around the mean.
    const unclear = said(withDifferences([0.02, 0.1, 0.18]));
    expect(unclear.text).toContain(
      'Trust-GRPO is 0.10 ± 0.08 above GRPO, the same way in all 3 seeds, but this cannot be told from chance.',
    );
    expect(unclear.verdict).toContain('by accuracy out of distribution they cannot be told apart');
    const wide = said(withDifferences([0.07, 0.1, 0.13]));
    expect(wide.text).toContain('Trust-GRPO is 0.10 ± 0.03 above GRPO, the same way in all 3 seeds.');
    expect(wide.verdict).toContain('ended with higher accuracy out of distribution');
  });

  it('ask more of two seeds than of twelve', () => {
    const twice = [0.06, 0.14];
    expect(said(withDifferences(twice)).text).toContain(
      'in all 2 seeds, but this cannot be told from chance',
    );
    const often = Array.from({ length: 6 }, () => twice).flat();
    expect(said(withDifferences(often)).text).toContain('above GRPO, the same way in all 12 seeds.');
  });

  it('say how many seeds there are and when a difference is called clear', () => {
    expect(said(resultRows([0])).list.at(-1)?.about).toBe('One seed');
    expect(said(resultRows([0, 1, 2])).list.at(-1)).toMatchObject({
      about: '3 seeds',
      says: expect.stringMatching(/same sign in every seed and its 95 % interval .* excludes 0\.$/),
    });
  });

  it('speak of the start where a given checkpoint was trained', () => {
    const [cold, ...trained] = resultRows([0]);
    expect(said([{ ...cold, variant: 'start' }, ...trained]).text).toMatch(
      /0\.40 at the start, .* Against the start, GRPO lowered it by 0\.24/,
    );
  });

  it('make do with one variant, without an oracle, with nothing', () => {
    expect(findings([]).verdict).toBeNull();
    expect(said(resultRows([0]).slice(1, 2)).verdict).toBeNull();
    const blind = resultRows([0]).map((row) => ({
      ...row,
      seeds: row.seeds.map(({ seed, id }) => ({
        seed,
        id: id && { ...id, quality: null, flawed_right: null, reliability_conditioned_accuracy: null },
        ood: null,
      })),
    }));
    expect(said(blind)).toMatchObject({
      verdict: null,
      list: [{ about: 'Accuracy in distribution' }, { about: 'One seed' }],
    });
  });
});

describe('a difference between two variants', () => {
  it('is paired by seed, with the sd (ddof 1) of the pairs', () => {
    const [, grpo, trust] = resultRows([0, 1]);
    const shifted = {
      ...grpo,
      seeds: grpo.seeds.map((s, i) => ({ ...s, ood: s.ood && { ...s.ood, accuracy: 0.1 + 0.1 * i } })),
    };
    // 0.42 − 0.1 and 0.433 − 0.2
    expect(difference(trust, shifted, 'ood', 'accuracy')).toMatchObject({
      mean: expect.closeTo(0.2765, 10),
      sd: expect.closeTo(0.087 / Math.SQRT2, 10),
      seeds: 2,
      agreeing: 2,
    });
  });

  it('of mean scores is never clear by one seed, whatever its size: there is no estimate of chance', () => {
    const [, grpo, trust] = resultRows([0]);
    const quality = difference(trust, grpo, 'ood', 'quality');
    expect(quality).toMatchObject({ mean: expect.closeTo(0.39, 10), sd: null, chance: null });
    expect(quality && clear(quality)).toBe(false);
    const accuracy = difference(trust, grpo, 'ood', 'accuracy');
    expect(accuracy && clear(accuracy)).toBe(true);
  });

  it('leaves seeds out that only one of them has', () => {
    const [, grpo] = resultRows([0, 1]);
    const [, , trust] = resultRows([1, 2]);
    expect(difference(trust, grpo, 'id', 'accuracy')?.seeds).toBe(1);
    expect(difference(resultRows([5])[2], grpo, 'id', 'accuracy')).toBeNull();
  });
});

describe('sentences about training', () => {
  const runs = ['grpo', 'trust-grpo'].map((variant) => ({ variant, metrics: rlMetrics(variant, 0) }));
  const text = trainingFindings(runs).join('\n');

  it('tell each variant’s fastest growing style from the logged shares', () => {
    const shares = runs[0].metrics.map((m) => m.styles?.shortcut ?? 0);
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    const [from, to] = [mean(shares.slice(0, 5)), mean(shares.slice(-5))].map(
      (share) => `${(100 * share).toFixed(0)} %`,
    );
    expect(text).toContain(
      `Under GRPO the style that grew most was “shortcut”: from ${from} of the responses in the first five steps to ${to} in the last five.`,
    );
    expect(text).toContain('Under Trust-GRPO the style that grew most was “listing”');
  });

  it('give γ only for variants that have one', () => {
    expect(text).toMatch(/Under Trust-GRPO γ averaged 0\.9\d/);
    expect(text).not.toContain('Under GRPO γ');
  });
});
