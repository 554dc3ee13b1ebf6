/**
 * The five domains of the published training data (SophiaVL-R1, arXiv 2505.17018, section 3.1: general, chart,
 * knowledge, OCR, math), by a record's `data_source`. The paper lists no names; for those that Video-R1 (arXiv
 * 2503.21776, figure 2), whose schema it shares, names the domain is the one given there, its spatial questions being
 * general here; other public collections stand where their questions belong. Names of others are given in the recipe
 * (`data.domains`) or to the commands (`--domains FILE`).
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { decodeUtf8, parseJson, readError } from '../jsonl.ts';
import { parseWith } from '../validate.ts';

export const domains = ['general', 'chart', 'knowledge', 'ocr', 'math'] as const;
export type Domain = (typeof domains)[number];

/** Names of sources, as this module spells them: letters and digits in lower case. */
const sources: Record<Domain, string> = {
  general:
    'a-okvqa iconqa sharegpt4v sharegpt4o visual7w openspaces spacellava okvqa vqav2 vqa gqa clevr tallyqa vizwiz vsr nlvr2 llava allava coco visualgenome vg refcoco raven pisc indoorqa spatialsense seeing-world',
  chart:
    'figureqa dvqa plotqa chartqa mapqa tabmwp chart2text robut-sqa robut-wtq robut-wikisql visualwebinstruct charttotext unichart infographicvqa infovqa arxivcap vistext hitab tablevqa tatqa tatdqa opencqa',
  knowledge:
    'tqa ai2d ai2d-gpt4v scienceqa pmc-vqa vqa-rad gvlqa arxivqa exams-v kvqa slake pathvqa m3cot viquae textbookqa mmmu',
  ocr: 'textvqa hme100k chromewriting chrome-writting iam rendered-text textcaps textocr stvqa ocrvqa docvqa k12-printing iiit5k sroie cord funsd latexocr im2latex visualmrc poie scenetext',
  math: 'clevr-math geos geometry3k geo3k geoqa geoqa+ geoqa-plus unigeo multimath-300k multimath super-clevr geo170k mathvision mathv360k mavis geomverse pgps9k intergps we-math polymath dynamath mm-math mmk12 gsm8k math numinamath metamathqa deepscaler mathqa openr1-math gaokao',
};

const table = new Map<string, Domain>(
  domains.flatMap((domain) =>
    sources[domain].split(' ').map((name) => [spelled(name), domain] as [string, Domain]),
  ),
);

/** `A-OKVQA`, `a_okvqa` and `AOKVQA (MC)` are one. */
function spelled(name: string): string {
  return name
    .toLowerCase()
    .replace(/\(.*?\)/g, '')
    .replace(/[^a-z0-9+]/g, '');
}

/** Names of sources, and their domains. */
export type DomainTable = Record<string, Domain>;
export const DomainTable = z.record(z.string(), z.enum(domains));

/**
 * The domain of a source; of `OWNER/NAME/split`, `NAME_train` or `SET/NAME`, that of a part which is known. `own` goes
 * first. Null where nothing is known of it.
 */
export function domainOf(source: string, own: DomainTable = {}): Domain | null {
  if (Object.hasOwn(own, source)) return own[source];
  const mine = new Map(Object.entries(own).map(([name, domain]) => [spelled(name), domain]));
  const whole = source.replace(/[\s_-](train|test|val|validation|dev)$/i, '');
  for (const name of [source, whole, ...whole.split(/[/\\:]/).reverse()]) {
    const key = spelled(name);
    const found = mine.get(key) ?? table.get(key);
    if (found !== undefined) return found;
  }
  return null;
}

/** Reads names and domains from a JSON file: {"NAME": "chart", …}. Throws InputError. */
export async function readDomains(file: string): Promise<DomainTable> {
  const bytes = await readFile(file).catch((error) => {
    throw readError(error, file);
  });
  return parseWith(DomainTable, parseJson(decodeUtf8(bytes, file), file), file);
}
