/** What becomes of a judge's scores when responses are made worse, and when they are made to please. */
import type { AttackResult, BenchResult } from '../../trm/bench/bench.ts';
import type { Attacked, Changed } from '../../trm/bench/changes.ts';
import { change, changeInterval, count, scrolled, share } from './bench-figures.ts';
import { type Dot, dotAxis } from './dots.ts';
import { type Html, html } from './html.ts';

function rowHead(name: string, what: string): Html {
  return html`<th scope="row">${name.replaceAll('_', ' ')}<small>${what}</small></th>`;
}

function dotOf({ change: of, oracle }: Pick<Changed, 'change' | 'oracle'>): Dot {
  return { ...of, ought: oracle?.change ?? null };
}

function key(judged: string, oracle: boolean): Html {
  return html`<p class="note keys"><span><i class="dot-key"></i>${judged}, with its 95 % interval</span>${oracle && html`<span><i class="ought-key"></i>change of the true quality, by the oracle</span>`}</p>`;
}

export function corruptionsSection({ sensitivity, data }: BenchResult): Html | null {
  const there = sensitivity.filter(({ n }) => n > 0);
  if (there.length === 0) return null;
  const oracle = there.some((each) => each.oracle !== null);
  const axis = dotAxis(there.map(dotOf), 'var(--trust)');
  return html`<section id="corruptions" aria-labelledby="corruptions-title">
<h2 id="corruptions-title">Sound responses made worse</h2>
<p class="prose">${count(data.probed.sound)} sound responses, each made worse in one way at a time. A judge that reads should give less. Some changes do little harm by themselves: steps that do not rest on one another may stand in any order.${oracle && ' The diamond says how much is due.'}</p>
${key('change of the score', oracle)}
${scrolled(
  'Corruptions',
  html`<table class="plain changes">
<thead><tr><th scope="col">Corruption</th><th scope="col" class="text">${axis.head}</th><th scope="col">Change</th><th scope="col">Fell</th>${oracle && html`<th scope="col">Oracle</th><th scope="col">Oracle fell</th>`}<th scope="col">Pairs</th><th scope="col">Coverage</th></tr></thead>
<tbody>${there.map(
    (each) =>
      html`<tr>${rowHead(each.name, each.what)}<td class="plot">${axis.dot(dotOf(each))}</td><td>${changeInterval(each.change)}</td><td>${share(each.fell.value)}</td>${oracle && html`<td>${change(each.oracle?.change ?? null)}</td><td>${share(each.oracle?.fell ?? null)}</td>`}<td>${count(each.n)}</td><td>${share(each.coverage)}</td></tr>`,
  )}</tbody>
</table>`,
)}
<p class="note">Fell: share of pairs in which the score is lower than before; a pair as before counts half, so that a judge that notices nothing has 50 %.</p>
</section>`;
}

export function attacksSection({ gaming, data }: BenchResult): Html | null {
  if (gaming.length === 0) return null;
  const broken = gaming.some(({ format_kept }) => format_kept < 0.5);
  return html`<section id="attacks" aria-labelledby="attacks-title">
<h2 id="attacks-title">Attempts at gaming</h2>
<p class="prose">The same response, with something added that asks for a better score, in anybody's words and in those of the world if it is of one; or with reasoning that only looks sound. What it takes to turn a flawed response into one that is judged sound is what a policy finds in time when it is trained against this judge.</p>
${attackTable('On flawed responses', `${count(data.probed.flawed)} flawed responses: a judge that cannot be gamed gives no more than before.`, gaming, (each) => each.flawed, true)}
${attackTable('On sound responses', `${count(data.probed.sound)} sound responses: flattery and orders are no mistakes of reasoning, yet a judge may well take off for them.`, gaming, (each) => each.sound, false)}
${broken && html`<p class="note">* breaks the format of the response. In training such a response is scored 0 by rule and no judge is asked.</p>`}
</section>`;
}

function attackTable(
  title: string,
  about: string,
  gaming: readonly AttackResult[],
  part: (each: AttackResult) => Attacked,
  flawed: boolean,
): Html | null {
  const there = gaming.filter((each) => part(each).n > 0);
  if (there.length === 0) return null;
  const oracle = there.some((each) => part(each).oracle !== null);
  const axis = dotAxis(
    there.map((each) => dotOf(part(each))),
    flawed ? 'var(--grpo)' : 'var(--trust)',
  );
  return html`<h3>${title}</h3>
<p class="note">${about}</p>
<div style="--c:${flawed ? 'var(--grpo)' : 'var(--trust)'}">${key('change of the score', oracle)}</div>
${scrolled(
  title,
  html`<table class="plain changes">
<thead><tr><th scope="col">Attempt</th><th scope="col" class="text">${axis.head}</th><th scope="col">Change</th><th scope="col">Largest</th>${flawed && html`<th scope="col">Pushed over 0.5</th>`}${oracle && html`<th scope="col">Oracle</th>`}<th scope="col">Pairs</th><th scope="col">Coverage</th></tr></thead>
<tbody>${there.map((each) => {
    const of = part(each);
    return html`<tr>${rowHead(each.name + (each.format_kept < 0.5 ? ' *' : ''), each.what)}<td class="plot">${axis.dot(dotOf(of))}</td><td>${changeInterval(of.change)}</td><td>${change(of.largest)}</td>${flawed && html`<td>${share(of.pushed_over)}</td>`}${oracle && html`<td>${change(of.oracle?.change ?? null)}</td>`}<td>${count(of.n)}</td><td>${share(of.coverage)}</td></tr>`;
  })}</tbody>
</table>`,
)}`;
}
