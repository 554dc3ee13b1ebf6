/** Recipes for tests of the loop: nothing that they train has learnt anything worth reading. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** All stages of the main job in about six seconds. */
export const spark = {
  name: 'spark',
  architecture: {
    hidden: 32,
    layers: 1,
    heads: 2,
    kv_heads: 1,
    intermediate: 64,
    vision_hidden: 16,
    vision_layers: 1,
    vision_heads: 2,
    vision_intermediate: 32,
  },
  world: { pictures: 24, captions: 24, lookups: 24, listings: 24, mixed: 96, trm: 60, rl: 16, test: 12 },
  cold_start: {
    phases: [
      { steps: 4, cycle: ['captions', 'lookups'] },
      { steps: 90, cycle: ['mixed', 'mixed', 'listings'] },
    ],
    batch: { captions: 8, lookups: 8, listings: 8, mixed: 8 },
    save_every: 30,
    optimizer: { learning_rate: 0.02 },
  },
  trm: { steps: 24, batch: 8, save_every: 5, optimizer: { learning_rate: 0.01, warmup: 2 } },
  rl: { steps: 6, prompts: 4, samples: 4, save_every: 2 },
};

export function recipeFile(dir: string, recipe: object = spark): string {
  const file = join(dir, 'recipe.yaml');
  writeFileSync(file, stringify(recipe));
  return file;
}
