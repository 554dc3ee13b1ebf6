/** The documents say what the program does: every recipe key with its default, every word of the oracle. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkRecipe } from '../../src/experiments/recipe-file.ts';
import { variants } from '../../src/trust/variants.ts';
import { oracle, questionRecord, TEMPLATES, VERDICTS } from '../../src/worlds/seeing/index.ts';

const page = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8');

/** Rows of a page's tables, cell by cell, each with the heads above it. */
function tableRows(text: string): { heads: string[]; cells: string[] }[] {
  const rows: { heads: string[]; cells: string[] }[] = [];
  let heads: string[] | null = null;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      heads = null;
      continue;
    }
    const cells = line
      .replaceAll('\\|', '\u0000')
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll('\u0000', '|').trim());
    if (heads === null) heads = cells;
    else if (!/^-+$/.test(cells[0])) rows.push({ heads, cells });
  }
  return rows;
}

const code = (cell: string) => /^`(.*)`$/.exec(cell)?.[1] ?? null;

/** Every key of a recipe with its value as the page writes it; lists are values. */
function flat(value: object, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, inner]): [string, string][] =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? flat(inner, `${prefix}${key}.`)
      : [[`${prefix}${key}`, typeof inner === 'string' ? inner : JSON.stringify(inner)]],
  );
}

/** The page's defaults. Optimizers have one row a key and one column a stage. */
function documentedDefaults(): [string, string][] {
  return tableRows(page('recipes.md')).flatMap(({ heads, cells }): [string, string][] => {
    const key = code(cells[0]);
    if (heads[0] !== 'key' || key === null) return [];
    if (heads[1] === 'default') return [[key, code(cells[1]) ?? '']];
    return heads.flatMap((head, i): [string, string][] =>
      ['cold_start', 'trm', 'trm.refresh', 'rl'].includes(head)
        ? [[`${head}.${key}`, code(cells[i]) ?? '']]
        : [],
    );
  });
}

describe('docs/recipes.md', () => {
  const asNumber = (text: string) => (text !== '' && Number.isFinite(Number(text)) ? Number(text) : text);
  const table = (pairs: [string, string][]) =>
    Object.fromEntries(pairs.map(([key, value]) => [key, asNumber(value)]).sort());

  it('has every key of a recipe, no other, each once, with its default', () => {
    const documented = documentedDefaults();
    expect(new Set(documented.map(([key]) => key)).size).toBe(documented.length);
    // what is null by default has keys of its own where it is not
    const nulls = ['data.filter', 'lora', 'trm.refresh', 'trm.by_step'];
    const parts = [
      { data: { filter: {} } },
      { lora: {} },
      { trm: { refresh: {} } },
      { trm: { by_step: {} } },
    ];
    const keys = new Map(parts.flatMap((part) => flat(checkRecipe(part, 'defaults'))));
    for (const key of nulls) keys.set(key, 'null');
    expect(table(documented)).toEqual(table([...keys]));
  });

  it('gives every key a meaning', () => {
    for (const { heads, cells } of tableRows(page('recipes.md')))
      if (heads[0] === 'key') expect(cells[heads.indexOf('meaning')]).toMatch(/\w/);
  });

  it('names every variant', () => {
    const named = tableRows(page('recipes.md')).flatMap(({ cells }) => code(cells[0]) ?? []);
    expect(named).toEqual(expect.arrayContaining(Object.keys(variants)));
  });
});

describe('docs/world.md', () => {
  const first = tableRows(page('world.md')).map(({ cells }) => cells[0]);

  it('names every kind of question, every verdict and every part of the world that a recipe draws', () => {
    expect(first).toEqual(expect.arrayContaining([...TEMPLATES]));
    const named = first.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map((match) => match[1]));
    const { pictures: _, ...kinds } = checkRecipe({}, 'defaults').world;
    expect(named).toEqual(expect.arrayContaining([...VERDICTS, ...Object.keys(kinds)]));
  });

  it("scores a sound response 1 and the note's 0.2 on three cells, right or wrong", () => {
    const { world, process, solution } = questionRecord({
      seed: 0,
      split: 'train',
      index: 0,
      template: 'count',
    });
    const answer = solution.replace(/<\/?answer>/g, '');
    const respond = (think: string, said: string) => `<think>${think}</think><answer>${said}</answer>`;
    expect(oracle(world!, respond(process, answer)).score).toBe(1);
    for (const said of ['0', '1', '2', '3'])
      expect(oracle(world!, respond(`note says ${said} so ${said}`, said)).score).toBeCloseTo(0.2, 12);
  });
});
