/** Groups of responses as the training saw them: the question once, its responses side by side, every statement judged. */
import type { RolloutGroup, RolloutResponse } from '../../data/run-folder.ts';
import { variantName } from '../results.ts';
import { fixed } from '../stats.ts';
import { RULES_SAY } from './choose.ts';
import { type Html, html } from './html.ts';
import type { Example, Picture, ReportInput } from './input.ts';
import { legend } from './legend.ts';

export function examplesSection(input: ReportInput): Html | null {
  const { examples } = input;
  if (examples.length === 0) return null;
  const moments = [...new Set(examples.map((example) => example.moment))];
  const variants = [...new Set(examples.map((example) => example.variant))];
  return html`<section id="examples" aria-labelledby="examples-title">
<h2 id="examples-title">Examples</h2>
<p class="prose">For each question the policy gives a group of responses; they are rewarded against each other. The cards stand in the order of their advantage: what training made more likely comes first. ${RULES_SAY}</p>
${legend()}
<form class="picker" autocomplete="off">
${choice('moment', 'Group', moments, (moment) => moment)}
${variants.length > 1 && choice('variant', 'Trained by', variants, variantName)}
</form>
<p class="status" role="status"></p>
${examples.map((example, i) => article(example, i, moments.indexOf(example.moment), variants.indexOf(example.variant)))}
</section>`;
}

function choice(
  name: string,
  label: string,
  values: readonly string[],
  say: (value: string) => string,
): Html {
  return html`<fieldset><legend>${label}</legend>${values.map(
    (value, i) =>
      html`<label><input type="radio" name="${name}" value="${i}" ${i === 0 && html`checked`}><span>${say(value)}</span></label>`,
  )}</fieldset>`;
}

function article(example: Example, index: number, moment: number, variant: number): Html {
  const { group } = example;
  const order = group.responses
    .map((_, i) => i)
    .sort((a, b) => group.responses[b].advantage - group.responses[a].advantage);
  return html`<article class="example" data-moment="${moment}" data-variant="${variant}" aria-label="${example.moment}, ${variantName(example.variant)}">
<div class="question">
${picture(example.picture)}
<div>
<h3>${group.problem}</h3>
<p class="answer">True answer: <strong>${trueAnswer(group.solution)}</strong></p>
<p class="note">${variantName(example.variant)}, step ${group.step}, ${group.problem_type}, seed ${example.seed}. Chosen: ${example.why}</p>
</div>
<div class="trust">${trust(group)}</div>
</div>
<ol class="cards">${order.map((k) => card(group, group.responses[k], `r${index}-${k}`))}</ol>
</article>`;
}

function picture(image: Picture | null): Html | null {
  if (!image || !/^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]*$/.test(image.url)) return null;
  // Small world pictures are enlarged threefold with their pixels crisp; photographs only shrink.
  const small = Math.max(image.width, image.height) <= 128;
  const scale = small ? 3 : Math.min(1, 320 / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((side) => Math.round(side * scale));
  return html`<img class="${small && 'pixels'}" src="${image.url}" width="${width}" height="${height}" alt="The picture the question is about">`;
}

function trueAnswer(solution: string): string {
  return /<answer>([\s\S]*?)<\/answer>/.exec(solution)?.[1].trim() ?? solution;
}

/** How this group's rewards come about, with its numbers put in. */
function trust(group: RolloutGroup): Html {
  const scored = group.responses.filter((response) => response.thinking !== null);
  if (scored.length === 0)
    return html`<p class="formula"><var>R</var> = <var>R</var><sub>o</sub></p><p class="note">No thinking reward takes part: every right answer is worth the same, however it came about.${tie(group)}</p>`;
  const factor = `${fixed(group.alpha, 2)} · ${fixed(group.anneal, 2)}`;
  const reward = html`<p class="formula"><var>R</var> = <var>R</var><sub>o</sub> + ${group.gamma !== null && html`${fixed(group.gamma, 2)} · `}${factor} · <var>R</var><sub>t</sub></p>`;
  return html`${reward}${strip(group)}<p class="note">${explainGamma(group)}${tie(group)}</p>`;
}

function explainGamma(group: RolloutGroup): Html {
  const { mu_c, mu_w, gamma } = group;
  const means = html`<var>μ</var><sub>c</sub> ${mu_c === null ? '–' : fixed(mu_c, 2)}, <var>μ</var><sub>w</sub> ${mu_w === null ? '–' : fixed(mu_w, 2)}`;
  if (gamma === null) return html`${means}; this variant does not weigh by trust.`;
  if (mu_c === null || mu_w === null)
    return html`${means}: one side is empty, so <var>γ</var> = ${fixed(gamma, 2)}.`;
  if (gamma < 1)
    return html`${means}: the judge likes the wrong answers’ reasoning better, so it is trusted less: <var>γ</var> = ${fixed(gamma, 2)}.`;
  return html`${means}: the judge likes the right answers’ reasoning no less, so <var>γ</var> = ${fixed(gamma, 2)}.`;
}

function tie(group: RolloutGroup): string | null {
  if (!group.tied) return null;
  return group.responses[0]?.right
    ? ' The group is tied: all answers are right.'
    : ' The group is tied: all answers are wrong.';
}

