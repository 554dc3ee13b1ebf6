/** The judge a recipe names, made when a variant needs it. */
import { type Chat, loadChat } from '../data/chat/chat.ts';
import { openRecords, type Records } from '../data/records/reader.ts';
import { InputError } from '../errors.ts';
import type { Refresh } from '../train/refresh.ts';
import type { Judge } from '../trm/judge.ts';
import { type JudgeConfig, readJudgeConfig } from '../trm/judge-config.ts';
import { judgeConfigWith, openJudge } from '../trm/open-judge.ts';
import { oracleJudge } from '../trm/oracle-judge.ts';
import { heldOutQuestions } from '../trm/question.ts';
import type { FolderSettings } from '../trm/settings.ts';
import { openAnnotator, teachesOwnRecords } from './annotator.ts';
import { engineOf, judgeEngine, type SeedRun } from './context.ts';
import { makeTrm, trmConfig, trmJudge, trmTraining } from './trm-stage.ts';
import type { WorldFiles } from './world-files.ts';

/** A judge, and how it is trained on during reinforcement. */
export interface RunJudge {
  judge: Judge;
  refresh: Refresh | null;
}

/** Makes a judge for one variant, which has one of its own: a TRM that is refreshed knows its policy alone. */
export type JudgeMaker = (run: SeedRun) => Promise<RunJudge>;

/**
 * Null where no judge is wanted, or where the recipe asks for one that these records cannot have: the oracle, who
 * teaches a TRM of this run where nobody else is named, knows only questions of a world.
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
  if (judge === 'oracle') return async () => ({ judge: oracleJudge, refresh: null });
  if (judge !== 'trm') {
    if ('url' in judge || recipe.trm.refresh === null)
      return async ({ context }) => ({
        judge: await openJudge(judge, judgeEngine(recipe), { warn: (line) => context.say(line) }),
        refresh: null,
      });
    return async (link) => {
      const chat = await loadChat(judge.model);
      return runJudge(link, judge.model, chat, await refreshedConfig(judge, chat));
    };
  }

  const ofWorld = (await sources.train.get(0)).world !== undefined;
  if (!ofWorld && !teachesOwnRecords(recipe)) return null;
  let trained: Promise<string> | null = null;
  return async (link) => {
    const questions = recipe.data.train === null && world ? await openRecords(world.trm) : sources.train;
    // one TRM for all variants that ask for it
    trained ??= makeTrm(link, base, sources.chat, questions);
    return runJudge(link, await trained, sources.chat, trmConfig(recipe, sources.chat));
  };
}

/**
 * How a TRM's folder is asked that is trained on. Throws InputError where it is one that is not trained so: a judge that
 * writes its score, thinks, or scores steps.
 */
export async function refreshedConfig(judge: FolderSettings, chat: Chat): Promise<JudgeConfig> {
  const config = judgeConfigWith(judge, await readJudgeConfig(judge.model, chat));
  const wrong =
    config.reads !== 'expected'
      ? 'writes its score'
      : config.thinks
        ? 'thinks before it scores'
        : config.steps !== null
          ? 'scores steps'
          : null;
  if (wrong !== null)
    throw new InputError(
      `judge: ${judge.model} ${wrong} (its judge.json, or the recipe), and trm.refresh trains judges whose expected score of a whole response is read; leave trm.refresh out, or name a TRM that \`sophia trm train\` made`,
    );
  return config;
}

/** A TRM's folder as a judge, trained on where the recipe says so. */
async function runJudge(run: SeedRun, dir: string, chat: Chat, config: JudgeConfig): Promise<RunJudge> {
  const { refresh: settings, held_out } = run.recipe.trm;
  const trm = await engineOf(run, dir, settings === null ? 'nothing' : trmTraining(chat));
  try {
    const judge = trmJudge(trm, chat, config);
    if (settings === null) return { judge, refresh: null };
    const annotator = await openAnnotator(run, dir, chat);
    const dispose = async () => {
      await annotator.dispose();
      await judge.dispose();
    };
    const isHeldOut = heldOutQuestions(run.seed, held_out);
    return {
      judge: { ...judge, dispose },
      refresh: { trm, dir, judge, chat, config, annotator, isHeldOut, settings },
    };
  } catch (error) {
    await trm.dispose();
    throw error;
  }
}
