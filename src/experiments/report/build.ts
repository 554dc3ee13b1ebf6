/** The report of an experiment as one HTML page: a pure function of its input. */
import { examplesSection } from './examples-section.ts';
import { type Html, html } from './html.ts';
import type { ReportInput } from './input.ts';
import { page, type Section } from './page.ts';
import { resultSection } from './result-section.ts';
import { judgeSection, timeSection, trainingSection } from './training-section.ts';

export function buildReport(input: ReportInput): string {
  const training = trainingSection(input);
  const judge = judgeSection(input);
  const sections: Section[] = [
    { id: 'result', name: 'Result', body: resultSection(input) },
    { id: 'examples', name: 'Examples', body: examplesSection(input) },
    { id: 'training', name: 'Training', body: training.section },
    { id: 'judge', name: 'Before reinforcement learning', body: judge.section },
    { id: 'time', name: 'Time', body: timeSection(input) },
    { id: 'recipe', name: 'Recipe', body: recipeSection(input) },
  ];
  return page({
    title: input.title,
    facts: facts(input),
    skip: 'To the result',
    sections,
    charts: [...training.charts, ...judge.charts],
    footer: 'Every figure and every sentence about this run was computed from its run folder.',
  });
}

function facts(input: ReportInput): string {
  const seeds = input.seeds.length === 1 ? `seed ${input.seeds[0]}` : `seeds ${input.seeds.join(', ')}`;
  const date = input.created.slice(0, 16).replace('T', ', ');
  return [date, seeds, input.machine].filter((part) => part !== '').join(' · ');
}

function recipeSection(input: ReportInput): Html | null {
  if (input.recipe.length === 0) return null;
  return html`<section id="recipe" aria-labelledby="recipe-title">
<h2 id="recipe-title">Recipe</h2>
<details><summary>Everything it takes to run this again (${input.recipe.length} keys)</summary>
<div class="scroll" tabindex="0" role="group" aria-label="Recipe"><table class="plain recipe"><caption><span>The resolved recipe.</span></caption>
<thead><tr><th scope="col">Key</th><th scope="col" class="text">Value</th></tr></thead>
<tbody>${input.recipe.map(({ key, value }) => html`<tr><th scope="row"><code>${key}</code></th><td class="text"><code>${value}</code></td></tr>`)}</tbody>
</table></div></details>
</section>`;
}
