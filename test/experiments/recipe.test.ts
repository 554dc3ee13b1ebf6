import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Recipe } from '../../src/experiments/recipe.ts';
import { checkRecipe, readRecipe, recipeYaml } from '../../src/experiments/recipe-file.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const defaults = checkRecipe({}, 'defaults');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-recipe-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const written = (text: string): string => {
  const file = join(folder, 'recipe.yaml');
  writeFileSync(file, text);
  return file;
};
const set = (...settings: string[]): Promise<Recipe> => readRecipe(null, settings);

describe('the recipes of the repository', () => {
  it('quickstart.yaml says every default, and nothing else', async () => {
    expect(await readRecipe(join(root, 'recipes/quickstart.yaml'), [])).toEqual(defaults);
    const keys = (value: unknown): unknown =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, keys(inner)]))
        : null;
    const { parse } = await import('yaml');
    const read = parse(readFileSync(join(root, 'recipes/quickstart.yaml'), 'utf8'));
    expect(keys(read)).toEqual(keys(defaults));
  });

  it("qwen2.5-vl.yaml has the paper's settings and asks for the response format", async () => {
    const recipe = await readRecipe(join(root, 'recipes/qwen2.5-vl.yaml'), []);
    expect(recipe.model).toBe('models/Qwen2.5-VL-7B-Instruct');
    expect(recipe.rl).toMatchObject({ steps: 1500, samples: 8, alpha: 0.3, kl_beta: 0.04, scaling: 'paper' });
    expect(recipe.rl.optimizer).toMatchObject({ learning_rate: 5e-7, schedule: 'constant' });
    expect(recipe.judge).toMatchObject({ model: expect.any(String) });
    for (const tag of ['<think>', '</think>', '<answer>', '</answer>', '{options}'])
      expect(recipe.data.template).toContain(tag);
  });

  it('tiny.yaml is the quickstart with smaller numbers', async () => {
    const recipe = await readRecipe(join(root, 'recipes/tiny.yaml'), []);
    expect(recipe.rl.steps).toBeLessThan(defaults.rl.steps);
    expect(recipe.architecture).toEqual(defaults.architecture);
  });
});

describe('a recipe', () => {
  it('is read back to the same from what it is written as', async () => {
    const recipe = await set(
      'judge={model: here}',
      'data.template="{problem} | {options}\\n"',
      'seeds=[3,1]',
    );
    expect(await readRecipe(written(recipeYaml(recipe)), [])).toEqual(recipe);
  });

  it('without a key has its default, an empty file has them all', async () => {
    expect(await readRecipe(written(''), [])).toEqual(defaults);
    const some = await readRecipe(written('rl: { steps: 3 }'), []);
    expect(some).toEqual({ ...defaults, rl: { ...defaults.rl, steps: 3 } });
  });

  it('takes --set over the file, values read as YAML', async () => {
    const file = written('rl: { steps: 3, samples: 4 }\nmodel: elsewhere');
    const recipe = await readRecipe(file, ['rl.steps=5', 'model=null', 'rl.optimizer.betas=[0.5, 0.6]']);
    expect(recipe.rl).toMatchObject({ steps: 5, samples: 4 });
    expect(recipe.model).toBeNull();
    expect(recipe.rl.optimizer.betas).toEqual([0.5, 0.6]);
  });

  it('with some of `lora` has the rest of it by default; without, none', async () => {
    expect(defaults.lora).toBeNull();
    const lora = { rank: 16, alpha: 32, targets: '.*\\.language_model\\..*_proj' };
    expect((await set('lora={}')).lora).toEqual(lora);
    expect((await set('lora.rank=4', 'lora.targets=[q_proj, v_proj]')).lora).toEqual({
      ...lora,
      rank: 4,
      targets: ['q_proj', 'v_proj'],
    });
    const adapted = await set('lora={alpha: 8}');
    expect(await readRecipe(written(recipeYaml(adapted)), [])).toEqual(adapted);
  });

  it('takes the last --set of a key, and values that hold an equals sign', async () => {
    expect((await set('name=a', 'name=b')).name).toBe('b');
    expect((await set('data.template="{problem} x=y"')).data.template).toBe('{problem} x=y');
  });
});

