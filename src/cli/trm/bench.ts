/** `sophia trm bench`: how far a judge can be trusted, as JSON, as a report and as a table. */
import { writeFile } from 'node:fs/promises';
import { basename, extname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { withoutSecrets } from '../../data/servers/server-name.ts';
import { InputError } from '../../errors.ts';
import { wholeNumber } from '../flags.ts';
import { type JudgeFlags, judgeOfFlags, withJudgeFlags } from '../judge-flags.ts';
import { freeFolder, isUsed } from '../out-folder.ts';
import { createProgress } from '../progress.ts';
import { accessOf, type RecordFlags, withRecordFlags } from '../record-flags.ts';

interface Flags extends JudgeFlags, RecordFlags {
  in: string;
  run?: string;
  limit?: string;
  probes: string;
  seed: string;
  out?: string;
  json?: boolean;
}

export function register(trm: Command): void {
  withRecordFlags(
    withJudgeFlags(
      trm
        .command('bench')
        .description(
          'Measure a judge on responses of known quality: agreement, ranking, corruptions, attacks',
        )
        .requiredOption(
          '--in <file>',
          'records with a response and its score, that the judge has not learnt from',
        ),
    ),
  )
    .option('--run <dir>', "also the thinking rewards of this run against the oracle's scores")
    .option('--limit <n>', 'at most so many responses, drawn by question')
    .option('--probes <n>', 'responses changed, of sound and of flawed ones each', '200')
    .option('--seed <n>', 'of every draw', '0')
    .option('--out <dir>', 'folder for bench.json and report.html; by default bench/FILE')
    .option('--json', 'print the result as JSON')
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const limit = flags.limit === undefined ? null : wholeNumber('--limit', flags.limit, 1);
  const probes = wholeNumber('--probes', flags.probes, 0);
  const seed = wholeNumber('--seed', flags.seed, 0);
  if (flags.out !== undefined && isUsed(flags.out))
    throw new InputError(`--out ${flags.out}: is used already; name another folder or remove it`);
  const { writeFolder } = await import('../../data/atomic.ts');
  const { openBenchRows } = await import('../../trm/bench/rows.ts');
  const { readRun } = await import('../../trm/bench/run.ts');
  const { bench } = await import('../../trm/bench/bench.ts');
  const { buildBenchReport } = await import('../../experiments/report/bench.ts');
  const { benchTable } = await import('./bench-table.ts');

  const rows = await openBenchRows(flags.in, limit, seed, accessOf(flags));
  const ofRun = flags.run === undefined ? null : await readRun(flags.run);
  const judge = await judgeOfFlags(flags);
  const progress = createProgress();
  try {
    let started = false;
    const result = await bench(judge, rows, {
      seed,
      probes,
      names: { judge: withoutSecrets(flags.judge), file: flags.in, run: flags.run ?? null },
      run: ofRun,
      progress(done, total) {
        if (!started) progress.start('judge', total);
        started = true;
        progress.update('judge', done);
      },
    });
    progress.finish('judge');
    const out = flags.out ?? freeFolder(join('bench', basename(flags.in, extname(flags.in))));
    await writeFolder(out, async (dir) => {
      await writeFile(join(dir, 'bench.json'), `${JSON.stringify(result, null, 1)}\n`);
      await writeFile(join(dir, 'report.html'), buildBenchReport(result));
    });
    process.stdout.write(
      flags.json
        ? `${JSON.stringify(result)}\n`
        : `${benchTable(result)}\nReport: ${relative('.', join(out, 'report.html'))}\n`,
    );
  } finally {
    progress.stop();
    await judge.dispose();
  }
}
