/** A benchmark's scores for the terminal: its figures, then one table for each of its ways of sorting questions. */
import Table from 'cli-table3';
import type { Summary } from '../eval/benchmarks/benchmark.ts';
import { fixed } from '../experiments/stats.ts';
import { RULES } from '../experiments/table.ts';

/** Ends with a newline. */
export function benchmarkTable(title: string, summary: Summary): string {
  const { benchmark: _, scorer, n, correct, accuracy, per_category, ...more } = summary;
  const lines = [`${title}, scorer ${scorer}: ${correct} of ${n} right, accuracy ${percent(accuracy)}`];
  for (const [name, value] of Object.entries(more)) lines.push(`${words(name)}: ${figures(name, value)}`);
  const tables = Object.entries(per_category).map(([name, of]) => table(words(name), of));
  return `${[lines.join('\n'), ...tables.filter((text) => text !== '')].join('\n\n')}\n`;
}

const percent = (share: number) => `${fixed(100 * share, 2)} %`;
const words = (name: string) => name.replaceAll('_', ' ');
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A figure of the benchmark's own, or several: shares and means of accuracies as percentages. */
function figures(name: string, value: unknown): string {
  if (isObject(value))
    return (
      Object.entries(value)
        // a table of its own stands in the JSON
        .filter(([key]) => key !== 'per_category')
        .map(([key, item]) => `${words(key)} ${figures(key, item)}`)
        .join(', ')
    );
  if (typeof value !== 'number') return value === null ? '–' : String(value);
  if (/accuracy|average|share/.test(name)) return percent(value);
  return Number.isInteger(value) ? String(value) : fixed(value, 2);
}

/** Lines of a category, with those that a line holds itself (`{n, …, subject: {…}}`) below it. */
function table(name: string, of: unknown): string {
  const lines = isObject(of) ? linesOf(of, 0) : [];
  const columns = [...new Set(lines.flatMap(({ cells }) => Object.keys(cells)))];
  if (columns.length === 0) return '';
  const made = new Table({
    chars: RULES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head: [name, ...columns.map(words)],
    colWidths: [44, ...columns.map(() => 12)],
    colAligns: ['left', ...columns.map(() => 'right' as const)],
  });
  made.push(
    ...lines.map(({ label, cells }) => [
      label,
      ...columns.map((column) => (column in cells ? figures(column, cells[column]) : '')),
    ]),
  );
  return made.toString();
}

function linesOf(
  category: Record<string, unknown>,
  depth: number,
): { label: string; cells: Record<string, unknown> }[] {
  return Object.entries(category).flatMap(([label, line]) => {
    const indented = `${'  '.repeat(depth)}${label}`;
    if (!isObject(line)) return [{ label: indented, cells: { value: line } }];
    const entries = Object.entries(line);
    const cells = Object.fromEntries(entries.filter(([, item]) => !isObject(item)));
    const below = Object.fromEntries(entries.filter(([, item]) => isObject(item)));
    const hasOwn = Object.keys(cells).length > 0;
    return [...(hasOwn ? [{ label: indented, cells }] : []), ...flattened(below, depth + 1)];
  });
}

function flattened(below: Record<string, unknown>, depth: number) {
  return Object.values(below).flatMap((of) => linesOf(of as Record<string, unknown>, depth));
}
