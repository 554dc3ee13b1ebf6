/**
 * Whole prediction files of MME, ChartQA, MMStar and MMBench score as VLMEvalKit scores them, and where a benchmark has a
 * script of its own, as that does: every hit and every figure of the tables.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Benchmark, Result, Row, Scorer } from '../../../src/eval/benchmarks/benchmark.ts';
import { chartqa } from '../../../src/eval/benchmarks/chartqa.ts';
import { mmbench } from '../../../src/eval/benchmarks/mmbench.ts';
import { mme } from '../../../src/eval/benchmarks/mme.ts';
import { mmstar } from '../../../src/eval/benchmarks/mmstar.ts';

interface Whole {
  columns: string[];
  rows: unknown[][];
  // biome-ignore lint/suspicious/noExplicitAny: every benchmark has its own figures
  expected: any;
}

function whole(benchmark: Benchmark, scorer: Scorer): Result & { expected: Whole['expected']; given: Row[] } {
  const { columns, rows, expected }: Whole = JSON.parse(
    readFileSync(`test/fixtures/scorers/whole-${benchmark.name}.json`, 'utf8'),
  );
  const given = rows.map((cells, i) =>
    benchmark.parse(Object.fromEntries(cells.map((cell, c) => [columns[c], cell])), `row ${i + 1}`),
  );
  return { ...benchmark.score(given, scorer), expected, given };
}

const bits = (rows: Result['rows'], key = 'hit') => rows.map((row) => Number(row[key])).join('');
type Shares = Record<string, { accuracy: number }>;

function expectShares(shares: Shares, report: Record<string, number>, unit: number) {
  for (const [name, share] of Object.entries(report)) {
    if (name === 'Overall') continue;
    expect(shares[name].accuracy * unit, name).toBeCloseTo(share, 9);
  }
}

test('MME: 2,374 rows, points of both schools', () => {
  const { rows, summary, expected } = whole(mme, 'official');
  expect(summary.n).toBe(2374);
  expect(bits(rows)).toBe(expected.hits);
  expect(summary.perception).toBeCloseTo(expected.perception, 9);
  expect(summary.cognition).toBeCloseTo(expected.cognition, 9);
  for (const [name, points] of Object.entries(expected.per_category))
    expect(summary.per_category[name]).toBeCloseTo(points as number, 9);
  const own = summary.own_script as { perception: number; cognition: number };
  expect(own.perception).toBeCloseTo(expected.own_script.perception, 9);
  expect(own.cognition).toBeCloseTo(expected.own_script.cognition, 9);
});

test('ChartQA: 2,500 rows, human, augmented and all', () => {
  const { rows, summary, expected } = whole(chartqa, 'official');
  expect(summary.n).toBe(2500);
  expect(bits(rows)).toBe(expected.hits);
  expect(summary.accuracy * 100).toBeCloseTo(expected.report.Overall, 9);
  const { test_human, test_augmented } = expected.report;
  expectShares(summary.per_category as Shares, { human: test_human, augmented: test_augmented }, 100);
});

test('MMStar: 900 rows, capabilities and axes of both schools', () => {
  const { rows, summary, expected } = whole(mmstar, 'official');
  expect(summary.n).toBe(900);
  expect(bits(rows)).toBe(expected.hits);
  expect(summary.accuracy).toBeCloseTo(expected.report.Overall, 12);
  const { category, l2_category } = summary.per_category as Record<string, Shares>;
  expectShares({ ...category, ...l2_category }, expected.report, 1);
  expect((summary.own_script as { correct: number }).correct).toBe(expected.own_hits.split('1').length - 1);
});

test('MMBench: 944 rotations of 240 questions, circular and vanilla, by split, ability and category', () => {
  const { rows, summary, expected } = whole(mmbench, 'official');
  expect(summary).toMatchObject({ n: 240, rotations: 944, without_first_rotation: 0 });
  expect(bits(rows)).toBe(expected.hits);
  expect(bits(rows, 'rotation_hit')).toBe(expected.rotation_hits);
  const splits = summary.per_split as Record<
    string,
    { accuracy: number; l2_category: Shares; category: Shares }
  >;
  expect(Object.keys(splits).sort()).toEqual(Object.keys(expected.report).sort());
  for (const [split, report] of Object.entries(expected.report as Record<string, Record<string, number>>)) {
    const { accuracy, l2_category, category } = splits[split];
    expect(accuracy).toBeCloseTo(report.Overall, 12);
    const asked = Object.entries(report).filter(([, share]) => share !== null);
    expectShares({ ...l2_category, ...category }, Object.fromEntries(asked), 1);
  }
});

test.each([mme, chartqa, mmstar, mmbench])(
  '$title: the schools agree on every hit, and own scripts stand with one',
  (benchmark) => {
    const official = whole(benchmark, 'official');
    const vlmevalkit = whole(benchmark, 'vlmevalkit');
    expect(vlmevalkit.rows).toEqual(official.rows);
    expect(vlmevalkit.summary).not.toHaveProperty('own_script');
  },
);

test.each([mme, chartqa, mmstar])('$title: the order of the rows does not matter', (benchmark) => {
  const { given, rows } = whole(benchmark, 'official');
  const turned = benchmark.score([...given].reverse(), 'official');
  expect(bits([...turned.rows].reverse())).toBe(bits(rows));
});
