/** The report of a model on a benchmark as one HTML page: a pure function of its input. */
import { categoryTables } from '../../eval/category-figures.ts';
import type { BenchmarkScores } from '../../eval/evaluate-benchmark.ts';
import { type Comparison, notes, source } from '../../eval/published.ts';
import { fixed } from '../stats.ts';
import { count, figure, scrolled, share } from './bench-figures.ts';
import { type Html, html } from './html.ts';
import type { Picture } from './input.ts';
import { page, type Section } from './page.ts';

/** A question with what the model said, and what the rules say of it. */
export interface BenchmarkExample {
  id: string;
  right: boolean;
  /** As it was put, pictures left out. */
  question: string;
  pictures: Picture[];
  /** The true answer as the published files spell it; null where they hold none. */
  answer: string | null;
  response: string;
  /** What a language model made of the response; null: none was asked. */
  extraction: string | null;
  /** Cut off by the token limit. */
  truncated: boolean;
}

export interface BenchmarkReport {
  title: string;
  scores: BenchmarkScores;
  /** Some of so many. */
  wrong: { of: number; examples: BenchmarkExample[] };
  right: { of: number; examples: BenchmarkExample[] };
  /** Questions without a response, some of them. */
  failures: { id: string; reason: string }[];
  /** Published figures with the user's own; empty where nothing is compared. */
  compared: readonly Comparison[];
}

export function buildBenchmarkReport(report: BenchmarkReport): string {
  const { title, scores, wrong, right } = report;
  const { model, variant, n } = scores;
  const sections: Section[] = [
    { id: 'scores', name: 'Scores', body: scoresSection(report) },
    { id: 'published', name: 'Published figures', body: comparedSection(report.compared) },
    {
      id: 'wrong',
      name: 'Wrong answers',
      body: examplesSection('wrong', 'Wrong answers', wrong),
    },
    {
      id: 'right',
      name: 'Right answers',
      body: examplesSection('right', 'Right answers', right),
    },
    { id: 'failures', name: 'Without a response', body: failuresSection(report) },
    { id: 'settings', name: 'Settings', body: settingsSection(scores) },
  ];
  return page({
    title,
    facts: [model, variant, `${count(n)} questions`].join(' · '),
    skip: 'To the scores',
    sections,
    charts: [],
    footer: `Every figure was computed by sophia eval from the responses, by the rules of the scorer “${scores.scorer}”.`,
  });
}

function scoresSection({ scores }: BenchmarkReport): Html {
  const { n, correct, accuracy, no_response, truncated, extractor, best_of } = scores;
  const said = [
    no_response > 0 &&
      `${count(no_response)} ${no_response === 1 ? 'question has' : 'questions have'} no response, which counts as wrong`,
    `${share(truncated)} of the responses were cut off by the token limit`,
    extractor !== null &&
      `${extractor.model} was asked what ${count(extractor.asked)} responses mean and decided ${share(extractor.share)} of all`,
    best_of !== undefined &&
      `one of ${best_of.samples} responses was chosen by ${best_of.judge === null ? 'majority' : best_of.chosen_by === 'judge' ? best_of.judge : `majority, though ${best_of.judge} scored them`}`,
  ].filter((part) => part !== false);
  const points = Object.entries(scores).filter(
    ([key, value]) => typeof value === 'number' && !KNOWN.has(key),
  );
  return html`<section id="scores" aria-labelledby="scores-title">
<h2 id="scores-title">Scores</h2>
<p class="lead">${count(correct)} of ${count(n)} are right: ${fixed(100 * accuracy, 1)} %.</p>
${points.length > 0 && html`<p class="prose">${points.map(([key, value]) => `${words(key)} ${shown(value as number)}`).join('; ')}.</p>`}
<p class="note">${said.join('; ')}.</p>
${categoryTables(scores.per_category).map(({ by, figures }) => categoryTable(by, figures))}
</section>`;
}

/** Figures that are said elsewhere. */
const KNOWN = new Set(['n', 'correct', 'accuracy', 'no_response', 'truncated']);

const words = (key: string) => key.replaceAll('_', ' ');
const shown = (value: number) => (Number.isInteger(value) ? count(value) : fixed(value, 2));

function categoryTable(
  by: string | null,
  figures: { name: string; n: number | null; value: number }[],
): Html {
  const name = by === null ? 'category' : words(by);
  return scrolled(
    name,
    html`<table class="plain">
<caption><span>By ${name}.</span></caption>
<thead><tr><th scope="col">${name}</th><th scope="col">n</th><th scope="col">${figures.some(({ n }) => n !== null) ? 'right' : 'points'}</th></tr></thead>
<tbody>${figures.map(({ name, n, value }) => html`<tr><th scope="row">${name}</th><td>${n === null ? '–' : count(n)}</td><td>${n === null ? figure(value, 1) : `${fixed(100 * value, 1)} %`}</td></tr>`)}</tbody>
</table>`,
  );
}

