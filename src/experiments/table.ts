/** The final table of an experiment: for the terminal (at most 100 columns wide) and as JSON. */
import Table from 'cli-table3';
import {
  evaluationNote,
  figure,
  MEASURES,
  type Measure,
  type ResultRow,
  SPLIT_NAMES,
  SPLITS,
  type Split,
  variantName,
} from './results.ts';
import { plusMinus, type Summary } from './stats.ts';

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

const NAME_WIDTH = 26;
const FIGURE_WIDTH = 17;

/** Said below every table that shows the measure; wrapped for 100 columns. */
export const RIGHT_AND_SOUND =
  'Right and sound: share of all answers that are right with sound reasoning\n(reliability-conditioned accuracy).';

/**
 * A block for each split that was evaluated, variants as its rows; mean ± sd over seeds; what was measured and how
 * stands below. Ends with a newline.
 */
export function resultsTable(rows: readonly ResultRow[]): string {
  const table = new Table({
    chars: RULES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head: ['', ...MEASURES.map((measure) => measure.name)],
    colWidths: [NAME_WIDTH, ...MEASURES.map(() => FIGURE_WIDTH)],
    colAligns: ['left', ...MEASURES.map(() => 'right' as const)],
  });
  for (const split of SPLITS) {
    if (!rows.some((row) => row.seeds.some((seed) => seed[split]))) continue;
    table.push([`${SPLIT_NAMES[split]} (${split.toUpperCase()})`, ...MEASURES.map(() => '')]);
    for (const row of rows) {
      const cells = MEASURES.map((measure) => plusMinus(figure(row, split, measure.key)));
      table.push([`  ${variantName(row.variant)}`, ...cells]);
    }
  }
  const about = evaluationNote(rows);
  const notes = [
    `${about[0].toUpperCase()}${about.slice(1)}.`,
    RIGHT_AND_SOUND,
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
