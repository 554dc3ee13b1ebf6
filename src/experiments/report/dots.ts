/** Figures with their intervals as dots on one axis, one a row of a table, drawn into a cell of it. */
import { scaleLinear } from 'd3-scale';
import { type Html, html } from './html.ts';

export interface Dot {
  value: number | null;
  low: number | null;
  high: number | null;
  /** The figure that it should be, as an open diamond; null: none. */
  ought: number | null;
}

export interface DotAxis {
  /** The axis itself, for the head of the column. */
  head: Html;
  dot: (dot: Dot) => Html;
}

const WIDTH = 230;
const SIDE = 14;

/** An axis that holds all the dots, and 0. */
export function dotAxis(dots: readonly Dot[], colour: string): DotAxis {
  const values = dots.flatMap(({ value, low, high, ought }) =>
    [value, low, high, ought].filter((each) => each !== null),
  );
  const x = scaleLinear([Math.min(0, ...values), Math.max(0.1, ...values)], [SIDE, WIDTH - SIDE]).nice(4);
  const at = (value: number) => Math.round(10 * x(value)) / 10;
  const ticks = x.ticks(4);
  const zero = html`<line class="zero" x1="${at(0)}" x2="${at(0)}" y1="0" y2="24"/>`;
  return {
    head: html`<svg class="dots" viewBox="0 0 ${WIDTH} 16" width="${WIDTH}" height="16" aria-hidden="true">${ticks.map((tick) => html`<text x="${at(tick)}" y="12" text-anchor="middle">${tick === 0 ? '0' : x.tickFormat(4, '+')(tick)}</text>`)}</svg>`,
    dot: ({
      value,
      low,
      high,
      ought,
    }) => html`<svg class="dots" viewBox="0 0 ${WIDTH} 24" width="${WIDTH}" height="24" aria-hidden="true" style="--c:${colour}">
${ticks.map((tick) => html`<line class="grid" x1="${at(tick)}" x2="${at(tick)}" y1="0" y2="24"/>`)}${zero}
${low !== null && high !== null && html`<line class="interval" x1="${at(low)}" x2="${at(high)}" y1="12" y2="12"/>`}
${ought !== null && html`<path class="ought" d="M${at(ought)} 6l6 6l-6 6l-6 -6z"/>`}
${value !== null && html`<circle cx="${at(value)}" cy="12" r="4.5"/>`}
</svg>`,
  };
}
