/** How the bench's report writes its figures. */
import type { Estimate } from '../../trm/bench/estimate.ts';
import { fixed } from '../stats.ts';
import { type Html, html } from './html.ts';

export const figure = (value: number | null, digits = 2): string =>
  value === null ? '–' : fixed(value, digits);

export const share = (value: number | null): string => (value === null ? '–' : `${fixed(100 * value, 0)} %`);

/** Signed. */
export const change = (value: number | null): string =>
  value === null ? '–' : `${value >= 0.005 ? '+' : ''}${fixed(value, 2)}`;

export const count = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** `0.86 (0.83 to 0.88)` */
export function interval(
  { value, low, high }: Estimate,
  shown: (v: number | null) => string = figure,
): string {
  return low === null || high === null ? shown(value) : `${shown(value)} (${shown(low)} to ${shown(high)})`;
}

export const changeInterval = (estimate: Estimate): string => interval(estimate, change);

/** A table that scrolls by itself where it is wider than the page. */
export function scrolled(label: string, table: Html): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${label}">${table}</div>`;
}
