/** `sophia trm train`: a TRM, or a step model, from scored responses. */
import type { Command } from 'commander';
import { InputError } from '../../errors.ts';
import type { TrmFileSettings } from '../../train/trm-file.ts';
import { modelFolder, notNegative, share, threadsOf, wholeNumber } from '../flags.ts';
import { onInterrupt } from '../interrupt.ts';
import { createProgress } from '../progress.ts';
import { accessOf, type RecordFlags, withRecordFlags } from '../record-flags.ts';
import { shellQuoted } from '../shell.ts';
import { templateFile } from '../template-file.ts';

interface Flags extends RecordFlags {
  maxBad: string;
  in: string;
  model: string;
  out: string;
  epochs: string;
  batch: string;
  learningRate: string;
  warmup: string;
  order: 'epochs' | 'balanced';
  heldOut: string;
  loraRank?: string;
  template?: string;
  questionTemplate?: string;
  steps?: 'statements' | 'text';
  aggregate: 'mean' | 'min' | 'product';
  saveEvery?: string;
  seed: string;
  threads?: string;
  resume?: boolean;
  json?: boolean;
}

export function register(trm: Command): void {
  const command = trm
    .command('train')
    .description('Train a TRM on scored responses, by supervision')
    .requiredOption('--in <file>', 'JSONL of scored responses, as trm curate writes it')
    .requiredOption('--model <dir>', 'a Qwen2.5-VL folder to start from')
    .requiredOption('--out <dir>', "the training's folder")
    .option('--epochs <n>', 'times that every response is learnt', '2')
    .option('--batch <n>', 'responses a step', '32')
    .option('--learning-rate <lr>', 'at its highest; a world model made from nothing wants 1e-3', '1e-5')
    .option('--warmup <n>', 'steps of linear warm-up, before a cosine down to 5 %', '20')
    .addOption(
      trm
        .createOption('--order <how>', 'epochs, or balanced: rare scores are drawn more often')
        .choices(['epochs', 'balanced'])
        .default('epochs'),
    )
    .option('--held-out <share>', 'of the questions, never learnt from', '0.1')
    .option('--lora-rank <r>', 'train low-rank adapters instead of all weights')
    .option('--template <file>', "the judge's prompt, with {problem} and {response}")
    .option('--question-template <text>', 'how {problem} is written, with {problem} and {options}')
    .addOption(
      trm
        .createOption('--steps <split>', 'learn every step, as annotate --by-step scored it')
        .choices(['statements', 'text']),
    )
    .addOption(
      trm
        .createOption('--aggregate <how>', "how steps' scores become one")
        .choices(['mean', 'min', 'product'])
        .default('mean'),
    )
    .option('--max-bad <share>', 'of the responses, left out where their pictures cannot be used', '0.01');
  withRecordFlags(command)
    .option('--save-every <n>', 'steps between checkpoints; by default four in all')
    .option('--seed <n>', 'of the held-out split and the order', '0')
    .option('--threads <n>', 'by default one a core')
    .option('--resume', 'go on with the training in --out')
    .option('--json', 'print the result as JSON')
    .action(train);
}

/** Tokens computed at once. */
const TOKEN_BUDGET = 2048;

async function train(flags: Flags): Promise<void> {
  const { trainTrmOnFile } = await import('../../train/trm-file.ts');
  const settings = await settingsOf(flags);
  const progress = createProgress();
  const interrupt = onInterrupt();
  const stage = 'trm';
  try {
    const result = await trainTrmOnFile(settings, {
      out: flags.out,
      access: accessOf(flags),
      maxBad: share('--max-bad', flags.maxBad),
      resume: flags.resume ?? false,
      saveEvery: flags.saveEvery === undefined ? null : wholeNumber('--save-every', flags.saveEvery, 1),
      threads: threadsOf(flags.threads),
      tokenBudget: TOKEN_BUDGET,
      howToResume: `the same command with --resume (--out ${shellQuoted(flags.out)})`,
      signal: interrupt.signal,
      start: (steps, { learnt, held_out, left }) => {
        process.stderr.write(
          `${learnt} responses to learn from, ${held_out} held out${left > 0 ? `, ${left} without a score` : ''}\n`,
        );
        progress.start(stage, steps);
      },
      progress: (done, facts) => progress.update(stage, done, facts),
      warn: (line) => process.stderr.write(`${line}\n`),
    });
    const { spearman, mae, n } = result.reliability;
    const said = (value: number | null) => value?.toFixed(3) ?? 'undefined';
    progress.finish(stage, `on ${n} held-out responses: Spearman ${said(spearman)}, MAE ${said(mae)}`);
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${result.trm}\n`);
  } finally {
    progress.stop();
    interrupt.stop();
  }
}

async function settingsOf(flags: Flags): Promise<TrmFileSettings> {
  const { checkJudgeTemplate } = await import('../../trm/prompt.ts');
  const { checkTemplate } = await import('../../data/chat/prompting.ts');
  const template = flags.template === undefined ? null : templateFile('--template', flags.template);
  if (template !== null) checkJudgeTemplate(template, `--template ${flags.template}`);
  if (flags.questionTemplate !== undefined) checkTemplate(flags.questionTemplate, '--question-template');
  const heldOut = notNegative('--held-out', flags.heldOut);
  if (heldOut >= 1) throw new InputError(`--held-out ${flags.heldOut}: must be below 1`);
  const epochs = notNegative('--epochs', flags.epochs);
  if (epochs === 0) throw new InputError('--epochs 0: must be above 0');
  return {
    file: flags.in,
    model: modelFolder(flags.model),
    heldOut,
    seed: wholeNumber('--seed', flags.seed, 0),
    epochs,
    batch: wholeNumber('--batch', flags.batch, 1),
    order: flags.order,
    optimizer: {
      learning_rate: notNegative('--learning-rate', flags.learningRate),
      warmup: wholeNumber('--warmup', flags.warmup, 0),
      schedule: 'cosine',
      final: 0.05,
      betas: [0.9, 0.98],
      eps: 1e-8,
      weight_decay: 0.01,
      max_grad_norm: 1,
    },
    loraRank: flags.loraRank === undefined ? null : wholeNumber('--lora-rank', flags.loraRank, 1),
    template,
    questionTemplate: flags.questionTemplate ?? null,
    steps: flags.steps === undefined ? null : { split: flags.steps, aggregate: flags.aggregate },
  };
}
