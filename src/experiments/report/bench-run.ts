/** A judge in training: its agreement with the oracle on the policy as it changes, and what γ made of it. */
import type { GammaTruth, RunMeasures, RunPoint } from '../../trm/bench/run.ts';
import { count, figure, interval, scrolled, share } from './bench-figures.ts';
import { type Chart, chart } from './chart.ts';
import { seriesColour } from './colours.ts';
import { type Html, html } from './html.ts';
import type { Line } from './series.ts';

export function runSection(run: RunMeasures | null): { section: Html | null; charts: Chart[] } {
  if (run === null) return { section: null, charts: [] };
  const line = (name: string, colour: number, read: (point: RunPoint) => number | null): Line => ({
    name,
    colour: seriesColour(colour),
    seeds: [run.points.map((point) => ({ step: point.to, value: read(point) }))],
  });
  const unit = run.pool > 1 ? `${run.pool} steps a point` : 'a point a step';
  const charts = [
    chart({
      id: 'order',
      title: 'Order',
      unit,
      domain: [null, 1],
      lines: [
        line('Spearman', 0, (point) => point.spearman),
        line('sound above flawed', 1, (point) => point.auc_sound),
      ],
    }),
    chart({
      id: 'error',
      title: 'Mean absolute error',
      unit,
      domain: [0, null],
      lines: [line('error', 2, (point) => point.mae)],
    }),
    chart({
      id: 'gamma',
      title: 'Trust weight γ',
      unit: `groups with right and wrong answers, ${unit}`,
      domain: [0, 1],
      lines: [
        line('mean γ', 3, (point) => point.gamma),
        line('share of γ < 1', 4, (point) => point.gamma_below_1),
      ],
    }),
  ].filter((each) => each !== null);
  const section = html`<section id="run" aria-labelledby="run-title">
<h2 id="run-title">In training</h2>
<p class="prose">The thinking rewards of ${run.run} against the oracle's scores of the same responses, over ${count(run.steps)} steps: the judge on the policy that it is training. γ, the trust weight of a group, is computed without the oracle; if it does its work, it falls where the judge errs.</p>
<div class="charts">${charts.map((each) => each.figure)}</div>
<p class="note">Thin lines are the points, thick ones a running mean over five of them where there are twenty or more.</p>
${reliabilityTable(run.reliability)}
${gammaTables(run.gamma)}
<details><summary>The points of the charts</summary>${pointTable(run.points)}</details>
</section>`;
  return { section, charts };
}

function reliabilityTable(reliability: RunMeasures['reliability']): Html | null {
  if (reliability === null) return null;
  const { start, trained } = reliability;
  const rows = [
    ['Spearman', 'spearman'],
    ['Sound above flawed', 'auc_sound'],
    ['Mean absolute error', 'mae'],
    ['Responses', 'n'],
  ] as const;
  const shown = (value: number | null, key: string) => (key === 'n' ? count(value ?? 0) : figure(value));
  return scrolled(
    'Start policy and trained policy',
    html`<table class="plain">
<caption><span>On held-out responses of the policy whose responses it learnt from, and of the policy that it has trained.</span></caption>
<thead><tr><th scope="col">Measure</th><th scope="col">Start policy</th><th scope="col">Trained policy</th></tr></thead>
<tbody>${rows.map(([name, key]) => html`<tr><th scope="row">${name}</th><td>${shown(start[key], key)}</td><td>${trained ? shown(trained[key], key) : '–'}</td></tr>`)}</tbody>
</table>`,
  );
}

function gammaTables(gamma: GammaTruth): Html {
  const { trm_right: right, trm_wrong: wrong } = gamma;
  return html`<h3>Does γ tell where the judge errs?</h3>
<p class="note">Over ${count(gamma.groups)} groups with right and wrong answers; elsewhere γ is 1 by rule.</p>
${scrolled(
  'γ and the error',
  html`<table class="plain">
<thead><tr><th scope="col">Spearman of γ with</th><th scope="col">Figure</th><th scope="col" class="text">How to read it</th></tr></thead>
<tbody>
<tr><th scope="row">the group's mean error</th><td>${interval(gamma.with_error)}</td><td class="text">Below 0: γ is lower where the judge is further off.</td></tr>
<tr><th scope="row">the group's order</th><td>${interval(gamma.with_order)}</td><td class="text">Above 0: γ is higher where the judge puts sound above flawed.</td></tr>
</tbody></table>`,
)}
${scrolled(
  'γ and the order',
  html`<table class="plain">
<caption><span>Groups with sound and flawed reasoning, by whether the judge put most of their sound responses above the flawed ones.</span></caption>
<thead><tr><th scope="col">The judge was</th><th scope="col">Groups</th><th scope="col">γ = 1</th><th scope="col">γ &lt; 1</th><th scope="col" class="text">γ was mistaken in</th></tr></thead>
<tbody>
<tr><th scope="row">right</th><td>${count(right.groups)}</td><td>${count(right.groups - right.gamma_below_1)}</td><td>${count(right.gamma_below_1)}</td><td class="text">${share(gamma.doubted_although_right)}: it doubted a judge that was right</td></tr>
<tr><th scope="row">wrong</th><td>${count(wrong.groups)}</td><td>${count(wrong.gamma_1)}</td><td>${count(wrong.groups - wrong.gamma_1)}</td><td class="text">${share(gamma.trusted_although_wrong)}: it trusted a judge that was wrong</td></tr>
</tbody></table>`,
)}`;
}

function pointTable(points: readonly RunPoint[]): Html {
  return scrolled(
    'Agreement over steps',
    html`<table>
<thead><tr><th scope="col">Steps</th><th scope="col">Responses</th><th scope="col">Coverage</th><th scope="col">Spearman</th><th scope="col">Sound above flawed</th><th scope="col">Error</th><th scope="col">Groups with γ</th><th scope="col">Mean γ</th><th scope="col">γ &lt; 1</th></tr></thead>
<tbody>${points.map((point) => html`<tr><th scope="row">${point.from === point.to ? point.to : `${point.from}–${point.to}`}</th><td>${count(point.n)}</td><td>${share(point.coverage)}</td><td>${figure(point.spearman)}</td><td>${figure(point.auc_sound)}</td><td>${figure(point.mae)}</td><td>${count(point.mixed)}</td><td>${figure(point.gamma)}</td><td>${share(point.gamma_below_1)}</td></tr>`)}</tbody>
</table>`,
  );
}
