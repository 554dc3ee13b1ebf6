/** Opens all that a recipe names, so that what is wrong with it is said before the first hour of training and not after. */
import { loadChat } from '../data/chat/chat.ts';
import { openRecords } from '../data/records/reader.ts';
import { nameOf } from '../data/records/sources.ts';
import { requireTraining } from '../engine/local/compute/memory.ts';
import { providerOf } from '../engine/local/provider.ts';
import { InputError } from '../errors.ts';
import { asksForThinking } from '../train/trust-grpo.ts';
import { scoreTokens } from '../trm/checkpoint-judge.ts';
import { openJudge } from '../trm/open-judge.ts';
import { oracleJudge } from '../trm/oracle-judge.ts';
import { type Policy, policyOf } from './adapters.ts';
import { teachesOwnRecords } from './annotator.ts';
import { engineOf, judgeEngine } from './context.ts';
import { refreshedConfig } from './judges.ts';
import type { Recipe } from './recipe.ts';
import { testOptions } from './records.ts';
import { openTraining } from './training-data.ts';

/** Throws InputError: a record file, picture, model, adapters or judge that cannot be used. */
export async function checkInputs(recipe: Recipe): Promise<void> {
  const { model, judge, data } = recipe;
  for (const file of [data.id, data.ood]) if (file !== null) await openRecords(file, testOptions(recipe));
  const { provider } = recipe.engine;
  await providerOf(`engine.provider: ${provider}`, provider);
  // lengths in tokens are looked at when the run begins: the model is checked further below
  const first = data.train === null ? null : await (await openTraining(recipe, null, null)).get(0);
  if (judge === 'oracle' && first) await oracleJudge.score([{ record: first, response: '' }]);
  if (first !== null && first.world === undefined && model === null) {
    throw new InputError(
      `data.train: ${nameOf(data.train!)} holds records of your own, and the small model made from nothing knows only the world's words; set model=DIR, a Qwen2.5-VL folder`,
    );
  }
  const policy = await policyOf(recipe);
  if (model !== null) {
    checkMemory(recipe, model, policy);
    await checkModel(recipe, model);
  }
  const { annotator } = recipe.trm;
  for (const settings of [judge, ...(judge === 'trm' || recipe.trm.refresh ? [annotator] : [])])
    if (typeof settings === 'object') await (await openJudge(settings, judgeEngine(recipe))).dispose();
  if (recipe.trm.refresh && typeof judge === 'object' && !('url' in judge))
    await refreshedConfig(judge, await loadChat(judge.model));
  if (recipe.trm.refresh && annotator === 'oracle' && first)
    await oracleJudge.score([{ record: first, response: '' }]);
  const wanted = [recipe.variant, ...recipe.baselines].some(asksForThinking);
  const taught = teachesOwnRecords(recipe) || first === null || first.world !== undefined;
  // the TRM of this run starts from the policy and speaks its vocabulary
  if (judge === 'trm' && model !== null && wanted && taught) scoreTokens(await loadChat(model));
}

/** Prompts of a few pictures and pages of text take about so many tokens. */
const A_PROMPT = 1024;

/** Throws InputError, with advice, where an update of the model does not fit into this machine's memory. */
function checkMemory(recipe: Recipe, model: string, { config, learning }: Policy): void {
  const tokens = recipe.engine.token_budget;
  const longest = Math.min(tokens, A_PROMPT + recipe.rl.max_tokens);
  const work = { tokens, longest, scored: Math.ceil(tokens / 2) };
  requireTraining(`model: training ${model}`, config, work, learning, 'layer inputs');
}

async function checkModel(recipe: Recipe, dir: string): Promise<void> {
  const engine = await engineOf({ recipe, seed: 0 }, dir, 'nothing');
  await engine.dispose();
  await loadChat(dir);
}
