/** `sophia trm annotate`: a judge scores collected responses. */
import type { Command } from 'commander';
import { type JudgeFlags, judgeOfFlags, withJudgeFlags } from '../judge-flags.ts';
import { FORCE, inputFile, JSON_COUNTS, listed, type OutputFlags, runStage } from './stage.ts';

interface Flags extends JudgeFlags, OutputFlags {
  in: string;
  retryFailed?: boolean;
}

export function register(trm: Command): void {
  withJudgeFlags(
    trm
      .command('annotate')
      .description('scores of a judge for collected responses, or why there is none')
      .requiredOption('--in <file>', 'what sophia trm collect wrote; with --retry-failed what annotate wrote')
      .requiredOption('--out <file>', 'JSONL file to write; a stage that was stopped goes on')
      .option('--retry-failed', 'rows that have a score keep it, the others are judged again'),
  )
    .option(...FORCE)
    .option(...JSON_COUNTS)
    .action(annotate);
}

async function annotate(flags: Flags): Promise<void> {
  const keepScored = flags.retryFailed ?? false;
  const input = inputFile(flags.in, '--in');
  const { annotateFile } = await import('../../trm/annotate-file.ts');
  const judge = await judgeOfFlags(flags);
  const annotator = [flags.judge, flags.judgeModel].filter((part) => part !== undefined).join(' ');
  const settings = { stage: 'annotate', in: input, keepScored, ...howJudged(flags) };
  try {
    await runStage(
      'annotate',
      flags,
      async (progress) => {
        const options = { settings, force: flags.force ?? false, progress, keepScored, annotator };
        return (await annotateFile(flags.in, flags.out, judge, options)).counts;
      },
      ({ read, scored, failed }) =>
        `${scored} of ${read} responses scored${scored < read ? `; without a score: ${listed(failed)}` : ''}`,
    );
  } finally {
    await judge.dispose();
  }
}

/** What scores depend on: all that is said of the judge but how fast it is asked. */
function howJudged(flags: JudgeFlags): Record<string, unknown> {
  const { judge, judgeModel, judgeTemplate, judgeThinks, judgeReads, judgeTemperature, judgeMaxTokens } =
    flags;
  const { steps, aggregate } = flags;
  return {
    judge,
    judgeModel,
    judgeTemplate,
    judgeThinks,
    judgeReads,
    judgeTemperature,
    judgeMaxTokens,
    steps,
    aggregate,
  };
}
