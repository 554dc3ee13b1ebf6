/** The judge a recipe names, made when a variant needs it. */

import { type Chat, loadChat } from '../data/chat.ts';
import type { Records } from '../data/reader.ts';
import { openRecords } from '../data/reader.ts';
import { checkpointJudge } from '../trm/checkpoint-judge.ts';
import type { Judge } from '../trm/judge.ts';
import { oracleJudge } from '../trm/oracle-judge.ts';
import { engineOf, type SeedRun } from './context.ts';
import { judgeOf, trainTrm } from './trm-stage.ts';
import type { WorldFiles } from './world-files.ts';

/** Makes a judge for one variant; dispose frees its engine. */
export type JudgeMaker = (run: SeedRun) => Promise<{ judge: Judge; dispose: () => Promise<void> }>;

/**
 * Null where no judge is wanted, or where the recipe asks for one that these records cannot have: a TRM of this run is
 * taught by the oracle, which knows only questions of a world.
 */
export async function judgeMaker(
  run: SeedRun,
  base: string,
  sources: { chat: Chat; train: Records },
  world: WorldFiles | null,
): Promise<JudgeMaker | null> {
  const { recipe } = run;
  const { judge } = recipe;
  if (judge === 'none') return null;
  if (judge === 'oracle') return async () => ({ judge: oracleJudge, dispose: async () => {} });
  if (judge !== 'trm') return (link) => folderJudge(link, judge.model, judge.template);

  const ofWorld = (await sources.train.get(0)).world !== undefined;
  if (!ofWorld) return null;
  let trained: Promise<string> | null = null;
  return async (link) => {
    const questions = recipe.data.train === null && world ? await openRecords(world.trm) : sources.train;
    // one TRM for all variants that ask for it
    trained ??= trainTrm(link, base, sources.chat, questions);
    const engine = await engineOf(link, await trained, 'nothing');
    return { judge: judgeOf(link, engine, sources.chat), dispose: () => engine.dispose() };
  };
}

async function folderJudge(run: SeedRun, dir: string, template: string): ReturnType<JudgeMaker> {
  const engine = await engineOf(run, dir, 'nothing');
  try {
    const judge = checkpointJudge({
      engine,
      chat: await loadChat(dir),
      template,
      questionTemplate: run.recipe.data.template,
    });
    return { judge, dispose: () => engine.dispose() };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}
