/** The final table of an experiment: for the terminal (at most 100 columns wide) and as JSON. */
import Table from 'cli-table3';
import {
  evaluationNote,
  figure,
  MEASURES,
  type Measure,
  type ResultRow,
  type Split,
  variantName,
} from './results.ts';
import { plusMinus, type Summary } from './stats.ts';

const COLUMNS: readonly { head: string; split: Split; key: Measure['key'] }[] = [
  { head: 'accuracy\nID', split: 'id', key: 'accuracy' },
  { head: 'accuracy\nOOD', split: 'ood', key: 'accuracy' },
  { head: 'right and\nsound OOD', split: 'ood', key: 'reliability_conditioned_accuracy' },
  { head: 'flawed-right\nID', split: 'id', key: 'flawed_right' },
  { head: 'thinking\nquality ID', split: 'id', key: 'quality' },
  { head: 'thinking\nquality OOD', split: 'ood', key: 'quality' },
];

/** Lines of a table: three rules and nothing else, above, under the head, below. */
export const RULES = {
  top: '─',
  'top-mid': '─',
  'top-left': '',
  'top-right': '',
  left: '',
  right: '',
  middle: ' ',
  mid: '─',
  'mid-mid': '─',
  'left-mid': '',
  'right-mid': '',
  bottom: '─',
  'bottom-mid': '─',
  'bottom-left': '',
  'bottom-right': '',
} as const;

const NAME_WIDTH = 22;
const FIGURE_WIDTH = 12;

/** Variants as rows; mean ± sd over seeds; what was measured and how stands below. Ends with a newline. */
export function resultsTable(rows: readonly ResultRow[]): string {
  const table = new Table({
    chars: RULES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head: ['', ...COLUMNS.map((column) => column.head)],
    colWidths: [NAME_WIDTH, ...COLUMNS.map(() => FIGURE_WIDTH)],
    colAligns: ['left', ...COLUMNS.map(() => 'right' as const)],
  });
  for (const row of rows) {
    const cells = COLUMNS.map((column) => plusMinus(figure(row, column.split, column.key)));
    table.push([variantName(row.variant), ...cells]);
  }
  const notes = [
    `ID: in distribution, OOD: out of distribution; ${evaluationNote(rows)}.`,
    'Flawed-right: share of the right answers whose reasoning scores below 0.5 (sound: 0.5 or more).',
  ];
  return `${[table.toString(), ...notes].join('\n')}\n`;
}

/** The same figures, unrounded, for programs: every measure on both splits and the seeds behind it. */
export interface ResultsJson {
  variants: {
    variant: string;
    id: Record<Measure['key'], Summary | null>;
    ood: Record<Measure['key'], Summary | null>;
    seeds: ResultRow['seeds'];
  }[];
}

export function resultsJson(rows: readonly ResultRow[]): ResultsJson {
  const measures = (row: ResultRow, split: Split) =>
    Object.fromEntries(MEASURES.map(({ key }) => [key, figure(row, split, key)])) as Record<
      Measure['key'],
      Summary | null
    >;
  return {
    variants: rows.map((row) => ({
      variant: row.variant,
      id: measures(row, 'id'),
      ood: measures(row, 'ood'),
      seeds: row.seeds,
    })),
  };
}
