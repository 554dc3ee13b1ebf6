/** `sophia trm annotate`: a judge scores collected responses, or every step of them gets its own label. */
import type { Command } from 'commander';
import { withoutSecrets } from '../../data/servers/server-name.ts';
import { InputError } from '../../errors.ts';
import {
  type JudgeFlags,
  judgeOfFlags,
  judgeTemplate,
  refuseJudgeFlags,
  withOptionalJudgeFlags,
} from '../judge-flags.ts';
import { accessOf, type RecordFlags, withRecordFlags } from '../record-flags.ts';
import {
  type ByStepFlags,
  type ChosenAnnotator,
  openByStep,
  refuseCompletionFlags,
  withByStepFlags,
} from './by-step.ts';
import { FORCE, inputFile, JSON_COUNTS, listed, type OutputFlags, runStage } from './stage.ts';

interface Flags extends Partial<JudgeFlags>, ByStepFlags, OutputFlags, RecordFlags {
  in: string;
  retryFailed?: boolean;
}

export function register(trm: Command): void {
  const command = withOptionalJudgeFlags(
    trm
      .command('annotate')
      .description('scores of a judge for collected responses, or why there is none')
      .requiredOption('--in <file>', 'what sophia trm collect wrote; with --retry-failed what annotate wrote')
      .requiredOption('--out <file>', 'JSONL file to write; a stage that was stopped goes on')
      .option('--retry-failed', 'rows that have a score keep it, the others are judged again'),
  );
  withRecordFlags(withByStepFlags(command))
    .option('--threads <n>', 'of a judge or policy on this machine; by default one a core')
    .option(...FORCE)
    .option(...JSON_COUNTS)
    .action(annotate);
}

async function annotate(flags: Flags): Promise<void> {
  const keepScored = flags.retryFailed ?? false;
  const input = inputFile(flags.in, '--in');
  const { annotateFile, requireScores } = await import('../../trm/annotate-file.ts');
  const { annotator, settings: how } = await chosen(flags);
  const settings = { stage: 'annotate', in: input, keepScored, ...how };
  try {
    await runStage(
      'annotate',
      flags,
      async (progress) => {
        const force = flags.force ?? false;
        const options = { settings, force, progress, keepScored, access: accessOf(flags) };
        const { counts } = await annotateFile(flags.in, flags.out, annotator, options);
        requireScores(flags.out, counts);
        return counts;
      },
      ({ read, scored, failed }) =>
        `${scored} of ${read} responses scored${scored < read ? `; without a score: ${listed(failed)}` : ''}`,
    );
  } finally {
    await annotator.dispose();
  }
}

/** Throws InputError where nobody, or more than one, is to score. */
async function chosen({ judge: name, ...flags }: Flags): Promise<ChosenAnnotator> {
  if (flags.byStep !== undefined) {
    if (name !== undefined)
      throw new InputError(
        `--judge ${withoutSecrets(name)}: --by-step ${flags.byStep} needs no judge; give one of the two`,
      );
    refuseJudgeFlags(flags);
    return openByStep(flags);
  }
  if (name === undefined) throw new InputError('--judge: missing; name who scores, or use --by-step');
  refuseCompletionFlags(flags);
  const named = { ...flags, judge: name };
  const judge = await judgeOfFlags(named);
  const annotator = {
    name: [withoutSecrets(name), flags.judgeModel].filter((part) => part !== undefined).join(' '),
    takes: judge.takes,
    score: judge.score,
    dispose: judge.dispose,
  };
  return { annotator, settings: await howJudged(named) };
}

/** What scores depend on: all that is said of the judge but how fast it is asked. */
async function howJudged(flags: JudgeFlags): Promise<Record<string, unknown>> {
  const { digest } = await import('../../trm/question.ts');
  const { judge, judgeModel, judgeThinks, judgeReads, judgeTemperature, judgeMaxTokens } = flags;
  const { steps, aggregate } = flags;
  const template = judgeTemplate(flags);
  return {
    judge: withoutSecrets(judge),
    judgeModel,
    // by what it says: the file may be edited before the stage goes on
    judgeTemplate: template === undefined ? undefined : digest(template),
    judgeThinks,
    judgeReads,
    judgeTemperature,
    judgeMaxTokens,
    steps,
    aggregate,
  };
}
