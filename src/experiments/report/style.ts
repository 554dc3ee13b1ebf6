/** The page's looks: one column of reading, figures beside each other where there is room; light, dark and print. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #fcfbf8; --ink: #1c1e22; --muted: #5a5f69; --line: #dedbd3; --card: #ffffff; --soft: #f3f1ec;
  --cold: #6d7480; --grpo: #c04a12; --trust: #1a5fb4; --other-1: #7b3f98; --other-2: #00786c; --other-3: #8a6100; --other-4: #a02c5d;
  --series-1: #00786c; --series-2: #b3541e; --series-3: #7b3f98; --series-4: #47617f; --series-5: #8a6100;
  --good: #0a6549; --good-bg: #e4f2ec; --bad: #a8261b; --bad-bg: #fbe7e4; --weak: #7a5200; --weak-bg: #faf0d9;
  --sound: #14695a; --sound-ink: #ffffff; --flawed: #eab04e; --flawed-ink: #33230a; --wrong: #e3e0d9; --wrong-ink: #4d4f55;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  --serif: Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Georgia, "Liberation Serif", serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --bg: #15171b; --ink: #e7e5e0; --muted: #a4a9b3; --line: #33373f; --card: #1c1f24; --soft: #202329;
    --cold: #9aa3b2; --grpo: #f28a4c; --trust: #74b0f7; --other-1: #c99be0; --other-2: #5fc9ba; --other-3: #dcb35a; --other-4: #ef8fb4;
    --series-1: #5fc9ba; --series-2: #f0975a; --series-3: #c99be0; --series-4: #9db7d6; --series-5: #dcb35a;
    --good: #7cd8b4; --good-bg: #163029; --bad: #ffa296; --bad-bg: #3b1f1d; --weak: #efc467; --weak-bg: #352b15;
    --sound: #2f9b85; --sound-ink: #07130f; --flawed: #d59a38; --flawed-ink: #1d1302; --wrong: #353942; --wrong-ink: #c6cad2;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0 auto; max-width: 1136px; padding: 0 28px 64px; background: var(--bg); color: var(--ink); font: 16px/1.55 var(--sans); overflow-wrap: break-word; }
header { padding: 56px 0 8px; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; }
h1 { font: 600 38px/1.15 var(--serif); letter-spacing: -0.01em; margin: 0 0 12px; max-width: 26ch; }
h2 { font: 600 27px/1.2 var(--serif); margin: 0 0 14px; padding-top: 20px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; font-weight: 650; margin: 34px 0 12px; }
section { margin-top: 52px; scroll-margin-top: 8px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 22px; margin-top: 18px; font-size: 15px; }
a { color: var(--trust); text-underline-offset: 3px; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--trust); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -999px; } .skip:focus { left: 16px; top: 12px; background: var(--bg); padding: 6px 10px; }
.lead { font: 21px/1.45 var(--serif); max-width: 62ch; margin: 0 0 26px; text-wrap: pretty; }
.prose { font: 17px/1.6 var(--serif); max-width: 70ch; margin: 0 0 18px; text-wrap: pretty; }
.findings { font: 16.5px/1.55 var(--serif); margin: 0 0 30px; padding: 0; list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px 44px; } .findings strong { font: 600 14.5px var(--sans); display: block; } .findings li { text-wrap: pretty; }
.note { color: var(--muted); font-size: 14px; line-height: 1.5; margin: 0 0 10px; max-width: 84ch; }
var { font-family: var(--serif); font-style: italic; } sub { font-size: 0.72em; line-height: 0; }
.formula { font: 16px/1.5 var(--serif); white-space: nowrap; }
footer { margin-top: 56px; border-top: 1px solid var(--line); padding-top: 14px; }

.scroll { overflow-x: auto; margin: 18px 0 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: 14px; padding-bottom: 10px; } caption span { position: sticky; left: 0; display: inline-block; max-width: min(100%, calc(100vw - 32px)); }
th, td { padding: 7px 10px; text-align: right; font-weight: 400; white-space: nowrap; }
th[scope=row], thead th:first-child, .text { text-align: left; }
th[scope=row] { font-weight: 600; position: sticky; left: 0; background: var(--bg); padding-left: 0; }
thead th { color: var(--muted); font-size: 13px; vertical-align: bottom; }
thead th[scope=colgroup] { text-align: left; color: var(--ink); font-weight: 600; padding-bottom: 0; }
thead tr:last-child > * { border-bottom: 1px solid var(--ink); }
thead th:first-child { padding-left: 0; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
.first { padding-left: 26px; }
table.plain { width: auto; } .plain td.text { white-space: normal; min-width: 170px; color: var(--muted); }
.heat td, .heat thead th { text-align: left; } .level { display: inline-block; width: 80px; padding-bottom: 3px; background: linear-gradient(var(--c), var(--c)) 0 100% / var(--p) 2px no-repeat; }
.times .length { display: block; height: 8px; background: var(--muted); border-radius: 1px; } .times td.text { width: 320px; min-width: 120px; }
.meanings { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 6px 28px; margin: 12px 0 0; font-size: 13.5px; color: var(--muted); line-height: 1.45; }
.meanings dt { color: var(--ink); font-weight: 600; } .meanings dd { margin: 0; }

.anatomy { margin: 0 0 26px; }
.anatomy figcaption { font-weight: 650; display: flex; flex-wrap: wrap; gap: 4px 22px; align-items: baseline; }
.keys { font-weight: 400; font-size: 14px; color: var(--muted); display: flex; flex-wrap: wrap; gap: 2px 18px; } .keys span { white-space: nowrap; }
.keys i { display: inline-block; width: 12px; height: 12px; margin: 0 6px -1px 0; border-radius: 2px; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 8px 44px; }
.panels h3 { margin: 16px 0 4px; font-size: 15px; }
.panels .note { margin-bottom: 8px; min-height: 2.9em; }
.bar-row { display: grid; grid-template-columns: 92px 1fr; align-items: center; gap: 10px; margin: 7px 0; font-size: 14.5px; }
.bar { display: flex; height: 30px; border-radius: 3px; overflow: hidden; gap: 2px; }
.bar > span { display: flex; align-items: center; min-width: 0; overflow: hidden; } .bar b { padding-left: 8px; font-weight: 600; font-size: 14px; font-variant-numeric: tabular-nums; }
.sound { background: var(--sound); color: var(--sound-ink); }
.flawed { background: repeating-linear-gradient(135deg, var(--flawed) 0 6px, color-mix(in srgb, var(--flawed) 84%, #000) 6px 7px); color: var(--flawed-ink); }
.wrong { background: var(--wrong); color: var(--wrong-ink); }

.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 0 30px; }
.chart { position: relative; margin: 0 0 24px; break-inside: avoid; display: grid; grid-row: span 2; grid-template-rows: subgrid; row-gap: 5px; }
.chart figcaption { font-size: 14px; display: flex; flex-wrap: wrap; gap: 0 14px; line-height: 1.5; align-self: end; }
.chart svg[role=img] { display: block; width: 100%; height: auto; overflow: visible; touch-action: pan-y; }
.chart text, .strip text { font: 11.5px var(--sans); fill: var(--muted); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); stroke-width: 1; }
.key { color: var(--muted); white-space: nowrap; } .key i { display: inline-block; width: 16px; height: 3px; border-radius: 2px; background: var(--c); margin: 0 6px 3px 0; vertical-align: middle; }
.thin, .thick { fill: none; stroke: var(--c); stroke-linejoin: round; stroke-linecap: round; }
.thin { stroke-width: 1; opacity: 0.33; } .thick { stroke-width: 2.2; }
.crosshair { stroke: var(--muted); stroke-width: 1; } .cursor circle { fill: var(--c); stroke: var(--bg); stroke-width: 1.5; }
.readout { position: absolute; grid-area: 1 / 1 / 2 / 2; align-self: end; justify-self: start; width: max-content; background: var(--card); border: 1px solid var(--line); border-radius: 4px; padding: 6px 10px; font-size: 12.5px; line-height: 1.5; pointer-events: none; box-shadow: 0 2px 10px rgb(0 0 0 / 0.12); display: grid; z-index: 3; white-space: pre; }
.readout span b { color: var(--c); } .readout small { color: var(--muted); font-size: 11.5px; }
.judge .charts { margin-bottom: 22px; }
.beside { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 8px 40px; align-items: start; } .beside .chart { display: block; grid-row: auto; } .beside .scroll { margin-top: 0; }
.ideal { stroke: var(--muted); stroke-dasharray: 4 4; } .bin { fill: var(--c); fill-opacity: 0.75; stroke: var(--bg); }
.dots { display: block; } .dots text { font: 11.5px var(--sans); fill: var(--muted); } .dots circle { fill: var(--c); } .zero { stroke: var(--muted); } .interval { stroke: var(--c); stroke-width: 2.5; } .ought { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.changes td, .changes th { vertical-align: middle; } .changes .plot { padding-top: 0; padding-bottom: 0; } .changes tbody tr + tr > .plot { border-top-color: transparent; }
.changes th[scope=row] { white-space: normal; min-width: 190px; max-width: 300px; line-height: 1.3; } .changes small { display: block; color: var(--muted); font-size: 12.5px; font-weight: 400; }
.keys .dot-key { background: var(--c, var(--trust)); border-radius: 50%; } .keys .ought-key { border: 1.5px solid var(--ink); border-radius: 0; transform: rotate(45deg) scale(0.8); }

.symbols { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 8px 40px; margin: 20px 0 14px; font-size: 14.5px; line-height: 1.45; }
.symbols > div { display: grid; grid-template-columns: 64px 1fr; align-items: baseline; } .symbols dt { font-size: 18px; white-space: nowrap; } .symbols dd { margin: 0; color: var(--muted); }
.symbols .formula { color: var(--ink); white-space: normal; display: block; }
.verdicts { max-width: none; } .verdicts .how { display: block; margin-top: 4px; } .verdicts .v { display: inline-block; margin: 0 8px 4px 0; padding: 1px 9px; }
.picker { margin: 22px 0 18px; display: grid; gap: 10px; }
fieldset { border: 0; padding: 0; margin: 0; display: flex; flex-wrap: wrap; gap: 6px; align-items: center; min-width: 0; }
fieldset legend { float: left; width: 84px; color: var(--muted); font-size: 14px; padding: 0; }
.picker label { cursor: pointer; font-size: 14.5px; position: relative; } .picker input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.picker label span { display: block; padding: 5px 13px; border: 1px solid var(--line); border-radius: 99px; background: var(--card); }
.picker input:checked + span { background: var(--ink); color: var(--bg); border-color: var(--ink); }
.picker input:focus-visible + span { outline: 2px solid var(--trust); outline-offset: 2px; }
.picker input:disabled + span { opacity: 0.4; } .status { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); margin: 0; }

.example + .example { margin-top: 40px; }
.question { display: grid; grid-template-columns: auto minmax(220px, 1fr) auto; gap: 28px; align-items: start; margin-bottom: 20px; }
.question img { display: block; box-sizing: content-box; max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 3px; } .pixels { image-rendering: pixelated; }
.question h3 { font: 600 21px/1.35 var(--serif); margin: 0 0 8px; overflow-wrap: anywhere; } .answer { margin: 0 0 12px; overflow-wrap: anywhere; }
.trust { max-width: 280px; } .trust .formula { margin: 2px 0 10px; } .trust .note { margin-top: 8px; }
.strip { overflow: visible; } .strip .right { fill: var(--good); } .strip .wrong { fill: var(--bg); stroke: var(--bad); stroke-width: 2; } .mean { stroke: var(--ink); stroke-width: 2; }
.cards { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 244px), 1fr)); gap: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 11px 13px 13px; min-width: 0; break-inside: avoid; }
.card-head { display: flex; justify-content: space-between; gap: 10px; font-size: 14px; } .style { color: var(--muted); font-variant-numeric: tabular-nums; }
.right-mark { color: var(--good); font-weight: 650; } .wrong-mark { color: var(--bad); font-weight: 650; }
.advantage { position: relative; height: 5px; margin: 8px 0 9px; background: var(--soft); border-radius: 2px; } .advantage::after { content: ""; position: absolute; left: 50%; top: -2px; bottom: -2px; width: 1px; background: var(--muted); }
.advantage span { position: absolute; top: 0; bottom: 0; } .advantage.up span { left: 50%; background: var(--trust); } .advantage.down span { right: 50%; background: var(--grpo); }
.values { display: flex; justify-content: space-between; gap: 4px; margin: 0 0 10px; font-size: 13.5px; } .values dt { color: var(--muted); font-size: 14px; line-height: 1.3; } .values dd { margin: 0; font-variant-numeric: tabular-nums; }
.statements { list-style: none; margin: 0; padding: 0; display: grid; gap: 3px; } .statements li { position: relative; }
.v { border-radius: 4px; border: 0; color: var(--ink); background: var(--soft); } .v.good { color: var(--good); background: var(--good-bg); } .v.bad { color: var(--bad); background: var(--bad-bg); } .v.weak { color: var(--weak); background: var(--weak-bg); }
.statements .v { display: flex; align-items: baseline; gap: 7px; width: 100%; padding: 3px 8px; font: 13px/1.45 var(--mono); text-align: left; cursor: help; overflow-wrap: anywhere; }
.said { flex: 1; } .verdict { font: 12px var(--sans); } .mark { width: 0.9em; flex: none; font-family: var(--sans); }
.why { display: none; position: absolute; z-index: 4; left: 0; right: 0; top: calc(100% + 3px); background: var(--ink); color: var(--bg); font-size: 13.5px; line-height: 1.4; padding: 7px 10px; border-radius: 4px; overflow-wrap: anywhere; }
.v:hover + .why, .v:focus + .why, .why:hover { display: block; }
.raw { margin: 0; font: 13px/1.45 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; max-height: 22em; overflow-y: auto; } .card .note { margin: 9px 0 0; font-size: 13px; }
details summary { cursor: pointer; } code { font: 13px/1.4 var(--mono); overflow-wrap: anywhere; } .recipe td.text { color: var(--ink); }

@media (max-width: 860px) { .beside { grid-template-columns: minmax(0, 1fr); } .question { grid-template-columns: auto minmax(0, 1fr); } .trust { grid-column: 1 / -1; max-width: none; } }
@media (max-width: 560px) {
  body { padding: 0 16px 40px; } header { padding-top: 32px; } h1 { font-size: 30px; } h2 { font-size: 24px; } .lead { font-size: 19px; }
  .question { grid-template-columns: 1fr; gap: 16px; } .panels .note { min-height: 0; } fieldset legend { float: none; width: 100%; } .first { padding-left: 16px; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; } nav, .picker, .skip { display: none; } section { margin-top: 28px; } h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; } table { font-size: 8.5pt; } th, td { padding: 4px 5px; } thead th { white-space: normal; font-size: 8pt; } .first { padding-left: 12px; } .level { width: 60px; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .charts { grid-template-columns: repeat(3, 1fr); gap: 0 16px; }
}
`;
