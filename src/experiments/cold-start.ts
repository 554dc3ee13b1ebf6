/** The cold start: a model made from nothing learns to see, to look up, and to reason in every style, sound and flawed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Chat, loadChat } from '../data/chat/chat.ts';
import { recordCompletion, recordPrompt } from '../data/chat/prompting.ts';
import { itemOrder } from '../data/records/order.ts';
import { openRecords } from '../data/records/reader.ts';
import { type BatchSource, trainSft } from '../train/sft.ts';
import { finishedCheckpoint, stepsDone } from '../train/stage.ts';
import { engineOf, type SeedRun, stageOf } from './context.ts';
import { writeStartModel } from './start-model.ts';
import type { WorldFiles } from './world-files.ts';

/** Trains it unless that has been done; returns the checkpoint's folder. */
export async function coldStart(run: SeedRun, world: WorldFiles): Promise<string> {
  const { recipe, seed, context } = run;
  const { phases, batch, optimizer, save_every } = recipe.cold_start;
  const dir = join(run.dir, 'cold-start');
  const steps = phases.reduce((sum, phase) => sum + phase.steps, 0);
  const done = await finishedCheckpoint(dir, steps);
  if (done) return done;

  const start = join(run.dir, 'start');
  if (!existsSync(start)) await writeStartModel(start, recipe.architecture, seed);
  const chat = await loadChat(start);
  const kinds = [...new Set(phases.flatMap((phase) => phase.cycle))];
  const sources: Record<string, BatchSource> = {};
  for (const kind of kinds)
    sources[kind] = await recordBatches(world[kind], batch[kind], seed, chat, recipe.data.template);
  const engine = await engineOf(run, start, 'everything', true);
  const stage = stageOf(run, 'cold-start', dir, steps, save_every, 1, start);
  try {
    context.reporter.start(stage.label, steps, await stepsDone(dir));
    await trainSft({ engine, sources, phases, optimizer, stage });
    context.reporter.finish(stage.label, `${engine.capabilities.parameters} parameters`);
  } finally {
    await engine.dispose();
  }
  return (await finishedCheckpoint(dir, steps))!;
}

/** Batches of a record file in seeded order. */
async function recordBatches(
  file: string,
  size: number,
  seed: number,
  chat: Chat,
  template: string,
): Promise<BatchSource> {
  const records = await openRecords(file);
  const item = itemOrder(records, seed);
  return (k) =>
    Promise.all(
      Array.from({ length: size }, async (_, i) => {
        const record = await records.get(item(k * size + i));
        return {
          prompt: await recordPrompt(chat, record, template),
          ...recordCompletion(chat.tokenizer, record),
        };
      }),
    );
}
