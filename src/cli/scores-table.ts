/** The scores of one model on one split, for the terminal. */
import Table from 'cli-table3';
import type { BestOf, PartScores, Scores } from '../data/run-folder.ts';
import { fixed } from '../experiments/stats.ts';
import { RIGHT_AND_SOUND, RULES } from '../experiments/table.ts';

const figure = (value: number | null) => (value === null ? '–' : fixed(value, 2));

/** All together, by problem type and by source; by style of reasoning where an oracle could tell. Ends with a newline. */
export function scoresTable(scores: Scores): string {
  const { accuracy, quality, flawed_right, reliability_conditioned_accuracy } = scores;
  const judged = quality !== null;
  const row = (name: string, s: PartScores) => [
    name,
    String(s.n),
    figure(s.accuracy),
    ...(judged ? [figure(s.reliability_conditioned_accuracy), figure(s.quality)] : []),
  ];
  const sources = Object.entries(scores.by_source);
  const types = table(
    ['type', 'n', 'accuracy', ...(judged ? ['right and\nsound', 'thinking\nquality'] : [])],
    [
      row('all', { n: scores.n, accuracy, quality, reliability_conditioned_accuracy }),
      ...Object.entries(scores.by_type).map(([name, some]) => row(name, some)),
      ...(sources.length > 1 ? sources.map(([name, some]) => row(name, some)) : []),
    ],
  );
  const styles =
    scores.by_style &&
    table(
      ['style', 'share', 'accuracy'],
      Object.entries(scores.by_style).map(([name, s]) => [name, figure(s.share), figure(s.accuracy)]),
    );
  const chosen = scores.best_of && bestOfTable(scores.best_of);
  const decoding = scores.temperature === 0 ? 'greedy' : `temperature ${scores.temperature}`;
  const notes = [
    ...(judged
      ? [`flawed-right ${figure(flawed_right)} (right answers whose reasoning scores below 0.5)`]
      : []),
    `broken format ${figure(scores.broken_format)}, cut off ${figure(scores.truncated)}`,
    `${scores.split}, ${decoding}`,
  ];
  const meaning = judged ? [RIGHT_AND_SOUND] : [];
  return `${[types, ...(styles ? [styles] : []), ...(chosen ? [chosen] : []), `${notes.join('; ')}.`, ...meaning].join('\n')}\n`;
}

const CHOSEN_BY = { judge: 'the judge', majority: 'the majority' };

/** Accuracy by the number of responses a question. */
export function bestOfTable({ samples, chosen_by, judge, coverage, curve }: BestOf): string {
  const by = judge === null ? '' : `; judge: ${judge}, coverage ${figure(coverage)}`;
  const rows = curve.map((point) => [
    String(point.n),
    ...(judge === null ? [] : [figure(point.judge)]),
    figure(point.majority),
    figure(point.pass),
  ]);
  const head = ['responses', ...(judge === null ? [] : ['the judge\nchooses']), 'majority', 'right\nin any'];
  return `${table(head, rows)}\nOf ${samples} responses ${CHOSEN_BY[chosen_by]} chose one${by}.`;
}

function table(head: string[], rows: string[][]): string {
  const made = new Table({
    chars: RULES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head,
    colWidths: [24, ...head.slice(1).map(() => 12)],
    colAligns: ['left', ...head.slice(1).map(() => 'right' as const)],
  });
  made.push(...rows);
  return made.toString();
}
