/** The judge a recipe names, made when a variant needs it. */

import type { Chat } from '../data/chat.ts';
import type { Records } from '../data/reader.ts';
import { openRecords } from '../data/reader.ts';
import type { Judge } from '../trm/judge.ts';
import { openJudge } from '../trm/open-judge.ts';
import { oracleJudge } from '../trm/oracle-judge.ts';
import { engineOf, judgeEngine, type SeedRun } from './context.ts';
import { judgeOf, trainTrm } from './trm-stage.ts';
import type { WorldFiles } from './world-files.ts';

/** Makes a judge for one variant. */
export type JudgeMaker = (run: SeedRun) => Promise<Judge>;

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
  if (judge === 'oracle') return async () => oracleJudge;
  if (judge !== 'trm') return () => openJudge(judge, judgeEngine(recipe));

  const ofWorld = (await sources.train.get(0)).world !== undefined;
  if (!ofWorld) return null;
  let trained: Promise<string> | null = null;
  return async (link) => {
    const questions = recipe.data.train === null && world ? await openRecords(world.trm) : sources.train;
    // one TRM for all variants that ask for it
    trained ??= trainTrm(link, base, sources.chat, questions);
    return judgeOf(link, await engineOf(link, await trained, 'nothing'), sources.chat);
  };
}
