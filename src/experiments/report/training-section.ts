/** How the variants got there: curves over training steps, the judge and how far it can be trusted, and the time it took. */
import { clock } from '../clock.ts';
import { fixed, plusMinus, summarise } from '../stats.ts';
import { type Chart, chart } from './chart.ts';
import { lossCurve, rlCurves } from './curves.ts';
import { trainingFindings } from './findings.ts';
import { type Html, html } from './html.ts';
import type { Agreement, ReportInput } from './input.ts';
import { draw } from './series.ts';

export interface Section {
  section: Html | null;
  charts: Chart[];
}

export function trainingSection(input: ReportInput): Section {
  const groups = rlCurves(input.runs)
    .map((group) => ({ title: group.title, charts: group.charts.map(chart).filter((each) => each !== null) }))
    .filter((group) => group.charts.length > 0);
  if (groups.length === 0) return { section: null, charts: [] };
  const said = trainingFindings(input.runs);
  const section = html`<section id="training" aria-labelledby="training-title">
<h2 id="training-title">Training</h2>
${said.length > 0 && html`<p class="prose">${said.join(' ')}</p>`}
<p class="note">${howDrawn(input)} Point at a chart, or focus it and use the arrow keys, to read its values.</p>
${groups.map((group) => html`<h3>${group.title}</h3><div class="charts">${group.charts.map((each) => each.figure)}</div>`)}
</section>`;
  return { section, charts: groups.flatMap((group) => group.charts) };
}

function howDrawn(input: ReportInput): string {
  const points = input.runs.map((run) => run.metrics.map((m) => ({ step: m.step, value: m.accuracy })));
  const { bin, window } = draw([{ name: '', colour: '', seeds: points }]);
  const binned = bin > 1 ? ` Each point is the mean of ${bin} steps.` : '';
  const seeds =
    input.seeds.length > 1
      ? 'Thin lines are single seeds, thick lines their mean'
      : 'Thin lines are the steps as logged';
  if (window === 1) return `${input.seeds.length > 1 ? `${seeds}.` : ''}${binned}`;
  return `${seeds}${input.seeds.length > 1 ? ' as' : ', thick lines'} a running mean over ${window} points.${binned}`;
}

export function judgeSection(input: ReportInput): Section {
  const charts = [
    chart(lossCurve('loss-cold', 'Cold start', input.coldStart)),
    chart(lossCurve('loss-trm', 'Thinking Reward Model', input.trm)),
  ].filter((each) => each !== null);
  if (charts.length === 0 && input.reliability.length === 0) return { section: null, charts: [] };
  const cold = input.coldStart.length > 0;
  const trm = input.trm.length > 0 || input.reliability.length > 0;
  const names = [cold && 'Cold start', trm && 'Thinking Reward Model'].filter((name) => name !== false);
  const said = [
    cold &&
      'Before any reinforcement learning, the model learns from examples to look and to reason (the cold start).',
    trm &&
      'The Thinking Reward Model (TRM) learns to score responses: it reads the question, the picture and the whole reasoning and gives a score from 0 to 1.',
  ].filter((sentence) => sentence !== false);
  const section = html`<section id="judge" aria-labelledby="judge-title">
<h2 id="judge-title">${names.join(' and ')}</h2>
<p class="prose">${said.join(' ')}</p>
<div class="judge">${charts.length > 0 && html`<div class="charts">${charts.map((each) => each.figure)}</div>`}${reliability(input)}</div>
</section>`;
  return { section, charts };
}

const RELIABILITY = [
  {
    key: 'spearman',
    name: 'Spearman correlation',
    meaning: '1: the same order as the oracle; 0: no relation',
  },
  { key: 'auc_sound', name: 'AUC, sound against flawed', meaning: '1: always tells them apart; 0.5: a coin' },
  { key: 'mae', name: 'Mean absolute error', meaning: 'of a score between 0 and 1; 0 is perfect' },
] as const;

function reliability(input: ReportInput): Html | null {
  if (input.reliability.length === 0) return null;
  const later = input.reliability.flatMap((each) => each.on_trained_policy ?? []);
  const sizes = (rows: readonly { n: number }[]) => [...new Set(rows.map((each) => each.n))].join(' or ');
  const over = input.reliability.length > 1 ? `, mean ± sd over ${input.reliability.length} seeds` : '';
  const learnt = `${sizes(input.reliability)} held-out responses of the policy it learnt from`;
  const trained = later.length > 0 ? `, and on ${sizes(later)} of the policy that it has trained` : '';
  const value = (rows: readonly Agreement[], key: keyof Agreement) =>
    html`<td>${plusMinus(summarise(rows.map((each) => each[key])))}</td>`;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Reliability of the TRM"><table class="plain">
<caption><span>The TRM against the oracle on ${learnt}${trained}${over}.</span></caption>
<thead><tr><th scope="col">Measure</th><th scope="col">Learnt from</th>${later.length > 0 && html`<th scope="col">Trained</th>`}<th scope="col" class="text">How to read it</th></tr></thead>
<tbody>${RELIABILITY.map(({ key, name, meaning }) => html`<tr><th scope="row">${name}</th>${value(input.reliability, key)}${later.length > 0 && value(later, key)}<td class="text">${meaning}</td></tr>`)}</tbody>
</table></div>`;
}

export function timeSection(input: ReportInput): Html | null {
  if (input.timings.length === 0) return null;
  const stages = [...new Set(input.timings.map((timing) => timing.stage))].map((stage) => ({
    stage,
    seconds:
      summarise(input.timings.filter((timing) => timing.stage === stage).map((timing) => timing.seconds))
        ?.mean ?? 0,
  }));
  const longest = Math.max(...stages.map((stage) => stage.seconds));
  const total = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const over = input.seeds.length > 1 ? `, mean over ${input.seeds.length} seeds` : '';
  return html`<section id="time" aria-labelledby="time-title">
<h2 id="time-title">Time</h2>
<div class="scroll" tabindex="0" role="group" aria-label="Time a stage"><table class="plain times">
<caption><span>Time each stage took${over}, in minutes and seconds. Stages that ran at the same time count in full: together ${clock(total)}.</span></caption>
<thead><tr><th scope="col">Stage</th><th scope="col">Time</th><td></td></tr></thead>
<tbody>${stages.map(({ stage, seconds }) => html`<tr><th scope="row">${stage}</th><td>${clock(seconds)}</td><td class="text"><span class="length" style="width:${fixed(longest > 0 ? (100 * seconds) / longest : 0, 1)}%"></span></td></tr>`)}</tbody>
</table></div>
</section>`;
}
