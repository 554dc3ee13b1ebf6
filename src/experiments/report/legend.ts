/** What the symbols on the cards mean, each with its formula (Trust-GRPO: arXiv 2505.17018, section 3). */
import { type Html, html } from './html.ts';

const SYMBOLS: readonly { symbol: Html; meaning: string; formula: Html | null }[] = [
  {
    symbol: html`<var>R</var><sub>o</sub>`,
    meaning: 'Outcome reward: is the answer right? Computed by rule, from 0 to 1.',
    formula: null,
  },
  {
    symbol: html`<var>R</var><sub>t</sub>`,
    meaning: 'Thinking reward: the score, from 0 to 1, that the judge gives to the whole reasoning.',
    formula: null,
  },
  {
    symbol: html`<var>γ</var>`,
    meaning:
      'Trust weight of a group: below 1 when the judge likes the reasoning of the wrong answers better than that of the right ones.',
    formula: html`<var>γ</var> = 1 if <var>μ</var><sub>c</sub> ≥ <var>μ</var><sub>w</sub> or a side is empty, else exp(<var>μ</var><sub>c</sub> − <var>μ</var><sub>w</sub>)`,
  },
  {
    symbol: html`<var>μ</var><sub>c</sub>, <var>μ</var><sub>w</sub>`,
    meaning: 'Mean thinking reward of the right and of the wrong answers of the group.',
    formula: html`right: <var>R</var><sub>o</sub> ≥ 0.5`,
  },
  {
    symbol: html`<var>R</var>`,
    meaning:
      'Reward: the outcome, plus the thinking reward as far as it is trusted, fading out over the T steps of training.',
    formula: html`<var>R</var> = <var>R</var><sub>o</sub> + <var>γ</var> · <var>α</var> · exp(−step ⁄ <var>T</var>) · <var>R</var><sub>t</sub>`,
  },
  {
    symbol: html`<var>A</var>`,
    meaning:
      'Advantage: how much better than its group a response is. Above 0 it becomes more likely, below 0 less.',
    formula: html`<var>A</var> = (<var>R</var> − mean <var>R</var>) ⁄ (std <var>R</var> + ε)`,
  },
];

export function legend(): Html {
  return html`<dl class="symbols">${SYMBOLS.map(
    ({ symbol, meaning, formula }) =>
      html`<div><dt>${symbol}</dt><dd>${meaning}${formula && html` <span class="formula">${formula}</span>`}</dd></div>`,
  )}</dl>
<p class="note verdicts"><span class="v good"><span aria-hidden="true">✓</span> true, follows, consistent</span> <span class="v weak"><span aria-hidden="true">~</span> hearsay, filler, irrelevant, repeated</span> <span class="v bad"><span aria-hidden="true">✕</span> false, unsupported, inconsistent</span> <span class="how">Point at a statement, or focus it, to read why it was judged so.</span></p>`;
}
