/** What a recipe trains on: its sources, or the world's questions, mixed and filtered as it says. */
import type { Chat } from '../data/chat/chat.ts';
import { type DomainTable, readDomains } from '../data/records/domains.ts';
import { filterLine, openFilter } from '../data/records/filter.ts';
import { openRecords, type Records } from '../data/records/reader.ts';
import { openSources } from '../data/records/sources.ts';
import type { Recipe } from './recipe.ts';
import { testOptions, trainOptions } from './records.ts';

/** `world`: the world's file where the recipe names no records. `chat`: null where no model is there yet. */
export async function openTraining(
  recipe: Recipe,
  world: string | null | undefined,
  chat: Chat | null,
  say: (line: string) => void = () => {},
): Promise<Records> {
  const { data } = recipe;
  const options = trainOptions(recipe, say);
  const sources = data.train ?? world!;
  if (data.filter === null) return openSources(sources, undefined, options);
  const { total, each } = await openFilter({
    filter: data.filter,
    chat,
    template: data.template,
    domains: await domainsOf(data.domains),
  });
  const records = await openSources(sources, each, options);
  say(filterLine(total));
  return records;
}

async function domainsOf(named: string | DomainTable | null): Promise<DomainTable> {
  return typeof named === 'string' ? readDomains(named) : (named ?? {});
}

/** The tests' files where the recipe names them; without any, the training questions themselves. */
export async function openTestFiles(
  recipe: Recipe,
  world: { testId: string; testOod: string } | null,
  train: Records,
): Promise<Partial<Record<'id' | 'ood', Records>>> {
  const { data } = recipe;
  const own = data.train !== null;
  const open = (file: string | null | undefined) => (file ? openRecords(file, testOptions(recipe)) : null);
  const id =
    (await open(data.id ?? (own ? null : world!.testId))) ?? (own && data.ood === null ? train : null);
  const ood = await open(data.ood ?? (own ? null : world!.testOod));
  return { ...(id ? { id } : {}), ...(ood ? { ood } : {}) };
}
