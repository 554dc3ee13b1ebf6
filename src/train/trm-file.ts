/**
 * A TRM from a file of scored responses, in a folder of its own: held-out split, training, reliability.
 *
 *     DIR/training.json      what it takes to do it again
 *     DIR/held-out.jsonl     responses to questions that it never learns from
 *     DIR/metrics.jsonl      one line a step
 *     DIR/checkpoints/…      Hugging Face folders, each with judge.json
 *     DIR/reliability.json   its agreement with the scores of the held-out responses
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileWhole } from '../data/atomic.ts';
import { loadChat } from '../data/chat/chat.ts';
import { decodeUtf8, parseJson, readError, writeJsonl } from '../data/jsonl.ts';
import type { PictureAccess } from '../data/pictures/access.ts';
import type { Reliability } from '../data/run-folder.ts';
import { parseWith } from '../data/validate.ts';
import { createLocalEngine } from '../engine/local/index.ts';
import { InputError } from '../errors.ts';
import { LANGUAGE_MODEL } from '../models/lora/config.ts';
import { checkpointJudge, scoreTokens } from '../trm/checkpoint-judge.ts';
import { type JudgeConfig, readJudgeConfig } from '../trm/judge-config.ts';
import { openLessonFile } from '../trm/lesson-file.ts';
import type { LessonOptions } from '../trm/lessons.ts';
import { reliability } from '../trm/reliability.ts';
import { rowOf } from '../trm/rows.ts';
import type { Steps } from '../trm/settings.ts';
import { bySteps } from '../trm/steps/step-judge.ts';
import type { OptimizerSettings } from './optimizer.ts';
import { finishedCheckpoint, type Stage } from './stage.ts';
import { epochSteps, trainTrm } from './trm.ts';

/** What decides the result; stands in training.json. */
export interface TrmFileSettings {
  /** JSONL of scored responses, as `trm curate` writes it. */
  file: string;
  /** A Qwen2.5-VL folder to start from. */
  model: string;
  heldOut: number;
  seed: number;
  epochs: number;
  batch: number;
  order: LessonOptions['order'];
  optimizer: OptimizerSettings;
  /** Rank of adapters to train; null: all weights. */
  loraRank: number | null;
  /** The judge's prompt, and how questions are written; null: as the model's vocabulary or judge.json say. */
  template: string | null;
  questionTemplate: string | null;
  /** Learn every step of a response. */
  steps: Steps | null;
}

export interface TrmFileOptions {
  out: string;
  resume: boolean;
  /** What rows may name as pictures. */
  access: PictureAccess;
  /** Share of the responses that may turn out to be unusable, 0…1. */
  maxBad: number;
  saveEvery: number | null;
  threads: number;
  tokenBudget: number;
  howToResume: string;
  signal: AbortSignal;
  start: (steps: number, counts: Pick<TrmFileResult, 'learnt' | 'held_out' | 'left'>) => void;
  progress: Stage['progress'];
  warn: Stage['warn'];
}

export interface TrmFileResult {
  /** The last checkpoint. */
  trm: string;
  /** Responses. */
  learnt: number;
  held_out: number;
  /** Rows without a score, or that no judge can be shown. */
  left: number;
  steps: number;
  reliability: Reliability;
}

