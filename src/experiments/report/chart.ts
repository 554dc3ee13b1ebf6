/**
 * A line chart over steps as inline SVG: thin lines are the seeds as logged, thick lines the running mean over all of
 * them. The hover read-out (client.ts) works from the data that stands beside it; without it the chart reads the same.
 */
import { scaleLinear } from 'd3-scale';
import { line as d3Line } from 'd3-shape';
import { fixed } from '../stats.ts';
import { type Html, html } from './html.ts';
import { type Drawn, type DrawnLine, draw, type Line } from './series.ts';

export interface ChartSpec {
  /** Unique in the page. */
  id: string;
  title: string;
  /** What the vertical axis measures. */
  unit: string;
  lines: Line[];
  /** The vertical domain; a null end follows the data. */
  domain: [number | null, number | null];
}

export interface Chart {
  figure: Html;
  /** What the read-out needs, in the SVG's own coordinates. */
  data: ChartData;
}

export interface ChartData {
  id: string;
  steps: number[];
  x: number[];
  top: number;
  bottom: number;
  lines: {
    name: string;
    colour: string;
    y: (number | null)[];
    smooth: (number | null)[];
    logged: (string | null)[];
  }[];
}

const WIDTH = 360;
const HEIGHT = 212;
const LEFT = 40;
const RIGHT = 10;
const TOP = 22;
const BOTTOM = 34;

/** Null where no line has a point. */
export function chart(spec: ChartSpec): Chart | null {
  const lines = spec.lines.filter((line) =>
    line.seeds.some((points) => points.some((point) => point.value !== null)),
  );
  if (lines.length === 0) return null;
  const drawn = draw(lines);
  const x = scaleLinear(
    [drawn.steps[0], Math.max(drawn.steps[drawn.steps.length - 1], drawn.steps[0] + 1)],
    [LEFT, WIDTH - RIGHT],
  );
  const y = scaleLinear(extent(drawn, spec.domain), [HEIGHT - BOTTOM, TOP]);
  if (spec.domain[0] === null || spec.domain[1] === null) y.nice(4);
  const data: ChartData = {
    id: spec.id,
    steps: drawn.steps.map((step) => round(step)),
    x: drawn.steps.map((step) => round(x(step))),
    top: TOP,
    bottom: HEIGHT - BOTTOM,
    lines: drawn.lines.map((line) => ({
      name: line.name,
      colour: line.colour,
      y: line.smooth.map((value) => (value === null ? null : round(y(value)))),
      smooth: line.smooth.map((value) => (value === null ? null : Number(value.toPrecision(4)))),
      logged: line.logged.map((point) =>
        point === null
          ? null
          : point.sd === null
            ? figures(point.mean)
            : `${figures(point.mean)} ± ${figures(point.sd)}`,
      ),
    })),
  };
  return { figure: figure(spec, drawn, x, y), data };
}

type Scale = ReturnType<typeof scaleLinear<number, number>>;

function figure(spec: ChartSpec, drawn: Drawn, x: Scale, y: Scale): Html {
  const path = (values: readonly (number | null)[]) => {
    const points = values.flatMap((value, i): [number, number][] =>
      value === null ? [] : [[x(drawn.steps[i]), y(value)]],
    );
    return d3Line().digits(1)(points) ?? '';
  };
  const clip = `clip-${spec.id}`;
  const several = drawn.lines.length > 1;
  return html`<figure class="chart" data-chart="${spec.id}">
<figcaption><strong>${spec.title}</strong>${several && drawn.lines.map(keyOf)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" tabindex="0" aria-label="${describe(spec, drawn)}">
<clipPath id="${clip}"><rect x="${LEFT - 2}" y="${TOP - 2}" width="${WIDTH - LEFT - RIGHT + 4}" height="${HEIGHT - TOP - BOTTOM + 4}"/></clipPath>
<text class="axis-name" x="0" y="11">${spec.unit}</text>
${y.ticks(4).map((tick) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="tick" x="${LEFT - 6}" y="${round(y(tick) + 3.5)}" text-anchor="end">${y.tickFormat(4)(tick)}</text>`)}
${x
  .ticks(5)
  .filter(Number.isInteger)
  .map(
    (tick) =>
      html`<text class="tick" x="${round(x(tick))}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${tick}</text>`,
  )}
<text class="axis-name" x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">step</text>
<g clip-path="url(#${clip})">${drawn.lines.map((line) => html`<g style="--c:${line.colour}">${(drawn.window > 1 || line.seeds.length > 1) && line.seeds.filter(hasPoints).map((seed) => html`<path class="thin" d="${path(seed)}"/>`)}<path class="thick" d="${path(line.smooth)}"/></g>`)}</g>
<g class="cursor" hidden><line class="crosshair"/>${drawn.lines.map((line) => html`<circle r="3.5" style="--c:${line.colour}"/>`)}</g>
</svg>
<output class="readout" hidden></output>
</figure>`;
}

const hasPoints = (values: readonly (number | null)[]) => values.some((value) => value !== null);

function keyOf(line: DrawnLine): Html {
  return html`<span class="key" style="--c:${line.colour}"><i></i>${line.name}</span>`;
}

/** The chart in words, for those who cannot see it. */
function describe(spec: ChartSpec, drawn: Drawn): string {
  const said = drawn.lines.map((line) => {
    const there = line.smooth.flatMap((value, i) =>
      value === null ? [] : [{ step: drawn.steps[i], value }],
    );
    const first = there[0];
    const last = there[there.length - 1];
    return `${line.name} from ${figures(first.value)} at step ${Math.round(first.step)} to ${figures(last.value)} at step ${Math.round(last.step)}`;
  });
  return `${spec.title}, ${spec.unit}, over training steps. ${said.join('; ')}. Arrow keys read the values.`;
}

function extent(drawn: Drawn, [low, high]: ChartSpec['domain']): [number, number] {
  const values = drawn.lines
    .flatMap((line) => [...line.smooth, ...line.seeds.flat()])
    .filter((value) => value !== null);
  const min = low ?? Math.min(...values);
  const max = high ?? Math.max(...values);
  return max > min ? [min, max] : [min - 0.5, min + 0.5];
}

/** About three significant figures. */
export function figures(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return fixed(value, 0);
  if (size >= 10) return fixed(value, 1);
  return size >= 0.01 || value === 0 ? fixed(value, 2) : value.toPrecision(2).replace('-', '−');
}

const round = (value: number) => Math.round(value * 10) / 10;
