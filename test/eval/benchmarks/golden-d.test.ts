/** MME, ChartQA, MMStar and MMBench hold the rows that VLMEvalKit (commit e8e78f05) scored, one by one and as tables. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Benchmark, Row } from '../../../src/eval/benchmarks/benchmark.ts';
import { chartqa, isRelaxedCorrect } from '../../../src/eval/benchmarks/chartqa.ts';
import { inferChoice } from '../../../src/eval/benchmarks/choice-inference.ts';
import { mmbench } from '../../../src/eval/benchmarks/mmbench.ts';
import { mme } from '../../../src/eval/benchmarks/mme.ts';
import { mmstar } from '../../../src/eval/benchmarks/mmstar.ts';
import { anywhere } from '../../../src/eval/benchmarks/yes-no.ts';

interface Golden {
  id: string;
  benchmark: string;
  kind: string;
  prediction: string;
  truth: string;
  // biome-ignore lint/suspicious/noExplicitAny: every kind has its own columns
  [column: string]: any;
}

const golden: Golden[] = readFileSync('test/fixtures/scorers/public_scorers.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const of = (benchmark: string, kind: string) =>
  golden
    .filter((row) => row.benchmark === benchmark && row.kind === kind)
    .map((row) => [row.id, row] as const);

/** Tables as the file has them: what VLMEvalKit was given is the whole response, so it stands as the extraction. */
function scored(benchmark: Benchmark, rows: Row[]) {
  return benchmark.score(
    rows.map((row) =>
      benchmark.parse({ ...row, response: row.prediction, extraction: row.prediction }, 'row'),
    ),
    'vlmevalkit',
  );
}

describe('MME', () => {
  test.each(of('MME', 'yes_no_extraction'))('%s: yes or no', (_, row) => {
    expect(anywhere(row.prediction) ?? 'Unknown').toBe(row.expected_extraction);
    const fields = { category: 'OCR', image_path: 'a.jpg', answer: row.truth, response: row.prediction };
    for (const scorer of ['official', 'vlmevalkit'] as const)
      expect(mme.score([mme.parse(fields, 'row')], scorer).summary.correct).toBe(row.expected_score);
  });

  test.each(of('MME', 'table'))('%s: points', (_, row) => {
    const { summary } = scored(mme, row.rows);
    const { perception, cognition, total, per_category } = row.expected;
    expect(summary.perception).toBeCloseTo(perception, 9);
    expect(summary.cognition).toBeCloseTo(cognition, 9);
    expect(summary.total).toBeCloseTo(total, 9);
    expect(Object.keys(summary.per_category).sort()).toEqual(Object.keys(per_category).sort());
    for (const [name, points] of Object.entries(per_category))
      expect(summary.per_category[name]).toBeCloseTo(points as number, 9);
  });
});

describe('ChartQA', () => {
  test.each(of('ChartQA', 'relaxed_accuracy'))('%s: relaxed accuracy', (_, row) => {
    const right = row.expected_raw_relaxed_correctness[0];
    expect(isRelaxedCorrect(row.truth, row.prediction.trim())).toBe(right);
    const fields = { answer: row.truth, response: row.prediction };
    expect(chartqa.score([chartqa.parse(fields, 'row')], 'official').summary.correct).toBe(
      row.expected_score,
    );
  });

  test.each(of('ChartQA', 'relaxed_accuracy_list_truth'))('%s: any of several truths', (_, row) => {
    const fields = { answer: row.truth, response: row.prediction };
    expect(chartqa.score([chartqa.parse(fields, 'row')], 'official').summary.correct).toBe(
      row.expected_score,
    );
  });

  test.each(of('ChartQA', 'table'))('%s: human, augmented and all', (_, row) => {
    const { summary } = scored(chartqa, row.rows);
    const shares = summary.per_category as Record<string, { accuracy: number }>;
    expect(shares.human.accuracy * 100).toBeCloseTo(row.expected.test_human, 9);
    expect(shares.augmented.accuracy * 100).toBeCloseTo(row.expected.test_augmented, 9);
    expect(summary.accuracy * 100).toBeCloseTo(row.expected.Overall, 9);
  });
});

