/** Opens all that a recipe names, so that what is wrong with it is said before the first hour of training and not after. */
import { loadChat } from '../data/chat.ts';
import { openRecords } from '../data/reader.ts';
import { scoreTokens } from '../trm/checkpoint-judge.ts';
import { oracleJudge } from '../trm/oracle-judge.ts';
import { engineOf } from './context.ts';
import type { Recipe } from './recipe.ts';

/** Throws InputError: a record file, picture, model or judge that cannot be used. */
export async function checkInputs(recipe: Recipe): Promise<void> {
  const { model, judge, data } = recipe;
  for (const file of [data.train, data.id, data.ood]) if (file !== null) await openRecords(file);
  if (judge === 'oracle' && data.train !== null) {
    const record = await (await openRecords(data.train)).get(0);
    await oracleJudge.score([{ record, response: '' }]);
  }
  if (model !== null) await checkModel(recipe, model);
  if (typeof judge === 'object') {
    await checkModel(recipe, judge.model);
    scoreTokens(await loadChat(judge.model));
  }
}

async function checkModel(recipe: Recipe, dir: string): Promise<void> {
  const engine = await engineOf(recipe, dir, false);
  await engine.dispose();
  await loadChat(dir);
}
