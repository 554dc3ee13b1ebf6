/** The report of the reliability bench as one HTML page: a pure function of bench.json. */
import type { BenchResult } from '../../trm/bench/bench.ts';
import type { Estimate } from '../../trm/bench/estimate.ts';
import type { Orders, Ranking } from '../../trm/bench/ranking.ts';
import { attacksSection, corruptionsSection } from './bench-changes.ts';
import { count, figure, interval, scrolled, share } from './bench-figures.ts';
import { runSection } from './bench-run.ts';
import { calibrationPlot } from './calibration.ts';
import { type Html, html } from './html.ts';
import { page, type Section } from './page.ts';

export function buildBenchReport(result: BenchResult): string {
  const run = runSection(result.run);
  const sections: Section[] = [
    { id: 'agreement', name: 'Agreement', body: agreementSection(result) },
    { id: 'ranking', name: 'Ranking', body: rankingSection(result) },
    { id: 'corruptions', name: 'Corruptions', body: corruptionsSection(result) },
    { id: 'attacks', name: 'Attempts at gaming', body: attacksSection(result) },
    { id: 'run', name: 'In training', body: run.section },
  ];
  const { data, seed, resamples } = result;
  return page({
    title: `How far to trust ${result.judge === 'oracle' ? 'the oracle' : 'a judge'}`,
    facts: [
      result.judge,
      `${count(data.used)} responses to ${count(data.questions)} questions of ${result.file}`,
      `seed ${seed}`,
    ].join(' · '),
    skip: 'To the agreement',
    sections,
    charts: run.charts,
    footer: `Every figure was computed by sophia trm bench from the judge's scores; nothing that it left unscored was made up. Intervals: 95 %, ${count(resamples)} bootstrap resamples of questions.`,
  });
}

const AGREEMENT = [
  ['spearman', 'Spearman', 'Correlation of the ranks: 1 is the same order as the known quality, 0 none.'],
  [
    'kendall',
    'Kendall τ-b',
    'Pairs in the same order minus pairs in the opposite one, ties accounted for; smaller than Spearman by its nature.',
  ],
  ['pearson', 'Pearson', 'Correlation of the scores themselves.'],
  ['mae', 'Mean absolute error', 'Distance of a score from the known quality, on a scale from 0 to 1.'],
  ['bias', 'Bias', 'Mean of judged minus known: above 0, the judge is too kind.'],
  [
    'calibration_error',
    'Expected calibration error',
    'Mean distance of the dots of the calibration plot from its diagonal, weighted by their size.',
  ],
] as const;

function agreementSection({ agreement, coverage, data }: BenchResult): Html {
  const failures = Object.entries(coverage.failures);
  const { left_out } = data;
  const left = [
    left_out.unknown > 0 && `${count(left_out.unknown)} had no known quality`,
    left_out.broken_format > 0 &&
      `${count(left_out.broken_format)} were of broken format, which is scored 0 by rule`,
    left_out.limit > 0 && `${count(left_out.limit)} were more than asked for`,
  ].filter((part) => part !== false);
  return html`<section id="agreement" aria-labelledby="agreement-title">
<h2 id="agreement-title">Agreement with the known quality</h2>
<p class="lead">Of ${count(coverage.asked)} responses the judge scored ${share(coverage.coverage)}; its scores agree with the known quality by a Spearman correlation of ${interval(agreement.spearman)}, and miss it by ${interval(agreement.mae)} on average.</p>
<p class="note">${count(data.sound)} of the responses are sound (known quality of 0.5 or more), ${count(data.right)} have the right answer.${left.length > 0 && ` Of ${count(data.read)} rows, ${left.join(', ')}.`}</p>
<div class="beside">${calibrationPlot(agreement.calibration)}
${scrolled(
  'Agreement',
  html`<table class="plain">
<caption><span>Over ${count(agreement.n)} scored responses.</span></caption>
<thead><tr><th scope="col">Measure</th><th scope="col">Figure</th><th scope="col" class="text">How to read it</th></tr></thead>
<tbody>${AGREEMENT.map(([key, name, meaning]) => html`<tr><th scope="row">${name}</th><td>${interval(agreement[key])}</td><td class="text">${meaning}</td></tr>`)}</tbody>
</table>`,
)}</div>
${
  failures.length > 0 &&
  scrolled(
    'Failures',
    html`<table class="plain">
<caption><span>Why ${count(coverage.asked - coverage.scored)} responses have no score. They are in no other figure.</span></caption>
<thead><tr><th scope="col">Reason</th><th scope="col">Responses</th></tr></thead>
<tbody>${failures.map(([reason, n]) => html`<tr><th scope="row">${reason}</th><td>${count(n)}</td></tr>`)}</tbody>
</table>`,
  )
}
<details><summary>The bins of the calibration plot</summary>${scrolled(
    'Calibration',
    html`<table class="plain">
<thead><tr><th scope="col">Judged</th><th scope="col">Responses</th><th scope="col">Mean judged</th><th scope="col">Mean known</th></tr></thead>
<tbody>${agreement.calibration.map((bin) => html`<tr><th scope="row">${figure(bin.from, 1)} to ${figure(bin.to, 1)}</th><td>${count(bin.n)}</td><td>${figure(bin.judged)}</td><td>${figure(bin.known)}</td></tr>`)}</tbody>
</table>`,
  )}</details>
</section>`;
}