function comparedSection(compared: readonly Comparison[]): Html | null {
  if (compared.length === 0) return null;
  return html`<section id="published" aria-labelledby="published-title">
<h2 id="published-title">Beside published figures</h2>
<p class="note">Published figures: ${source}; per cent, MME in points.</p>
${compared.map(({ title, columns, rows }) =>
  scrolled(
    title,
    html`<table class="plain"><caption><span>${title}.</span></caption>
<thead><tr><th scope="col">Model</th>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map(({ model, own, figures }) => html`<tr><th scope="row">${own ? html`${model} (this run)` : model}</th>${figures.map((value) => html`<td>${figure(value, 1)}</td>`)}</tr>`)}</tbody>
</table>`,
  ),
)}
${notes.map((note) => html`<p class="note">${note}</p>`)}
</section>`;
}

function examplesSection(
  id: string,
  title: string,
  { of, examples }: { of: number; examples: readonly BenchmarkExample[] },
): Html | null {
  if (examples.length === 0) return null;
  return html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
<p class="note">${count(examples.length)} of ${count(of)}${examples.length < of && ', taken at even distances'}.</p>
${examples.map(exampleArticle)}
</section>`;
}

function exampleArticle(example: BenchmarkExample): Html {
  const { id, right, question, answer, response, extraction, truncated } = example;
  const remarks = [
    extraction !== null && `read by a language model as: ${shortened(extraction, 300)}`,
    truncated && 'cut off by the token limit',
  ].filter((part) => part !== false);
  return html`<article class="example">
<div class="question">
<div>${example.pictures.map(pictureOf)}</div>
<div>
<pre class="raw" tabindex="0">${shortened(question, MOST_CHARACTERS)}</pre>
<p class="answer">True answer: <strong>${answer ?? '–'}</strong></p>
<p class="note">${id}</p>
</div>
</div>
<div class="card ${right ? 'is-right' : 'is-wrong'}">
<div class="card-head"><span class="${right ? 'right-mark' : 'wrong-mark'}"><span aria-hidden="true">${right ? '✓' : '✕'}</span> ${right ? 'right' : 'wrong'}</span></div>
<pre class="raw" tabindex="0">${response === '' ? '(nothing)' : shortened(response, MOST_CHARACTERS)}</pre>
${remarks.length > 0 && html`<p class="note">${remarks.join('; ')}</p>`}
</div>
</article>`;
}

const MOST_CHARACTERS = 4000;

function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most)}… (${text.length - most} more characters)`;
}

function pictureOf({ url, width, height }: Picture): Html | null {
  if (!/^data:image\/(png|jpeg);base64,[A-Za-z0-9+/=]*$/.test(url)) return null;
  const small = Math.max(width, height) <= 64;
  const scale = small ? 3 : 1;
  return html`<img class="${small && 'pixels'}" src="${url}" width="${width * scale}" height="${height * scale}" alt="A picture of the question">`;
}

function failuresSection({ failures, scores }: BenchmarkReport): Html | null {
  if (failures.length === 0) return null;
  return html`<section id="failures" aria-labelledby="failures-title">
<h2 id="failures-title">Without a response</h2>
<p class="note">${count(failures.length)} of ${count(scores.no_response)}.</p>
${scrolled(
  'Failures',
  html`<table class="plain"><thead><tr><th scope="col">Question</th><th scope="col" class="text">Why</th></tr></thead>
<tbody>${failures.map(({ id, reason }) => html`<tr><th scope="row">${id}</th><td class="text">${shortened(reason, 300)}</td></tr>`)}</tbody></table>`,
)}
</section>`;
}

function settingsSection({ settings }: BenchmarkScores): Html {
  return html`<section id="settings" aria-labelledby="settings-title">
<h2 id="settings-title">Settings</h2>
${scrolled(
  'Settings',
  html`<table class="plain recipe"><caption><span>What the responses depend on.</span></caption>
<thead><tr><th scope="col">Key</th><th scope="col" class="text">Value</th></tr></thead>
<tbody>${Object.entries(settings).map(([key, value]) => html`<tr><th scope="row"><code>${key}</code></th><td class="text"><code>${typeof value === 'string' ? value : JSON.stringify(value)}</code></td></tr>`)}</tbody></table>`,
)}
</section>`;
}
