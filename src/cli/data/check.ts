/**
 * `sophia data check`: every bad row of a set with file, line and reason; exit code 2 where there is one. Rows stream out
 * as they are found: one a line, or with --out as JSONL; the JSON document has counts and a sample of each kind.
 */
import { once } from 'node:events';
import { type Command, Option } from 'commander';
import { writeFileWhole } from '../../data/atomic.ts';
import type { Checked, Fault, FaultKind, PictureCheck } from '../../data/check/check.ts';
import { jsonLine } from '../../data/jsonl.ts';
import { shortened } from '../../data/one-line.ts';
import { InputError } from '../../errors.ts';
import { createProgress } from '../progress.ts';
import { accessOf, type RecordFlags, withRecordFlags } from '../record-flags.ts';
import { FILES } from './sets.ts';

interface Flags extends RecordFlags {
  pictures: PictureCheck;
  out?: string;
  json?: boolean;
}

export function register(data: Command): void {
  const command = data
    .command('check')
    .description('Read whole sets of records and say what is wrong with every bad row')
    .argument('<file...>', FILES)
    .addOption(
      new Option(
        '--pictures <how>',
        'how far pictures are looked at: header reads every one and what its first bytes say, decode decodes them all, present only sees that the files are there',
      )
        .choices(['header', 'decode', 'present', 'off'])
        .default('header'),
    )
    .option('--out <file>', 'write every bad row as JSONL: {file, row, rows, kind, message}')
    .option('--json', 'print one JSON document: counts by kind, and some rows of each');
  withRecordFlags(command).action(run);
}

/** Rows of each kind in the JSON document. */
const SHOWN = 20;

interface Tally {
  rows: number;
  bad: number;
  reasons: Partial<Record<FaultKind, number>>;
  shown: Omit<Fault, 'source'>[];
}

async function run(sets: string[], flags: Flags): Promise<void> {
  const { checkRows } = await import('../../data/check/check.ts');
  const { filesOf } = await import('./sets.ts');
  const files = await filesOf(sets);
  const tally: Tally = { rows: 0, bad: 0, reasons: {}, shown: [] };
  const faults = faultsIn(checkRows(files, flags.pictures, accessOf(flags)), tally, files.length);
  if (flags.out === undefined) for await (const fault of faults) await say(fault, flags);
  else await writeFileWhole(flags.out, lines(faults, flags));

  if (flags.json)
    process.stdout.write(
      `${JSON.stringify({
        files: files.length,
        rows: tally.rows,
        good: tally.rows - tally.bad,
        bad: tally.bad,
        pictures: flags.pictures,
        reasons: tally.reasons,
        sample: tally.shown,
      })}\n`,
    );
  const kinds = Object.entries(tally.reasons).map(([kind, n]) => `${n} ${kind}`);
  const said = `${tally.rows} row${tally.rows === 1 ? '' : 's'} in ${files.length} file${files.length === 1 ? '' : 's'}`;
  if (tally.rows === 0) throw new InputError(`${sets.join(', ')}: holds no records`);
  if (tally.bad > 0) throw new InputError(`${said}: ${tally.bad} bad (${kinds.join(', ')})`);
  if (!flags.json) process.stdout.write(`${said}: all good (pictures: ${flags.pictures})\n`);
}

async function* faultsIn(
  checked: AsyncIterable<Checked>,
  tally: Tally,
  files: number,
): AsyncGenerator<Fault> {
  const progress = createProgress();
  const shown: Partial<Record<FaultKind, number>> = {};
  let file = '';
  let done = 0;
  try {
    progress.start('check', files);
    for await (const row of checked) {
      if (row.file !== file && file !== '') done += 1;
      file = row.file;
      tally.rows += row.rows;
      progress.update('check', done, { rows: tally.rows, bad: tally.bad });
      if (row.fault === null) continue;
      const { source: _, ...fault } = row.fault;
      const { kind, rows } = fault;
      tally.bad += rows;
      tally.reasons[kind] = (tally.reasons[kind] ?? 0) + rows;
      shown[kind] = (shown[kind] ?? 0) + 1;
      if (shown[kind] <= SHOWN) tally.shown.push(fault);
      yield row.fault;
    }
    progress.finish('check', `${tally.rows} rows`);
  } finally {
    progress.stop();
  }
}

async function* lines(faults: AsyncIterable<Fault>, flags: Flags): AsyncGenerator<string> {
  for await (const fault of faults) {
    const { source: _, ...row } = fault;
    await say(fault, flags);
    yield jsonLine(row);
  }
}

/** One line a bad row, unless they are asked for in another form. */
async function say({ source, message }: Fault, { json, out }: Flags): Promise<void> {
  if (json || out !== undefined) return;
  if (!process.stdout.write(`${source}: ${shortened(message, 300)}\n`)) await once(process.stdout, 'drain');
}
