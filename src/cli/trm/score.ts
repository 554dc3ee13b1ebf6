/** `sophia trm score`: how soundly responses reason, JSON Lines to JSON Lines. */
import type { Command } from 'commander';
import { type JudgeFlags, judgeOfFlags, withJudgeFlags } from '../judge-flags.ts';
import { accessOf, type RecordFlags, withRecordFlags } from '../record-flags.ts';
import { printRows } from '../rows.ts';

export function register(trm: Command): void {
  withRecordFlags(
    withJudgeFlags(
      trm
        .command('score')
        .description(
          'score the thinking of responses: JSONL rows {problem, response, path?} in, the rows plus {score, failure} out',
        )
        .requiredOption('--in <file>', 'JSONL file, or - for standard input')
        .option('--json', 'JSON Lines on stdout (always so)'),
    ),
  ).action(score);
}

async function score(flags: JudgeFlags & RecordFlags & { in: string }): Promise<void> {
  const { scoreRows } = await import('../../trm/score-rows.ts');
  const judge = await judgeOfFlags(flags);
  try {
    await printRows(scoreRows(flags.in, judge, accessOf(flags)));
  } finally {
    await judge.dispose();
  }
}
