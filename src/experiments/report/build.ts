/**
 * The report of an experiment as one HTML page that needs nothing else: no network, no fonts, no files beside it.
 * A pure function of its input; what a model or a record says is text everywhere.
 */
import { createHash } from 'node:crypto';
import { CLIENT } from './client.ts';
import { examplesSection } from './examples-section.ts';
import { embeddedJson, type Html, html, trusted } from './html.ts';
import type { ReportInput } from './input.ts';
import { resultSection } from './result-section.ts';
import { STYLE } from './style.ts';
import { judgeSection, timeSection, trainingSection } from './training-section.ts';

export function buildReport(input: ReportInput): string {
  const training = trainingSection(input);
  const judge = judgeSection(input);
  const sections: { id: string; name: string; body: Html | null }[] = [
    { id: 'result', name: 'Result', body: resultSection(input) },
    { id: 'examples', name: 'Examples', body: examplesSection(input) },
    { id: 'training', name: 'Training', body: training.section },
    { id: 'judge', name: 'Before reinforcement learning', body: judge.section },
    { id: 'time', name: 'Time', body: timeSection(input) },
    { id: 'recipe', name: 'Recipe', body: recipeSection(input) },
  ];
  const there = sections.filter((section) => section.body !== null);
  const charts = [...training.charts, ...judge.charts].map((chart) => chart.data);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<title>${input.title}</title>
<link rel="icon" href="data:,">
<style>${trusted(STYLE)}</style>
</head>
<body>
<a class="skip" href="#result">To the result</a>
<header>
<h1>${input.title}</h1>
<p class="note">${facts(input)}</p>
<nav aria-label="Contents">${there.map((section) => html`<a href="#${section.id}">${section.name}</a>`)}</nav>
</header>
<main>${there.map((section) => section.body)}</main>
<footer><p class="note">Every figure and every sentence about this run was computed from its run folder.</p></footer>
<script type="application/json" id="chart-data">${embeddedJson(charts)}</script>
<script>${trusted(CLIENT)}</script>
</body>
</html>
`;
  return page.markup;
}

/** Only this page's own script may run, and nothing may be fetched: a second wall behind the escaping. */
function policy(): string {
  const hash = createHash('sha256').update(CLIENT).digest('base64');
  return `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
}

function facts(input: ReportInput): string {
  const seeds = input.seeds.length === 1 ? `seed ${input.seeds[0]}` : `seeds ${input.seeds.join(', ')}`;
  const date = input.created.slice(0, 16).replace('T', ', ');
  return [date, seeds, input.machine].filter((part) => part !== '').join(' · ');
}

function recipeSection(input: ReportInput): Html | null {
  if (input.recipe.length === 0) return null;
  return html`<section id="recipe" aria-labelledby="recipe-title">
<h2 id="recipe-title">Recipe</h2>
<details><summary>Everything it takes to run this again (${input.recipe.length} keys)</summary>
<div class="scroll" tabindex="0" role="group" aria-label="Recipe"><table class="plain recipe"><caption><span>The resolved recipe.</span></caption>
<thead><tr><th scope="col">Key</th><th scope="col" class="text">Value</th></tr></thead>
<tbody>${input.recipe.map(({ key, value }) => html`<tr><th scope="row"><code>${key}</code></th><td class="text"><code>${value}</code></td></tr>`)}</tbody>
</table></div></details>
</section>`;
}
