import { describe, expect, it } from 'vitest';
import { buildReport } from '../../src/experiments/report/build.ts';
import { chooseExamples } from '../../src/experiments/report/choose.ts';
import { embeddedJson, html } from '../../src/experiments/report/html.ts';
import { draw, runningMean } from '../../src/experiments/report/series.ts';
import { group, reportInput, resultRows } from './report-data.ts';

const EVIL = `</script><script>window.pwned=1</script><img src=x onerror="window.pwned=1">" onmouseover='window.pwned=1' & \u202e\u0000`;

describe('markup', () => {
  it('escapes whatever is put into it, in text and in attributes', () => {
    expect(html`<p title="${'"<&\''}">${'<b>'}</p>`.markup).toBe(
      '<p title="&quot;&lt;&amp;&#39;">&lt;b&gt;</p>',
    );
  });

  it('replaces characters that are no HTML or turn the direction of the page', () => {
    expect(html`${'a\u0000b\u202ec'}`.markup).toBe('a\ufffdb\ufffdc');
  });

  it('embeds JSON that cannot end its script', () => {
    const text = embeddedJson({ text: EVIL }).markup;
    expect(text).not.toMatch(/[<>&]/);
    expect(JSON.parse(text)).toEqual({ text: EVIL });
  });
});

describe('a report', () => {
  it('lets no text from a model or a record become markup', async () => {
    const input = await reportInput([0]);
    const bad = group('trust-grpo', 3);
    const example = input.examples[0];
    const evil = buildReport({
      ...input,
      title: EVIL,
      machine: EVIL,
      recipe: [{ key: EVIL, value: EVIL }],
      splits: { id: EVIL, ood: EVIL },
      timings: [{ stage: EVIL, seed: 0, seconds: 1 }],
      results: resultRows([0]).map((row) => ({ ...row, variant: EVIL })),
      runs: input.runs.map((run) => ({
        ...run,
        variant: EVIL,
        metrics: run.metrics.map((m) => ({ ...m, variant: EVIL, styles: { [EVIL]: 1 } })),
      })),
      examples: [
        {
          ...example,
          moment: EVIL,
          why: EVIL,
          variant: EVIL,
          picture: { url: `x" onerror="window.pwned=1`, width: 84, height: 84 },
          group: {
            ...bad,
            problem: EVIL,
            problem_type: EVIL,
            solution: EVIL,
            responses: [
              { ...bad.responses[0], format_ok: false, text: EVIL, failure: EVIL },
              {
                ...bad.responses[1],
                oracle: {
                  score: 1,
                  sound: true,
                  style: EVIL,
                  statements: [{ text: EVIL, verdict: EVIL, why: EVIL }],
                },
              },
            ],
          },
        },
      ],
    });
    const plain = buildReport({ ...input, examples: [{ ...example, picture: null }] });
    const tags = (page: string) => page.match(/<\/?(script|img|iframe|object|link|meta)\b/g)?.sort();
    expect(tags(evil)).toEqual(tags(plain));
    // Without the attributes' values no handler is left in any tag.
    const bare = evil.replace(/<script[\s\S]*?<\/script>/g, '').replace(/"[^"]*"/g, '""');
    expect(bare.match(/<[^>]*\son\w+=[^>]*>/g)).toBeNull();
  });

  it('shows the very figures of the scores', async () => {
    const page = buildReport(await reportInput([0]));
    const row = /<th scope="row">Trust-GRPO<\/th>(.*?)<\/tr>/s.exec(page)?.[1] ?? '';
    const cells = [...row.matchAll(/<td[^>]*>([^<]*)<\/td>/g)].map((match) => match[1]);
    expect(cells).toEqual(['0.62', '0.42', '0.32', '0.60', '0.42', '0.30', '0.29', '0.58']);
  });

  it('shows mean ± sd and a thin line a seed where there are several', async () => {
    const page = buildReport(await reportInput([0, 1, 2]));
    expect(page).toContain('0.81 ± 0.01');
    const accuracy = /<figure class="chart" data-chart="accuracy">.*?<\/figure>/s.exec(page)?.[0] ?? '';
    expect(accuracy.match(/class="thin"/g)).toHaveLength(6);
    expect(accuracy.match(/class="thick"/g)).toHaveLength(2);
  });

  it('explains every symbol, and every card carries Ro, Rt, γ, R and A', async () => {
    const page = buildReport(await reportInput([0]));
    expect(page).toContain('exp(<var>μ</var><sub>c</sub> − <var>μ</var><sub>w</sub>)');
    const { responses, gamma } = group('trust-grpo', 3);
    const card = page.split('<li class="card').find((each) => each.includes('0.93')) ?? '';
    const values = [...card.matchAll(/<dd>([^<]*)<\/dd>/g)].map((match) => match[1]);
    const [best] = responses;
    expect(values).toEqual([
      best.outcome.toFixed(2),
      best.thinking?.toFixed(2),
      gamma?.toFixed(2),
      best.reward.toFixed(2),
      `+${best.advantage.toFixed(2)}`,
    ]);
  });

  it('names nothing outside itself and stays below 3 MB', async () => {
    const page = buildReport(await reportInput([0, 1, 2]));
    expect(page.length).toBeLessThan(3e6);
    expect(page).not.toMatch(/(src|href)="(?!data:|#)/);
    expect(page).not.toMatch(/https?:|url\((?!#)|@import/);
  });

  it('is the same for the same input', async () => {
    expect(buildReport(await reportInput([0]))).toBe(buildReport(await reportInput([0])));
  });

  it('leaves out what is not there', async () => {
    const page = buildReport({
      ...(await reportInput([0])),
      results: [],
      runs: [],
      coldStart: [],
      trm: [],
      reliability: [],
      examples: [],
      timings: [],
      recipe: [],
    });
    expect(page).toContain('<h2 id="result-title">');
    expect(page).not.toMatch(/id="(examples|training|judge|time|recipe)"/);
  });

  it('bears metrics without an oracle, without γ, and not-finite gradients', async () => {
    const input = await reportInput([0]);
    const runs = input.runs.map((run) => ({
      ...run,
      metrics: run.metrics.map((m) => ({
        ...m,
        quality: null,
        flawed_right: null,
        styles: null,
        gamma: null,
        gamma_below_1: null,
        grad_norm: null,
      })),
    }));
    const page = buildReport({ ...input, runs });
    expect(page).toContain('data-chart="accuracy"');
    expect(page).not.toMatch(/data-chart="(quality|flawed|gamma|gradient|styles-0)"/);
    expect(page).not.toContain('NaN');
  });
});

describe('curves', () => {
  it('are running means that count gaps for nothing', () => {
    expect(runningMean([1, null, 3, 5], 3)).toEqual([1, null, 4, 4]);
  });

  it('of long runs are put together to at most 200 points, each the mean of its steps', () => {
    const points = Array.from({ length: 1700 }, (_, i) => ({ step: i + 1, value: i % 2 }));
    const drawn = draw([{ name: '', colour: '', seeds: [points] }]);
    expect(drawn.bin).toBe(9);
    expect(drawn.steps.length).toBeLessThanOrEqual(200);
    expect(drawn.steps[0]).toBe(5);
    expect(drawn.lines[0].seeds[0][0]).toBeCloseTo(4 / 9, 12);
  });

  it('of runs of different length stand on one axis', () => {
    const line = (length: number) => Array.from({ length }, (_, i) => ({ step: i + 1, value: i }));
    const drawn = draw([{ name: '', colour: '', seeds: [line(4), line(2)] }]);
    expect(drawn.lines[0].seeds).toEqual([
      [0, 1, 2, 3],
      [0, 1, null, null],
    ]);
    expect(drawn.lines[0].logged.map((point) => point?.n)).toEqual([2, 2, 1, 1]);
  });
});

describe('the choice of examples', () => {
  const steps = Array.from({ length: 20 }, (_, i) => i + 1);
  const rollouts = ['grpo', 'trust-grpo'].map((variant) => ({
    variant,
    seed: 0,
    groups: steps.map((step) => group(variant, step)),
  }));

  it('shows an early, a middle and a late group with right and wrong answers, under each variant', () => {
    const chosen = chooseExamples(rollouts).map(({ moment, variant }) => `${moment} ${variant}`);
    expect(chosen.slice(0, 6)).toEqual([
      'early, step 1 grpo',
      'early, step 1 trust-grpo',
      'middle, step 11 grpo',
      'middle, step 11 trust-grpo',
      'late, step 20 grpo',
      'late, step 20 trust-grpo',
    ]);
  });

  it('shows a tied group, one with γ below 1 and one right but flawed, each only once', () => {
    const special = rollouts.map((each) => ({
      ...each,
      groups: each.groups.map((one) => ({
        ...one,
        tied: one.step === 14,
        gamma: each.variant === 'trust-grpo' ? (one.step === 12 ? 0.9 : 1) : null,
      })),
    }));
    const moments = chooseExamples(special)
      .filter((each) => each.variant === 'grpo')
      .map((each) => each.moment);
    expect(moments).toEqual([
      'early, step 1',
      'middle, step 11',
      'late, step 20',
      'γ below 1, step 12',
      'tied, step 14',
      'right but flawed, step 13',
    ]);
  });

  it('leaves a variant out that was not asked the question', () => {
    const other = {
      ...rollouts[0],
      groups: rollouts[0].groups.map((one) => ({ ...one, problem_id: 'another' })),
    };
    const early = chooseExamples([other, rollouts[1]]).filter((each) => each.moment.startsWith('early'));
    expect(early.map((each) => each.variant)).toEqual(['trust-grpo']);
  });

  it('gives nothing for runs without rollouts', () => {
    expect(chooseExamples([])).toEqual([]);
    expect(chooseExamples([{ variant: 'grpo', seed: 0, groups: [] }])).toEqual([]);
  });
});