/** The thinking rewards of right and wrong answers on one line each, with their means. */
function strip(group: RolloutGroup): Html {
  const x = (score: number) => fixed(52 + 190 * Math.min(1, Math.max(0, score)), 1);
  const row = (y: number, right: boolean, name: string, mean: number | null) => {
    const side = group.responses.filter(
      (response) => response.outcome >= 0.5 === right && response.thinking !== null,
    );
    return html`<text x="0" y="${y + 4}">${name}</text><line class="grid" x1="52" x2="242" y1="${y}" y2="${y}"/>
${side.map((response) => html`<circle class="${right ? 'right' : 'wrong'}" cx="${x(response.thinking as number)}" cy="${y}" r="4.5"/>`)}
${mean !== null && html`<line class="mean" x1="${x(mean)}" x2="${x(mean)}" y1="${y - 9}" y2="${y + 9}"/>`}`;
  };
  return html`<svg class="strip" viewBox="0 0 250 62" width="250" height="62" role="img" aria-label="Thinking rewards of the right and of the wrong answers">
${row(12, true, 'right', group.mu_c)}${row(36, false, 'wrong', group.mu_w)}
<text x="52" y="60" text-anchor="middle">0</text><text x="147" y="60" text-anchor="middle">thinking reward</text><text x="242" y="60" text-anchor="middle">1</text></svg>`;
}

function card(group: RolloutGroup, response: RolloutResponse, id: string): Html {
  const { oracle } = response;
  const gamma = response.thinking === null ? null : group.gamma;
  const most = Math.max(1e-9, ...group.responses.map((each) => Math.abs(each.advantage)));
  const reach = fixed((50 * Math.abs(response.advantage)) / most, 1);
  const signedA = response.advantage > 0 ? `+${fixed(response.advantage, 2)}` : fixed(response.advantage, 2);
  const value = (name: Html, number: number | null) =>
    html`<div><dt>${name}</dt><dd>${number === null ? '–' : fixed(number, 2)}</dd></div>`;
  const judged = oracle && response.format_ok && oracle.statements.length > 0;
  return html`<li class="card ${response.right ? 'is-right' : 'is-wrong'}">
<div class="card-head"><span class="${response.right ? 'right-mark' : 'wrong-mark'}"><span aria-hidden="true">${response.right ? '✓' : '✕'}</span> ${response.right ? 'right' : 'wrong'}</span>${oracle && html`<span class="style">${oracle.style}, <span title="the oracle's score of the reasoning">${fixed(oracle.score, 2)}</span></span>`}</div>
<div class="advantage ${response.advantage >= 0 ? 'up' : 'down'}" aria-hidden="true"><span style="width:${reach}%"></span></div>
<dl class="values">${value(html`<var>R</var><sub>o</sub>`, response.outcome)}${value(html`<var>R</var><sub>t</sub>`, response.thinking)}${value(html`<var>γ</var>`, gamma)}${value(html`<var>R</var>`, response.reward)}<div><dt><var>A</var></dt><dd>${signedA}</dd></div></dl>
${judged ? html`<ul class="statements">${oracle.statements.slice(0, MOST_STATEMENTS).map((statement, i) => statementItem(statement, `${id}-${i}`))}</ul>` : html`<pre class="raw" tabindex="0">${shortened(response.text)}</pre>`}
${remarks(response)}
</li>`;
}

const MOST_STATEMENTS = 60;
const MOST_CHARACTERS = 4000;

function shortened(text: string): string {
  if (text === '') return '(nothing)';
  if (text.length <= MOST_CHARACTERS) return text;
  return `${text.slice(0, MOST_CHARACTERS)}… (${text.length - MOST_CHARACTERS} more characters)`;
}

function remarks(response: RolloutResponse): Html | null {
  const said = [
    !response.format_ok && 'broken format: rewarded 0',
    response.finish === 'length' && 'cut off by the token limit',
    response.failure !== null && `no score from the judge: ${shortened(response.failure)}`,
    (response.oracle?.statements.length ?? 0) > MOST_STATEMENTS &&
      `${(response.oracle?.statements.length ?? 0) - MOST_STATEMENTS} more statements`,
  ].filter((each) => each !== false);
  return said.length > 0 ? html`<p class="note">${said.join('; ')}</p>` : null;
}

const VERDICTS: Record<string, { kind: 'good' | 'bad' | 'weak'; mark: string }> = Object.fromEntries([
  ...['true', 'follows', 'consistent'].map((verdict) => [verdict, { kind: 'good', mark: '✓' }]),
  ...['false', 'unsupported', 'inconsistent'].map((verdict) => [verdict, { kind: 'bad', mark: '✕' }]),
  ...['hearsay', 'filler', 'irrelevant', 'repeated'].map((verdict) => [verdict, { kind: 'weak', mark: '~' }]),
]);

function statementItem(statement: { text: string; verdict: string; why: string }, id: string): Html {
  const known = Object.hasOwn(VERDICTS, statement.verdict)
    ? VERDICTS[statement.verdict]
    : { kind: 'other', mark: '·' };
  return html`<li><button type="button" class="v ${known.kind}" aria-describedby="${id}"><span class="mark" aria-hidden="true">${known.mark}</span><span class="said">${statement.text}</span><span class="verdict">${statement.verdict}</span></button><span class="why" role="tooltip" id="${id}">${statement.why}</span></li>`;
}
