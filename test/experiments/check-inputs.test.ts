/** What is refused before a run begins. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkInputs } from '../../src/experiments/check-inputs.ts';
import { Recipe } from '../../src/experiments/recipe.ts';
import { published7B } from '../models/published.ts';

it('a model whose update would not fit into any laptop is refused with advice, before its weights are read', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'large-'));
  try {
    const text = { ...published7B, num_hidden_layers: 1000 };
    writeFileSync(join(dir, 'config.json'), JSON.stringify(text));
    writeFileSync(join(dir, 'preprocessor_config.json'), '{}');
    await expect(checkInputs(Recipe.parse({ model: dir }))).rejects.toThrow(
      /^model: training .*large-\w+ takes about [\d.]+ GiB of memory, but [\d.]+ of this machine's [\d.]+ GiB are free; use a smaller model, shorter sequences or a machine with more memory$/,
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});