const ORDERS = [
  [
    'sound_above_flawed',
    'Sound above flawed',
    'Reasoning of known quality 0.5 or more above reasoning of less, where both answers are right or both are wrong. What a thinking reward is for.',
  ],
  [
    'right_above_wrong',
    'Right above wrong',
    'A right answer above a wrong one. A judge that only guesses rightness does well here and badly above.',
  ],
  [
    'right_above_wrong_at_equal_soundness',
    'Right above wrong, equally sound',
    'The same where both are sound or both are flawed: how much rightness counts by itself.',
  ],
] as const;

function rankingSection({ ranking }: BenchResult): Html {
  const parts: [string, Record<string, Ranking>][] = [
    ['Problem type', ranking.by_type],
    ['Domain', ranking.by_domain],
  ];
  return html`<section id="ranking" aria-labelledby="ranking-title">
<h2 id="ranking-title">Ranking</h2>
<p class="prose">The share of pairs of responses in which the better one has the higher score: 1 is always, 0.5 is a coin. Ties count half.</p>
${scrolled(
  'Ranking',
  html`<table class="plain">
<caption><span>Over pairs of all responses, and over pairs of responses to the same question.</span></caption>
<thead><tr><th scope="col">Order</th><th scope="col">All pairs</th><th scope="col">Pairs</th><th scope="col">Same question</th><th scope="col">Pairs</th><th scope="col" class="text">How to read it</th></tr></thead>
<tbody>${ORDERS.map(([key, name, meaning]) => html`<tr><th scope="row">${name}</th>${orderCells(ranking.all[key], interval)}<td class="text">${meaning}</td></tr>`)}</tbody>
</table>`,
)}
${parts.map(([what, of]) => Object.keys(of).length > 1 && html`<h3>By ${what.toLowerCase()}</h3>${partTable(what, of)}`)}
</section>`;
}

function orderCells({ overall, same_question }: Orders, shown: (estimate: Estimate) => string): Html {
  return html`<td>${shown(overall)}</td><td>${count(overall.pairs)}</td><td>${shown(same_question)}</td><td>${count(same_question.pairs)}</td>`;
}

function partTable(what: string, of: Record<string, Ranking>): Html {
  return scrolled(
    `Ranking by ${what.toLowerCase()}`,
    html`<table>
<thead>
<tr><td></td><td></td>${ORDERS.map(([, name]) => html`<th scope="colgroup" colspan="2" class="first">${name}</th>`)}</tr>
<tr><th scope="col">${what}</th><th scope="col">Responses</th>${ORDERS.map(() => html`<th scope="col" class="first">All pairs</th><th scope="col">Pairs</th>`)}</tr>
</thead>
<tbody>${Object.entries(of).map(
      ([name, one]) =>
        html`<tr><th scope="row">${name}</th><td>${count(one.n)}</td>${ORDERS.map(([key]) => html`<td class="first">${interval(one[key].overall)}</td><td>${count(one[key].overall.pairs)}</td>`)}</tr>`,
    )}</tbody>
</table>`,
  );
}
