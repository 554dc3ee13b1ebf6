/** The paper's Tables 1 and 2 beside a user's own summaries: which figure of a summary stands in which column. */
import { expect, test } from 'vitest';
import type { Summary } from '../../src/eval/benchmarks/benchmark.ts';
import { mme } from '../../src/eval/benchmarks/mme.ts';
import { compared, notes, table1, table2 } from '../../src/eval/published.ts';
import { comparisonHtml, comparisonText } from '../../src/eval/published-views.ts';

const summary = (benchmark: Summary['benchmark'], accuracy: number, rest: object = {}): Summary => ({
  benchmark,
  scorer: 'official',
  n: 100,
  correct: accuracy * 100,
  accuracy,
  per_category: {},
  ...rest,
});
const share = (accuracy: number) => ({ n: 100, correct: accuracy * 100, accuracy });

const own = [
  summary('mathvista', 0.5, {
    per_category: {
      skills: {
        'scientific reasoning': share(0.51),
        'arithmetic reasoning': share(0.53),
        'logical reasoning': share(0.55),
      },
      task: { 'textbook question answering': share(0.52), 'math word problem': share(0.54) },
    },
  }),
  summary('mathverse', 0.9, {
    per_category: {
      problem_version: {
        'Text Dominant': share(0.25),
        'Text Lite': share(0.5),
        'Text Only': share(1),
        'Vision Intensive': share(0.125),
        'Vision Dominant': share(0.75),
        'Vision Only': share(0),
      },
    },
  }),
  summary('mmmu', 0.61),
  summary('mme', 0.8, { perception: 1500.5, cognition: 600, total: 2100.5 }),
  summary('chartqa', 0.62),
  summary('mmbench', 0.63),
  summary('mmstar', 0.64),
];

test('every row of the paper has a figure or a gap for every column', () => {
  for (const { columns, rows } of [table1, table2])
    for (const figures of Object.values(rows)) expect(figures).toHaveLength(columns.length);
});

test("MathVerse's published figure is the mean of its five columns, as ours is", () => {
  for (const figures of Object.values(table1.rows)) {
    const five = figures.slice(7);
    if (five.includes(null)) continue;
    const mean = (five as number[]).reduce((sum, value) => sum + value, 0) / 5;
    expect(Math.abs(mean - (figures[6] as number))).toBeLessThan(0.1);
  }
});

test("a summary's figures stand in the paper's columns, below the paper's models", () => {
  const [first, second] = compared([{ model: 'mine', summaries: own }]);
  expect(first.rows.at(-1)).toEqual({
    model: 'mine',
    own: true,
    figures: [50, 51, 52, 53, 54, 55, (25 + 50 + 12.5 + 75 + 0) / 5, 12.5, 0, 75, 25, 50].map((value) =>
      expect.closeTo(value, 9),
    ),
  });
  expect(second.rows.at(-1)?.figures).toEqual(
    [61, 2100.5, 62, 63, 64].map((value) => expect.closeTo(value, 9)),
  );
  expect(second.rows.map(({ model }) => model)).toEqual([...Object.keys(table2.rows), 'mine']);
  expect(second.rows.find(({ model }) => model === 'SophiaVL-R1-7B')?.figures).toEqual([
    61.3, 2403.8, 88.5, 85.4, 66.7,
  ]);
});

test('a real summary of MME gives its points', () => {
  const rows = ['Yes', 'No'].map((answer) =>
    mme.parse({ category: 'OCR', image_path: 'a', answer, response: answer }, 'row'),
  );
  const { summary: scored } = mme.score(rows, 'official');
  expect(compared([{ model: 'm', summaries: [scored] }])[0].rows.at(-1)?.figures).toEqual([
    null,
    200,
    null,
    null,
    null,
  ]);
});

test('what was not evaluated stays empty; a table without any own figure is left out', () => {
  expect(compared([{ model: 'mine', summaries: [] }])).toEqual([]);
  const tables = compared([{ model: 'mine', summaries: [summary('mathverse', 0.5)] }]);
  expect(tables).toEqual([]);
  const some = compared([{ model: 'mine', summaries: [summary('mathvista', 0.5)] }]);
  expect(some.map(({ title }) => title)).toEqual([table1.title]);
  expect(some[0].rows.at(-1)?.figures).toEqual([50, ...Array(11).fill(null)]);
});

test("the terminal's table marks own rows, and says where the paper contradicts itself", () => {
  const text = comparisonText(compared([{ model: 'mine', summaries: own }]));
  expect(text).toMatch(/^\* mine +61\.0 +2100\.5 +62\.0 +63\.0 +64\.0$/m);
  expect(text).toMatch(/^SophiaVL-R1-7B +61\.3 +2403\.8 +88\.5 +85\.4 +66\.7$/m);
  expect(text).toMatch(/^Curr-ReFT-7B +– +– +– +79\.0 +–$/m);
  for (const note of notes) expect(text).toContain(note);
  expect(text).toContain('48.9 on MathVerse and 84.5 on MMBench');
  const widths = text.split('\n').filter((line) => /\d\.\d$|–$/.test(line));
  expect(new Set(widths.map((line) => line.length)).size).toBe(2);
});

test('the fragment of a page escapes what a model is called', () => {
  const html = comparisonHtml(compared([{ model: '<b>"R&D"</b>', summaries: own }]));
  expect(html).toContain(
    '<tr class="own"><th scope="row">&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt;</th><td>50.0</td>',
  );
  expect(html).not.toContain('<b>');
  expect(html.match(/<tr class="own">/g)).toHaveLength(2);
  expect(comparisonHtml([])).toBe('');
});

test('figures of part of a set are called that', () => {
  const whole = { n: 1500, correct: 750 };
  const text = (rest: object) =>
    comparisonText(compared([{ model: 'mine', summaries: [summary('mmstar', 0.5, rest)] }]));
  expect(text({ n: 3 })).toMatch(/^Your own figures are of part of the questions only: mmstar 3 of 1500\.$/m);
  expect(text(whole)).not.toContain('part of the questions');
});
