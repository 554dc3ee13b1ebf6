/** The published comparison as a table for the terminal and as a fragment of a page, with its source and notes. */
import { type Comparison, notes, source } from './published.ts';

const figure = (value: number | null) => (value === null ? '–' : value.toFixed(1));

/** Own rows are marked with a star. Ends with a newline; empty where nothing is compared. */
export function comparisonText(tables: readonly Comparison[]): string {
  if (tables.length === 0) return '';
  const notesText = notes.map((note, i) => `${i + 1}. ${note}`).join('\n');
  return `${[...tables.map(tableText), `* your own. Published figures: ${source}; per cent, MME in points.`, notesText].join('\n\n')}\n`;
}

const partSaid = (partial: readonly string[]) =>
  `Your own figures are of part of the questions only: ${partial.join(', ')}.`;

function tableText({ title, columns, rows, partial }: Comparison): string {
  const names = rows.map(({ model, own }) => (own ? `* ${model}` : model));
  const cells = rows.map(({ figures }) => figures.map(figure));
  const first = Math.max(...names.map((name) => name.length));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i].length)));
  const line = (name: string, row: readonly string[]) =>
    [name.padEnd(first), ...row.map((cell, i) => cell.padStart(widths[i]))].join('  ');
  const own = partial.length > 0 ? [partSaid(partial)] : [];
  return [title, line('', columns), ...names.map((name, i) => line(name, cells[i])), ...own].join('\n');
}

/** A `<section>` without styles of its own; own rows have the class `own`. Empty where nothing is compared. */
export function comparisonHtml(tables: readonly Comparison[]): string {
  if (tables.length === 0) return '';
  const list = notes.map((note) => `<li>${escaped(note)}</li>`).join('');
  return `<section class="published">${tables.map(tableHtml).join('')}<p>Published figures: ${escaped(source)}; per cent, MME in points.</p><ol>${list}</ol></section>`;
}

function tableHtml({ title, columns, rows, partial }: Comparison): string {
  const head = columns.map((column) => `<th scope="col">${escaped(column)}</th>`).join('');
  const body = rows.map(
    ({ model, own, figures }) =>
      `<tr${own ? ' class="own"' : ''}><th scope="row">${escaped(model)}</th>${figures.map((value) => `<td>${figure(value)}</td>`).join('')}</tr>`,
  );
  return `<table><caption>${escaped(title)}</caption><thead><tr><th scope="col">model</th>${head}</tr></thead><tbody>${body.join('')}</tbody></table>${partial.length > 0 ? `<p>${escaped(partSaid(partial))}</p>` : ''}`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string) => text.replace(/[&<>"]/g, (char) => entities[char]);
