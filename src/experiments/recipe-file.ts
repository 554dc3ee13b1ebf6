/** Recipes as files: YAML and `key=value` settings in, one line that names file and key where something is wrong. */
import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import type { z } from 'zod';
import { checkTemplate } from '../data/chat/prompting.ts';
import { InputError } from '../errors.ts';
import { checkCuration } from '../trm/curate.ts';
import { checkJudgeTemplate } from '../trm/prompt.ts';
import { Recipe } from './recipe.ts';

/** Reads a recipe file (none: all defaults) and applies `key=value` settings. Throws InputError naming file and key. */
export async function readRecipe(file: string | null, settings: readonly string[]): Promise<Recipe> {
  let value: unknown = {};
  if (file !== null) {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        ENOENT: 'no such recipe; name a YAML file',
        EISDIR: 'is a folder; name a YAML file',
      };
      throw new InputError(`${file}: ${reasons[error.code ?? ''] ?? error.message}`);
    });
    value = parseYaml(text, file) ?? {};
  }
  const source = file ?? 'recipe';
  if (typeof value !== 'object' || Array.isArray(value))
    throw new InputError(`${source}: must hold keys and values, as docs/recipes.md says`);
  for (const setting of settings) applySetting(value as Record<string, unknown>, setting);
  await readTemplates(value as Record<string, unknown>, source);
  return checkRecipe(value, source);
}

const TEMPLATES = ['data.template', 'trm.template', 'trm.annotator.template', 'judge.template'];

/** Puts the text of a file in the place of `template: {file: PATH}`, so that a resolved recipe needs no other file. */
async function readTemplates(recipe: Record<string, unknown>, source: string): Promise<void> {
  for (const key of TEMPLATES) {
    const path = key.split('.');
    const holder = path
      .slice(0, -1)
      .reduce<unknown>((at, part) => (at as Json | null)?.[part], recipe) as Json;
    const file = (holder?.template as Json | null)?.file;
    if (typeof file !== 'string') continue;
    const text = await readFile(file, 'utf8').catch((error: Error) => {
      throw new InputError(`${source}: ${key}: cannot read ${file}: ${error.message}`);
    });
    holder.template = text.replace(/\r?\n$/, '');
  }
}

type Json = Record<string, unknown>;

function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, { logLevel: 'error' });
  } catch (error) {
    throw new InputError(
      `${file}: not valid YAML: ${(error as Error).message.split('\n')[0].replace(/:$/, '')}`,
    );
  }
}

/** `--set rl.steps=30`: the value is read as YAML. */
function applySetting(recipe: Record<string, unknown>, setting: string): void {
  const equals = setting.indexOf('=');
  if (equals < 1) throw new InputError(`--set ${setting}: must be KEY=VALUE, for example rl.steps=30`);
  const path = setting.slice(0, equals).split('.');
  if (path.some((part) => part === '' || part === '__proto__'))
    throw new InputError(`--set ${setting}: not a key`);
  let at = recipe;
  for (const part of path.slice(0, -1)) {
    if (typeof at[part] !== 'object' || at[part] === null || Array.isArray(at[part])) at[part] = {};
    at = at[part] as Record<string, unknown>;
  }
  at[path[path.length - 1]] = parseYaml(setting.slice(equals + 1), `--set ${setting.slice(0, equals)}`);
}

/** Validates a recipe. Throws InputError `SOURCE: key: …` in one line. */
export function checkRecipe(value: unknown, source: string): Recipe {
  const result = Recipe.safeParse(value);
  if (!result.success) throw new InputError(`${source}: ${complaint(result.error.issues[0])}`);
  const recipe = result.data;
  checkTemplate(recipe.data.template, `${source}: data.template`);
  const templates = {
    'trm.template': recipe.trm.template,
    'trm.annotator.template': typeof recipe.trm.annotator === 'object' ? recipe.trm.annotator.template : null,
    'judge.template': typeof recipe.judge === 'object' ? recipe.judge.template : null,
  };
  for (const [key, template] of Object.entries(templates))
    if (template !== null) checkJudgeTemplate(template, `${source}: ${key}`);
  at(source, () => checkCuration(recipe.trm.curate, (key) => `trm.curate.${key}`));
  const refreshed = recipe.trm.refresh !== null;
  if (refreshed && (typeof recipe.judge === 'object' ? 'url' in recipe.judge : recipe.judge !== 'trm'))
    throw new InputError(
      `${source}: trm.refresh: trains the judge on, which must be trm or {model: DIR}; leave it out with this judge`,
    );
  if (refreshed && recipe.trm.by_step !== null)
    throw new InputError(
      `${source}: trm.refresh: trains on whole responses; leave it out, or leave out trm.by_step`,
    );
  const { hidden, heads, kv_heads, vision_hidden, vision_heads } = recipe.architecture;
  const fits =
    hidden % heads === 0 &&
    heads % kv_heads === 0 &&
    (hidden / heads) % 8 === 0 &&
    vision_hidden % (4 * vision_heads) === 0;
  if (!fits)
    throw new InputError(
      `${source}: architecture: heads must divide hidden into multiples of 8, kv_heads must divide heads, and 4·vision_heads must divide vision_hidden`,
    );
  if (recipe.rl.aggregation === 'dr_grpo' && recipe.rl.max_tokens < 1)
    throw new InputError(`${source}: rl.max_tokens: must be positive`);
  return recipe;
}

/** Puts where it comes from before a complaint. */
function at(source: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${source}: ${error.message}`) : error;
  }
}

function complaint(issue: z.core.$ZodIssue): string {
  const key = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const where = issue.path.length > 0 ? `${key}.` : '';
    const known = keysAt(issue.path);
    const near = nearest(issue.keys[0], known);
    return `${where}${issue.keys[0]}: unknown key; ${near ? `did you mean ${where}${near}?` : `known keys here: ${known.join(', ')}`}`;
  }
  return `${key}: ${issue.message.replace(/^Invalid \w+: expected /, 'must be ')}`;
}

/** Keys the schema knows at a path. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let at: unknown = Recipe.parse({ data: { filter: {} }, lora: {}, trm: { refresh: {}, by_step: {} } });
  for (const part of path) at = (at as Record<PropertyKey, unknown>)?.[part];
  return typeof at === 'object' && at !== null ? Object.keys(at) : [];
}

/** The known key that shares most letter pairs with a misspelt one, if it shares many. */
function nearest(key: string, known: readonly string[]): string | null {
  const pairs = (word: string) =>
    new Set(Array.from({ length: word.length + 1 }, (_, i) => ` ${word} `.slice(i, i + 2)));
  const mine = pairs(key);
  const scored = known.map((name) => {
    const theirs = pairs(name);
    const common = [...mine].filter((p) => theirs.has(p)).length;
    return { name, likeness: (2 * common) / (mine.size + theirs.size) };
  });
  const best = scored.sort((a, b) => b.likeness - a.likeness)[0];
  return best && best.likeness >= 0.5 ? best.name : null;
}

/** The recipe as YAML that `readRecipe` reads back to the same. */
export function recipeYaml(recipe: Recipe): string {
  return stringify(recipe);
}