describe('a wrong recipe is one line that names the file or flag and the key', () => {
  it.each([
    ['an unknown key', 'rl: { step: 3 }', /: rl\.step: unknown key; did you mean rl\.steps\?$/],
    ['an unknown key at the top', 'baseline: []', /: baseline: unknown key; did you mean baselines\?$/],
    ['a key like no other', 'rl: { zzz: 1 }', /: rl\.zzz: unknown key; known keys here: steps, prompts, /],
    [
      'an unknown key in a phase',
      'cold_start: { phases: [{ steps: 1, cycle: [mixed], x: 1 }] }',
      /phases\.0\.x: un/,
    ],
    ['text for a number', 'rl: { steps: ten }', /: rl\.steps: must be number, received string$/],
    ['a number for a section', 'rl: 3', /: rl: must be object, received number$/],
    ['half a step', 'rl: { steps: 1.5 }', /: rl\.steps: must be int, received number$/],
    ['no steps', 'rl: { steps: 0 }', /: rl\.steps: Too small/],
    ['not a number', 'rl: { alpha: .nan }', /: rl\.alpha: must be number, received NaN$/],
    [
      'an unknown key of lora',
      'lora: { r: 4 }',
      /: lora\.r: unknown key; known keys here: rank, alpha, targets$/,
    ],
    ['a switch for lora', 'lora: true', /: lora: must be object, received boolean$/],
    ['no rank', 'lora: { rank: 0 }', /: lora\.rank: Too small/],
    [
      'a number for targets',
      'lora: { targets: 3 }',
      /: lora\.targets: must be a list of endings of module na/,
    ],
    ['no targets', 'lora: { targets: [] }', /: lora\.targets: names no module$/],
    ['an unknown variant', 'variant: dapo', /: variant: .*"trust-grpo"\|"grpo"\|"reference"$/],
    [
      'an unknown kind of lesson',
      'cold_start: { phases: [{ steps: 1, cycle: [songs] }] }',
      /cycle\.0: .*"captions"/,
    ],
    ['one beta', 'rl: { optimizer: { betas: [0.9] } }', /: rl\.optimizer\.betas: /],
    ['no seed', 'seeds: []', /: seeds: needs at least one seed$/],
    ['a seed twice', 'seeds: [1, 2, 1]', /: seeds: names a seed twice$/],
    [
      'a judge nobody knows',
      'judge: jury',
      /: judge: must be trm, oracle, none, \{model: DIR\}, or \{url: ADDRESS, model: NAME\}$/,
    ],
    [
      'a judge without a prompt',
      'judge: { model: x, template: hi }',
      /: judge\.template: must hold \{problem\}/,
    ],
    [
      'sources of which some have a weight',
      'data: { train: [{ path: a.jsonl, weight: 2 }, { path: b.jsonl }] }',
      /: data\.train: give every source a weight, or none/,
    ],
    [
      'sources of another form',
      'data: { train: [{ file: a.jsonl }] }',
      /: data\.train: must be a path, or a list of/,
    ],
    [
      'a misspelt filter',
      'data: { filter: { max_promt_tokens: 3 } }',
      /did you mean data\.filter\.max_prompt_tokens\?/,
    ],
    ['an unknown domain', 'data: { domains: { mine: maths } }', /: data\.domains/],
    ['a template without the question', 'data: { template: hi }', /: data\.template: must hold \{problem\}/],
    ['heads that do not divide', 'architecture: { heads: 5 }', /: architecture: heads must divide hidden/],
    ['a name that is a path', 'name: a/b', /: name: may hold letters, digits, dots, dashes and underscores$/],
    ['a list', '- 1', /: must hold keys and values, as docs\/recipes\.md says$/],
    ['a bare word', 'quickstart', /: must hold keys and values/],
    ['broken YAML', 'rl: [1', /: not valid YAML: .* line 1, column 7$/],
    ['a key twice', 'name: a\nname: b', /: not valid YAML: Map keys must be unique/],
    ['an alias to nothing', 'name: *a', /: not valid YAML: Unresolved alias/],
  ])('%s', async (_what, text, line) => {
    const file = written(text);
    const failure = await readRecipe(file, []).catch((error) => error);
    expect(failure.name).toBe('InputError');
    expect(failure.message.startsWith(`${file}: `)).toBe(true);
    expect(failure.message).not.toContain('\n');
    expect(failure.message).toMatch(line);
  });

  it.each([
    ['no value', 'rl.steps', /^--set rl\.steps: must be KEY=VALUE, for example rl\.steps=30$/],
    ['no key', '=3', /^--set =3: must be KEY=VALUE/],
    ['a gap in the key', 'rl..steps=3', /^--set rl\.\.steps=3: not a key$/],
    ["the language's own key", '__proto__.x=1', /^--set __proto__\.x=1: not a key$/],
    ['broken YAML', 'rl.steps=[', /^--set rl\.steps: not valid YAML: /],
    ['an unknown key', 'rl.stepz=3', /^recipe: rl\.stepz: unknown key; did you mean rl\.steps\?$/],
    ['a wrong type', 'rl.steps=ten', /^recipe: rl\.steps: must be number, received string$/],
  ])('--set with %s', async (_what, setting, line) => {
    const failure = await set(setting).catch((error) => error);
    expect(failure.name).toBe('InputError');
    expect(failure.message).toMatch(line);
  });

  it('a file that is not there, and a folder', async () => {
    await expect(readRecipe('nowhere.yaml', [])).rejects.toThrow(
      /^nowhere\.yaml: no such recipe; name a YAML file$/,
    );
    await expect(readRecipe(folder, [])).rejects.toThrow(/: is a folder; name a YAML file$/);
  });
});
