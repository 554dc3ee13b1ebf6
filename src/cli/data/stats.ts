/** `sophia data stats`: counts by type, domain and source; lengths, sizes of pictures, options. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import type { Quantiles } from '../../data/check/quantiles.ts';
import type { Stats } from '../../data/check/stats.ts';
import { createProgress } from '../progress.ts';
import { accessOf, type RecordFlags, withRecordFlags } from '../record-flags.ts';
import { FILES } from './sets.ts';

interface Flags extends RecordFlags {
  model?: string;
  domains?: string;
  pictures: boolean;
  json?: boolean;
}

export function register(data: Command): void {
  const command = data
    .command('stats')
    .description('Say what sets of records are made of')
    .argument('<file...>', FILES)
    .option('--model <dir>', 'count the tokens of problems too, with the tokenizer of this folder')
    .option('--domains <file>', 'JSON of names of sources and their domains, beyond those that are known')
    .option('--no-pictures', 'leave the pictures alone; else the header of every one is read')
    .option('--json', 'print one JSON document');
  withRecordFlags(command).action(run);
}

async function run(sets: string[], flags: Flags): Promise<void> {
  const { model, domains, pictures, json } = flags;
  const { statsOf } = await import('../../data/check/stats.ts');
  const { readDomains } = await import('../../data/records/domains.ts');
  const { filesOf } = await import('./sets.ts');
  const own = domains === undefined ? {} : await readDomains(domains);
  const tokens = model === undefined ? null : await tokenCounter(model);
  const files = await filesOf(sets);
  const progress = createProgress();
  try {
    progress.start('stats', files.length);
    const seen = (files: number, rows: number) => progress.update('stats', files, { rows });
    const stats = await statsOf(files, {
      domains: own,
      tokens,
      pictures,
      access: accessOf(flags),
      progress: seen,
    });
    progress.finish('stats', `${stats.records} records`);
    process.stdout.write(json ? `${JSON.stringify(stats)}\n` : `${shown(stats)}\n`);
  } finally {
    progress.stop();
  }
}

async function tokenCounter(model: string): Promise<(text: string) => number> {
  const { modelFolder } = await import('../flags.ts');
  const { loadChat } = await import('../../data/chat/chat.ts');
  const { tokenizer } = await loadChat(modelFolder(model));
  return (text) => tokenizer.encode(text).length;
}

function shown(stats: Stats): string {
  const { records, unusable, files, pictures, unknown_sources: unknown } = stats;
  const parts = [
    `${records} records in ${files} file${files === 1 ? '' : 's'}${unusable > 0 ? `; ${unusable} rows are none (sophia data check says why)` : ''}`,
    ...(['problem_type', 'data_type', 'domain', 'data_source'] as const).map((key) =>
      counts(key, stats[key], records),
    ),
    quantiles({
      'problem, characters': stats.problem_chars,
      'problem, tokens': stats.problem_tokens,
      'solution, characters': stats.solution_chars,
      'options (multiple choice)': stats.options,
      'picture, width': pictures?.width ?? null,
      'picture, height': pictures?.height ?? null,
      'picture, megapixels': pictures?.megapixels ?? null,
      'picture, kB': pictures?.kilobytes ?? null,
    }),
  ];
  if (pictures && pictures.unreadable > 0)
    parts.push(`${pictures.unreadable} pictures cannot be read (sophia data check says why)`);
  if (unknown.length > 0)
    parts.push(
      `of no known domain: ${unknown.slice(0, 20).join(', ')}${unknown.length > 20 ? ` and ${unknown.length - 20} more` : ''}; name theirs with --domains`,
    );
  return parts.join('\n\n');
}

/** The most frequent of each kind. */
const MOST = 40;

function counts(name: string, of: Record<string, number>, records: number): string {
  const table = new Table({ head: [name, 'records', 'share'], style: { head: [], border: [] } });
  const all = Object.entries(of);
  for (const [key, n] of all.slice(0, MOST))
    table.push([key, n, `${((100 * n) / Math.max(1, records)).toFixed(1)} %`]);
  if (all.length > MOST) table.push([`${all.length - MOST} more`, '', '']);
  return table.toString();
}

function quantiles(rows: Record<string, Quantiles | null>): string {
  const heads = ['min', 'p5', 'p25', 'p50', 'p75', 'p95', 'max'] as const;
  const table = new Table({ head: ['', 'n', 'mean', ...heads], style: { head: [], border: [] } });
  for (const [name, found] of Object.entries(rows))
    if (found !== null)
      table.push([name, found.n, short(found.mean), ...heads.map((head) => short(found[head]))]);
  return table.toString();
}

const short = (value: number) => String(Number(value.toPrecision(4)));
