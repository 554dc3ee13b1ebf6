/** `sophia trm curate`: annotated responses that rules let through, evenly over the scores. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { InputError } from '../../errors.ts';
import type { CurationCounts, CurationSettings } from '../../trm/curate.ts';
import { share, wholeNumber } from '../flags.ts';
import { FORCE, inputFile, JSON_COUNTS, type OutputFlags, runStage } from './stage.ts';

interface Flags extends OutputFlags {
  in: string[];
  without: string[];
  floor?: string;
  cap?: string;
  total?: string;
  seed?: string;
  minThinking?: string;
  loopWords?: string;
  loopTimes?: string;
  maxForeign?: string;
  maxOver?: string;
  maxUnder?: string;
}

export function register(trm: Command): void {
  trm
    .command('curate')
    .description('annotated responses that rules let through, evenly over ten intervals of the score')
    .requiredOption('--in <file...>', 'what sophia trm annotate wrote; several are taken as one')
    .requiredOption('--out <file>', 'JSONL file to write, whole or not at all')
    .option('--floor <n>', 'rows that each interval gives, if it has them; 5000 by default')
    .option('--cap <n>', 'most rows of an interval; 15000 by default')
    .option('--total <n>', 'rows in all; 156703 by default')
    .option('--seed <n>', 'says which rows of a full interval stay; 0 by default')
    .option('--without <rule...>', 'rules that are switched off; docs/trm.md lists them', [])
    .option('--min-thinking <n>', 'empty_thinking: fewest words; 3 by default')
    .option('--loop-words <n>', 'loops: length of a run of words; 10 by default')
    .option('--loop-times <n>', 'loops: how often it may occur; 4 by default')
    .option('--max-foreign <share>', 'language: words in scripts that do not belong there; 0.3 by default')
    .option('--max-over <n>', 'inconsistent: how far a score may be above the outcome; 0.9 by default')
    .option('--max-under <n>', 'inconsistent: how far below; 1 by default, so never too far')
    .option(...FORCE)
    .option(...JSON_COUNTS)
    .action(curateFiles);
}

async function curateFiles(flags: Flags): Promise<void> {
  const { checkCuration, CURATION_DEFAULTS, curate } = await import('../../trm/curate.ts');
  const whole = (flag: string, text: string | undefined, usual: number, least: number) =>
    text === undefined ? usual : wholeNumber(flag, text, least);
  const part = (flag: string, text: string | undefined, usual: number) =>
    text === undefined ? usual : share(flag, text);
  const usual = CURATION_DEFAULTS;
  const settings: CurationSettings = {
    floor: whole('--floor', flags.floor, usual.floor, 0),
    cap: whole('--cap', flags.cap, usual.cap, 1),
    total: whole('--total', flags.total, usual.total, 1),
    seed: whole('--seed', flags.seed, usual.seed, 0),
    min_thinking: whole('--min-thinking', flags.minThinking, usual.min_thinking, 0),
    loop_words: whole('--loop-words', flags.loopWords, usual.loop_words, 1),
    loop_times: whole('--loop-times', flags.loopTimes, usual.loop_times, 1),
    max_foreign: part('--max-foreign', flags.maxForeign, usual.max_foreign),
    max_over: part('--max-over', flags.maxOver, usual.max_over),
    max_under: part('--max-under', flags.maxUnder, usual.max_under),
    without: flags.without as CurationSettings['without'],
  };
  checkCuration(settings, (key) => `--${key}`);
  for (const file of flags.in) inputFile(file, '--in');
  if (existsSync(flags.out) && !flags.force)
    throw new InputError(`${flags.out}: exists already; name another file, or replace it with --force`);
  await runStage(
    'curate',
    flags,
    (progress) => curate(flags.in, flags.out, settings, progress),
    (counts) => summary(counts),
  );
}

/** Counts by rule, then what each interval had and gave. */
function summary({ read, rejected, intervals, below_floor, kept }: CurationCounts): string {
  const rules = Object.entries(rejected).map(([rule, n]) => `  ${rule.padEnd(16)}${String(n).padStart(8)}`);
  const rows = intervals.map(
    ({ from, to, available, kept: given }, i) =>
      `  ${from.toFixed(1)}–${to.toFixed(1)}${String(available).padStart(17)}${String(given).padStart(8)}${below_floor.includes(i) ? '  below the floor' : ''}`,
  );
  return [
    `${kept} of ${read} rows`,
    'rejected by',
    ...rules,
    `  score         available    kept`,
    ...rows,
  ].join('\n');
}
