/**
 * A page of sections that needs nothing else: no network, no fonts, no files beside it. What a model or a record says is
 * text everywhere.
 */
import { createHash } from 'node:crypto';
import type { Chart } from './chart.ts';
import { CLIENT } from './client.ts';
import { embeddedJson, type Html, html, trusted } from './html.ts';
import { STYLE } from './style.ts';

export interface Section {
  /** Unique in the page; the first one's is where the skip link leads. */
  id: string;
  name: string;
  /** Null: left out. */
  body: Html | null;
}

export interface Page {
  title: string;
  /** One line below the title. */
  facts: string;
  /** The skip link's words. */
  skip: string;
  sections: Section[];
  /** Those whose figures stand in the sections. */
  charts: Chart[];
  footer: string;
}

export function page({ title, facts, skip, sections, charts, footer }: Page): string {
  const there = sections.filter((section) => section.body !== null);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(STYLE)}</style>
</head>
<body>
<a class="skip" href="#${there[0].id}">${skip}</a>
<header>
<h1>${title}</h1>
<p class="note">${facts}</p>
<nav aria-label="Contents">${there.map((section) => html`<a href="#${section.id}">${section.name}</a>`)}</nav>
</header>
<main>${there.map((section) => section.body)}</main>
<footer><p class="note">${footer}</p></footer>
<script type="application/json" id="chart-data">${embeddedJson(charts.map((chart) => chart.data))}</script>
<script>${trusted(CLIENT)}</script>
</body>
</html>
`.markup;
}

/** Only this page's own script may run, and nothing may be fetched: a second wall behind the escaping. */
function policy(): string {
  const hash = createHash('sha256').update(CLIENT).digest('base64');
  return `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
}