describe.each(['MMStar', 'MMBench'])('%s', (name) => {
  test.each(of(name, 'choice_inference'))('%s: choice inference', (_, row) => {
    expect(inferChoice(row.prediction, row.choices) ?? false).toBe(row.expected_can_infer);
    const benchmark = name === 'MMStar' ? mmstar : mmbench;
    const fields = { index: 1, category: 'math', answer: row.truth, ...row.choices };
    const given = benchmark.parse({ ...fields, response: '', extraction: row.prediction }, 'row');
    expect(benchmark.score([given], 'official').summary.correct).toBe(row.expected_score);
    const said = benchmark.parse({ ...fields, response: row.prediction }, 'row');
    const wrapped = /<answer>(.*)<\/answer>/.exec(row.prediction)?.[1];
    expect(benchmark.score([said], 'official').summary.correct).toBe(
      wrapped === undefined ? row.expected_score : Number(wrapped === row.truth),
    );
  });
});

test.each(of('MMStar', 'table'))('MMStar %s: hits and shares of a table', (_, row) => {
  const { summary, rows } = scored(mmstar, row.rows);
  expect(rows.map(({ hit }) => Number(hit))).toEqual(
    row.rows.map(({ index }: Row) => row.expected.hit_by_index[String(index)]),
  );
  const { Overall, ...shares } = row.expected.report.none;
  expect(summary.accuracy).toBeCloseTo(Overall, 12);
  const { category, l2_category } = summary.per_category as Record<
    string,
    Record<string, { accuracy: number }>
  >;
  const ours = { ...category, ...l2_category };
  expect(Object.keys(ours).sort()).toEqual(Object.keys(shares).sort());
  for (const [part, share] of Object.entries(shares))
    expect(ours[part].accuracy).toBeCloseTo(share as number, 12);
});

test.each(of('MMBench', 'circular_table'))('MMBench %s: circular and vanilla shares', (_, row) => {
  const { summary, rows } = scored(mmbench, row.rows);
  row.rows.forEach(({ index }: { index: number }, i: number) => {
    expect(Number(rows[i].hit)).toBe(row.expected.hit_by_g_index[String(index % 1_000_000)]);
  });
  expect(summary.accuracy).toBeCloseTo(row.expected.overall_circular, 12);
  const vanilla = summary.vanilla as Record<'all' | 'first', { accuracy: number }>;
  expect(vanilla.all.accuracy).toBeCloseTo(row.expected.overall_vanilla_all, 12);
  expect(vanilla.first.accuracy).toBeCloseTo(row.expected.overall_vanilla_circ0, 12);
  const splits = summary.per_split as Record<string, Record<string, Record<string, { accuracy: number }>>>;
  for (const [split, report] of Object.entries(row.expected.circular_report)) {
    const { l2_category, category, accuracy } = splits[split];
    const ours: Record<string, { accuracy: number }> = { ...l2_category, ...category };
    for (const [part, share] of Object.entries(report as Record<string, number | null>)) {
      const found = part === 'Overall' ? accuracy : ours[part]?.accuracy;
      if (share === null) expect(found).toBeUndefined();
      else expect(found).toBeCloseTo(share, 12);
    }
  }
});

test('every golden row of the four benchmarks is held by a test above', () => {
  const kinds = new Set(
    golden
      .filter(({ benchmark }) => /^(MME|ChartQA|MMStar|MMBench)$/.test(benchmark))
      .map(({ kind }) => kind),
  );
  expect([...kinds].sort()).toEqual([
    'choice_inference',
    'circular_table',
    'relaxed_accuracy',
    'relaxed_accuracy_list_truth',
    'table',
    'yes_no_extraction',
  ]);
});
