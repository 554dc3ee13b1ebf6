/** The first thing a reader sees: what the variants answer and how much of it is sound, the figures, what they say. */
import {
  evaluationNote,
  figure,
  MEASURES,
  type Measure,
  type ResultRow,
  SPLIT_NAMES,
  SPLITS,
  type Split,
  variantName,
} from '../results.ts';
import { fixed, plusMinus, type Summary, summarise } from '../stats.ts';
import { variantColour } from './colours.ts';
import { type Findings, findings } from './findings.ts';
import { type Html, html } from './html.ts';
import type { ReportInput } from './input.ts';

export function resultSection(input: ReportInput): Html {
  const said = findings(input.results);
  return html`<section id="result" aria-labelledby="result-title">
<h2 id="result-title">Result</h2>
${said.verdict && html`<p class="lead">${said.verdict}</p>`}
${anatomy(input)}
${words(said)}
${headline(input)}
${byPart(input)}
</section>`;
}

function words(said: Findings): Html {
  return html`<ul class="findings">${said.findings.map(({ about, says }) => html`<li><strong>${about}</strong> ${says}</li>`)}</ul>`;
}

/** Every answer is right by sound reasoning, right by flawed reasoning, or wrong: one bar a variant. */
function anatomy(input: ReportInput): Html | null {
  const panels = SPLITS.flatMap((split) => {
    const rows = input.results.flatMap((row) => {
      const accuracy = figure(row, split, 'accuracy');
      return accuracy
        ? [{ row, accuracy, sound: figure(row, split, 'reliability_conditioned_accuracy') }]
        : [];
    });
    return rows.length > 0 ? [{ split, rows }] : [];
  });
  if (panels.length === 0) return null;
  const judged = panels.some((panel) => panel.rows.some((row) => row.sound));
  return html`<figure class="anatomy">
<figcaption>What becomes of 100 answers${judged && html`<span class="keys"><span><i class="sound"></i>right, sound reasoning</span><span><i class="flawed"></i>right, flawed reasoning</span><span><i class="wrong"></i>wrong</span></span>`}</figcaption>
<div class="panels">${panels.map(
    (panel) => html`<div><h3>${SPLIT_NAMES[panel.split]}</h3>
${input.splits?.[panel.split] && html`<p class="note">${input.splits[panel.split]}</p>`}
${panel.rows.map(({ row, accuracy, sound }) => bar(variantName(row.variant), accuracy, sound))}</div>`,
  )}</div>
</figure>`;
}

function bar(name: string, accuracy: Summary, sound: Summary | null): Html {
  const of100 = (share: number) => Math.round(100 * share);
  const soundShare = sound ? sound.mean : accuracy.mean;
  const flawedShare = Math.max(0, accuracy.mean - soundShare);
  const part = (kind: string, share: number) => {
    const width = fixed(100 * share, 2);
    if (Number(width) === 0) return null;
    return html`<span class="${kind}" style="width:${width}%">${share >= 0.045 && html`<b>${of100(share)}</b>`}</span>`;
  };
  const words = sound
    ? `${of100(soundShare)} right with sound reasoning, ${of100(flawedShare)} right with flawed reasoning, ${of100(1 - accuracy.mean)} wrong`
    : `${of100(accuracy.mean)} right, ${of100(1 - accuracy.mean)} wrong`;
  return html`<div class="bar-row"><span class="bar-name">${name}</span><div class="bar" role="img" aria-label="${name}: of 100 answers ${words}">${part('sound', soundShare)}${part('flawed', flawedShare)}${part('wrong', 1 - accuracy.mean)}</div></div>`;
}

function headline(input: ReportInput): Html {
  const rows = input.results;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Headline figures"><table>
<caption><span>Headline figures: ${evaluationNote(rows)}.</span></caption>
<thead>
<tr><td></td>${SPLITS.map((split) => html`<th scope="colgroup" colspan="${MEASURES.length}" class="first">${SPLIT_NAMES[split]}</th>`)}</tr>
<tr><th scope="col">Variant</th>${SPLITS.map(() => MEASURES.map((measure, i) => html`<th scope="col" class="${i === 0 && 'first'}">${measure.name}</th>`))}</tr>
</thead>
<tbody>${rows.map(
    (row) =>
      html`<tr><th scope="row">${variantName(row.variant)}</th>${SPLITS.map((split) =>
        MEASURES.map(
          (measure, i) =>
            html`<td class="${i === 0 && 'first'}" ${seedTitle(row, split, measure.key)}>${plusMinus(figure(row, split, measure.key))}</td>`,
        ),
      )}</tr>`,
  )}</tbody>
</table></div>
<dl class="meanings">${MEASURES.map((measure) => html`<div><dt>${measure.name}</dt><dd>${measure.meaning}</dd></div>`)}</dl>`;
}

function seedTitle(row: ResultRow, split: Split, key: Measure['key']): Html | null {
  if (row.seeds.length < 2) return null;
  const each = row.seeds.map((seed) => `seed ${seed.seed}: ${plusMinus(summarise([seed[split]?.[key]]), 3)}`);
  return html`title="${each.join(', ')}"`;
}

type Part = 'by_type' | 'by_source';

/** By problem type, and by kind of question where the two differ. */
function byPart(input: ReportInput): Html {
  return html`<h3>By type of problem</h3>${partTable(input, 'by_type', 'problem type')}${partTable(input, 'by_source', 'source')}`;
}

function partTable(input: ReportInput, part: Part, name: string): Html | null {
  const scores = input.results.flatMap((row) =>
    row.seeds.flatMap((seed) => SPLITS.flatMap((split) => seed[split] ?? [])),
  );
  const types = [...new Set(scores.flatMap((each) => Object.keys(each[part])))];
  if (types.length < (part === 'by_source' ? 2 : 1)) return null;
  const variants = input.results.map((row) => row.variant);
  const cell = (row: ResultRow, split: Split, type: string) =>
    summarise(row.seeds.map((seed) => seed[split]?.[part][type]?.accuracy));
  const shown = SPLITS.filter((split) => input.results.some((row) => row.seeds.some((seed) => seed[split])));
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Accuracy by ${name}"><table class="heat">
<caption><span>Accuracy by ${name}${input.seeds.length > 1 && `, mean over ${input.seeds.length} seeds`}. The line under a figure is as long as the accuracy.</span></caption>
<thead>
<tr><td></td>${shown.map((split) => html`<th scope="colgroup" colspan="${variants.length}" class="first">${SPLIT_NAMES[split]}</th>`)}</tr>
<tr><th scope="col">${name[0].toUpperCase() + name.slice(1)}</th>${shown.map(() => variants.map((variant, i) => html`<th scope="col" class="${i === 0 && 'first'}">${variantName(variant)}</th>`))}</tr>
</thead>
<tbody>${types.map(
    (type) =>
      html`<tr><th scope="row">${type}</th>${shown.map((split) =>
        input.results.map((row, i) => {
          const summary = cell(row, split, type);
          const style = summary
            ? `--p:${fixed(100 * summary.mean, 1)}%;--c:${variantColour(row.variant, variants)}`
            : '';
          return html`<td class="${i === 0 && 'first'}"><span class="level" style="${style}">${summary ? fixed(summary.mean, 2) : '–'}</span></td>`;
        }),
      )}</tr>`,
  )}</tbody>
</table></div>`;
}
