/** A calibration curve: mean known quality over mean judged score, a dot a bin, as large as the bin is full. */
import { scaleLinear, scaleSqrt } from 'd3-scale';
import { line as d3Line } from 'd3-shape';
import type { CalibrationBin } from '../../trm/bench/agreement.ts';
import { fixed } from '../stats.ts';
import { type Html, html } from './html.ts';

const WIDTH = 360;
const HEIGHT = 320;
const LEFT = 40;
const RIGHT = 14;
const TOP = 24;
const BOTTOM = 38;

export function calibrationPlot(bins: readonly CalibrationBin[]): Html {
  const full = bins.flatMap(({ n, judged, known, ...bin }) =>
    judged === null || known === null ? [] : [{ ...bin, n, judged, known }],
  );
  const x = scaleLinear([0, 1], [LEFT, WIDTH - RIGHT]);
  const y = scaleLinear([0, 1], [HEIGHT - BOTTOM, TOP]);
  const radius = scaleSqrt([0, Math.max(1, ...full.map(({ n }) => n))], [2, 11]);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const round = (value: number) => Math.round(10 * value) / 10;
  const path = d3Line().digits(1)(full.map(({ judged, known }) => [x(judged), y(known)])) ?? '';
  const said = full.map(
    ({ n, judged, known }) => `judged ${fixed(judged, 2)}, known ${fixed(known, 2)}, ${n} responses`,
  );
  return html`<figure class="chart calibration">
<figcaption><strong>Calibration</strong></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Calibration: ${said.join('; ')}" style="--c:var(--trust)">
<text class="axis-name" x="0" y="11">mean known quality</text>
${ticks.map((tick) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="tick" x="${LEFT - 6}" y="${round(y(tick) + 3.5)}" text-anchor="end">${tick}</text><text class="tick" x="${round(x(tick))}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${tick}</text>`)}
<line class="ideal" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}"/>
<path class="thin" d="${path}"/>
${full.map(({ n, judged, known }, i) => html`<circle class="bin" cx="${round(x(judged))}" cy="${round(y(known))}" r="${round(radius(n))}"><title>${said[i]}</title></circle>`)}
<text class="axis-name" x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">mean judged score</text>
</svg>
</figure>`;
}