/** Throws InputError: files and models that cannot be used, a folder in use; Interrupted after saving; RunError. */
export async function trainTrmOnFile(
  settings: TrmFileSettings,
  options: TrmFileOptions,
): Promise<TrmFileResult> {
  const { file, model, heldOut, seed, batch } = settings;
  const { out } = options;
  const training = { ...settings, bytes: await bytesOf(file) };
  await claim(training, options);
  const chat = await loadChat(model);
  const tokens = scoreTokens(chat);
  if (settings.loraRank !== null && tokens.every((list) => list.length === 1))
    throw new InputError(
      '--lora-rank: this model has a word for each score, which adapters cannot teach it; train all weights',
    );
  const own = await readJudgeConfig(model, chat);
  const config: JudgeConfig = {
    ...own,
    template: settings.template ?? own.template,
    question_template: settings.questionTemplate ?? own.question_template,
    reads: 'expected',
    steps: settings.steps,
  };
  const { lessons, learnt, left, ...rest } = await openLessonFile(file, {
    heldOut,
    seed,
    bySteps: settings.steps !== null,
    access: options.access,
  });
  const held = await Promise.all(Array.from({ length: rest.heldOut.length }, (_, i) => rest.heldOut.get(i)));
  await mkdir(out, { recursive: true });
  await writeFileWhole(join(out, 'training.json'), `${JSON.stringify(training, null, 2)}\n`);
  const heldOutFile = join(out, 'held-out.jsonl');
  await writeJsonl(
    heldOutFile,
    held.map(({ record, response, score }) => {
      const { steps } = record;
      return rowOf({ record, facts: { response, score, ...(steps && { steps }) } }, heldOutFile);
    }),
  );

  const steps = epochSteps(lessons, settings.epochs, batch);
  const counts = { learnt, held_out: held.length, left };
  options.start(steps, counts);
  const engine = await createLocalEngine({
    source: { dir: model },
    adapter:
      settings.loraRank === null
        ? null
        : { rank: settings.loraRank, alpha: 2 * settings.loraRank, targets: LANGUAGE_MODEL, seed },
    trainable: true,
    provider: 'cpu',
    threads: options.threads,
    tokenBudget: options.tokenBudget,
  });
  try {
    const stage: Stage = {
      dir: out,
      runDir: out,
      name: 'trm',
      seed,
      steps,
      saveEvery: options.saveEvery ?? Math.ceil(steps / 4),
      keep: 1,
      modelDir: model,
      howToResume: options.howToResume,
      signal: options.signal,
      progress: options.progress,
      warn: options.warn,
    };
    const { maxBad } = options;
    await trainTrm({ ...settings, engine, chat, config, lessons, stage, maxBad });
    const judge = bySteps(checkpointJudge({ engine, chat, config }), settings.steps);
    const measured = await reliability(judge, held);
    await writeFileWhole(join(out, 'reliability.json'), `${JSON.stringify(measured)}\n`);
    return { trm: (await finishedCheckpoint(out, steps))!, ...counts, steps, reliability: measured };
  } finally {
    await engine.dispose();
  }
}

/** What stands in training.json: the settings, and the input by its size. */
type Training = TrmFileSettings & { bytes: number };

async function bytesOf(file: string): Promise<number> {
  const info = await stat(file).catch((error) => {
    throw readError(error, file);
  });
  return info.size;
}

/** Refuses a folder that holds something else. */
async function claim(training: Training, { out, resume }: TrmFileOptions): Promise<void> {
  const known = join(out, 'training.json');
  if (!resume) {
    const used = await readdir(out).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw new InputError(`--out ${out}: cannot be used: ${error.message}`);
    });
    if (used.length > 0)
      throw new InputError(`--out ${out}: is used already; go on with --resume, or name another folder`);
    return;
  }
  if (!existsSync(known)) throw new InputError(`--out ${out}: holds no training to go on with`);
  const before = parseWith(
    z.record(z.string(), z.unknown()),
    parseJson(decodeUtf8(await readFile(known), known), known),
    known,
  );
  const other = Object.entries(training).find(
    ([key, value]) => JSON.stringify(before[key]) !== JSON.stringify(value),
  );
  if (other?.[0] === 'bytes')
    throw new InputError(
      `${training.file}: had ${before.bytes} bytes when this training was begun, and has ${other[1]} now; bring it back, or name another folder`,
    );
  if (other)
    throw new InputError(
      `${known}: ${other[0]}: was ${JSON.stringify(before[other[0]])}; go on with the same settings, or name another folder`,
    );
}
