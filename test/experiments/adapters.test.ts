/** What a recipe trains: all parameters, or adapters. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadChat } from '../../src/data/chat/chat.ts';
import { InputError } from '../../src/errors.ts';
import { parametersOf, parametersSaid, policyOf } from '../../src/experiments/adapters.ts';
import type { Recipe } from '../../src/experiments/recipe.ts';
import { readRecipe } from '../../src/experiments/recipe-file.ts';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import { trmTraining } from '../../src/experiments/trm-stage.ts';
import { hubModel, smallest, writeLoraCheckpoint } from '../cli/sophia.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-adapters-'));
  await writeStartModel(join(folder, 'world'), smallest, 0);
  writeLoraCheckpoint(join(folder, 'lora'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const recipe = (...settings: string[]): Promise<Recipe> => readRecipe(null, settings);
const parameters = async (...settings: string[]) => parametersOf(await policyOf(await recipe(...settings)));

describe('a recipe trains', () => {
  it('all parameters by default', async () => {
    const { all, trained } = await parameters();
    expect([all, trained]).toEqual([666_144, 666_144]);
    expect(parametersSaid({ all, trained })).toBe('666,144 parameters, all trained');
  });

  it('with lora, rank · (inputs + outputs) for each linear layer of the language model', async () => {
    // hidden 96, intermediate 256, keys and values 48 wide, 4 layers
    const widths = [96 + 96, 96 + 48, 96 + 48, 96 + 96, 96 + 256, 96 + 256, 256 + 96];
    const trained = 4 * 16 * widths.reduce((a, b) => a + b, 0);
    const said = await parameters('lora={}');
    expect(said).toEqual({ all: 666_144 + trained, trained });
    expect(parametersSaid(said)).toBe('776,736 parameters, 110,592 of them trained (LoRA)');
  });

  it('the adapters of the folder that it starts from', async () => {
    // 3 layers of rank 4
    const { all, trained } = await parameters(`model=${join(folder, 'lora')}`);
    const whole = await parameters(`model=${hubModel}`);
    expect(all).toBe(whole.all + trained);
    expect(trained).toBe((await parameters(`model=${hubModel}`, 'lora.rank=4')).trained);
  });

  it.each([
    ['no layer', ['lora.targets=[query]'], /^lora\.targets: .* names no module of this model/],
    [
      'the embedding',
      ['lora.targets=[embed_tokens]'],
      /^lora\.targets: .*the embedding, which cannot be adapted/,
    ],
    ['the tied head', ['lora.targets=[lm_head]'], /^lora\.targets: .*lm_head.*tie_word_embeddings/],
  ])('%s: refused, with the key', async (_what, settings, line) => {
    const refusal = parameters(...settings);
    await expect(refusal).rejects.toThrow(InputError);
    await expect(refusal).rejects.toThrow(line);
  });

  it('new adapters beside those of a folder: refused', async () => {
    await expect(parameters(`model=${join(folder, 'lora')}`, 'lora={}')).rejects.toThrow(
      /^lora: .*lora holds adapters already; leave lora out to train these on, or merge them first: npx sophia export/,
    );
  });
});

it("a TRM is trained whole where a score is a word of its own, as in a world's vocabulary", async () => {
  expect(trmTraining(await loadChat(join(folder, 'world')))).toBe('everything');
  expect(trmTraining(await loadChat(hubModel))).toBe('by recipe');
});
