/** Opens all that a recipe names, so that what is wrong with it is said before the first hour of training and not after. */
import { loadChat } from '../data/chat.ts';
import { openRecords } from '../data/reader.ts';
import { asksForThinking } from '../train/trust-grpo.ts';
import { scoreTokens } from '../trm/checkpoint-judge.ts';
import { oracleJudge } from '../trm/oracle-judge.ts';
import { engineOf } from './context.ts';
import type { Recipe } from './recipe.ts';

/** Throws InputError: a record file, picture, model or judge that cannot be used. */
export async function checkInputs(recipe: Recipe): Promise<void> {
  const { model, judge, data } = recipe;
  for (const file of [data.train, data.id, data.ood]) if (file !== null) await openRecords(file);
  const first = data.train === null ? null : await (await openRecords(data.train)).get(0);
  if (judge === 'oracle' && first) await oracleJudge.score([{ record: first, response: '' }]);
  if (model !== null) await checkModel(recipe, model);
  if (typeof judge === 'object') {
    await checkModel(recipe, judge.model);
    scoreTokens(await loadChat(judge.model));
  }
  const wanted = [recipe.variant, ...recipe.baselines].some(asksForThinking);
  const ofWorld = first === null || first.world !== undefined;
  // the TRM of this run starts from the policy and speaks its vocabulary
  if (judge === 'trm' && model !== null && wanted && ofWorld) scoreTokens(await loadChat(model));
}

async function checkModel(recipe: Recipe, dir: string): Promise<void> {
  const engine = await engineOf(recipe, dir, false);
  await engine.dispose();
  await loadChat(dir);
}
