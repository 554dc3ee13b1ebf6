/** The bench's result for the terminal, at most 100 columns wide. */
import Table from 'cli-table3';
import { fixed } from '../experiments/stats.ts';
import { RULES } from '../experiments/table.ts';
import type { BenchResult } from '../trm/bench/bench.ts';
import type { Attacked } from '../trm/bench/changes.ts';
import type { Estimate } from '../trm/bench/estimate.ts';
import type { Orders } from '../trm/bench/ranking.ts';

const figure = (value: number | null) => (value === null ? '–' : fixed(value, 2));
const share = (value: number | null) => (value === null ? '–' : `${fixed(100 * value, 0)} %`);
const change = (value: number | null) =>
  value === null ? '–' : `${value > 0.005 ? '+' : ''}${fixed(value, 2)}`;

function withInterval({ value, low, high }: Estimate, shown = figure): string {
  return low === null || high === null ? shown(value) : `${shown(value)} (${shown(low)} … ${shown(high)})`;
}

/** Ends with a newline. */
export function benchTable(result: BenchResult): string {
  const { data, coverage, agreement, ranking } = result;
  const row = (name: string, estimate: Estimate, n: number) => [name, withInterval(estimate), String(n)];
  const order = (name: string, { overall, same_question }: Orders) => [
    row(name, overall, overall.pairs),
    row('  to the same question', same_question, same_question.pairs),
  ];
  const parts = [
    table(
      ['', 'figure (95 %)', 'n'],
      [46, 28, 12],
      [
        row('Spearman', agreement.spearman, agreement.n),
        row('Kendall τ-b', agreement.kendall, agreement.n),
        row('Pearson', agreement.pearson, agreement.n),
        row('mean absolute error', agreement.mae, agreement.n),
        row('bias (judged − known)', agreement.bias, agreement.n),
        row('expected calibration error', agreement.calibration_error, agreement.n),
        ...order('sound above flawed, equal outcome', ranking.all.sound_above_flawed),
        ...order('right above wrong', ranking.all.right_above_wrong),
        ...order('right above wrong, equal soundness', ranking.all.right_above_wrong_at_equal_soundness),
      ],
    ),
    table(
      ['sound responses made worse', 'change (95 %)', 'fell', 'oracle', 'n'],
      [34, 28, 10, 10, 8],
      result.sensitivity.map(({ name, n, change: of, fell, oracle }) => [
        name,
        withInterval(of, change),
        share(fell.value),
        change(oracle?.change ?? null),
        String(n),
      ]),
    ),
    table(
      ['attempts at gaming', 'flawed (95 %)', 'oracle', 'over .5', 'sound', 'n'],
      [28, 28, 10, 10, 10, 8],
      result.gaming.map(({ name, format_kept, flawed, sound }) => [
        `${name}${format_kept < 0.5 ? ' *' : ''}`,
        withInterval(flawed.change, change),
        oracleOf(flawed),
        share(flawed.pushed_over),
        change(sound.change.value),
        String(flawed.n),
      ]),
    ),
  ];
  const broken = result.gaming.some(({ format_kept }) => format_kept < 0.5);
  const notes = [
    `${data.used} responses to ${data.questions} questions, ${data.sound} sound and ${data.right} right; coverage ${share(coverage.coverage)}.`,
    ...Object.entries(coverage.failures)
      .slice(0, 3)
      .map(([reason, n]) => `  ${n} × ${reason}`),
    ...(broken ? ['* breaks the format: training never shows such a response to a judge.'] : []),
    ...runNotes(result),
  ];
  return `${[...parts, ...notes].join('\n')}\n`;
}

const oracleOf = ({ oracle }: Attacked) => change(oracle?.change ?? null);

function runNotes({ run }: BenchResult): string[] {
  if (run === null) return [];
  const { points, gamma, reliability } = run;
  const [first, last] = [points[0], points[points.length - 1]];
  return [
    `In training, steps ${first.from}–${first.to}: Spearman ${figure(first.spearman)}, error ${figure(first.mae)}, γ ${figure(first.gamma)}; steps ${last.from}–${last.to}: ${figure(last.spearman)}, ${figure(last.mae)}, ${figure(last.gamma)}.`,
    `γ with the group's error: Spearman ${withInterval(gamma.with_error)}, with its order ${withInterval(gamma.with_order)}, over ${gamma.groups} groups;`,
    `  below 1 where the TRM was right: ${share(gamma.doubted_although_right)} of ${gamma.trm_right.groups}; 1 where it was wrong: ${share(gamma.trusted_although_wrong)} of ${gamma.trm_wrong.groups}.`,
    ...(reliability
      ? [
          `Held-out responses of the start policy: Spearman ${figure(reliability.start.spearman)}; of the trained one: ${figure(reliability.trained?.spearman ?? null)}.`,
        ]
      : []),
  ];
}

function table(head: string[], colWidths: number[], rows: string[][]): string {
  const made = new Table({
    chars: RULES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head,
    colWidths,
    colAligns: ['left', ...head.slice(1).map(() => 'right' as const)],
  });
  made.push(...rows);
  return made.toString();
}
