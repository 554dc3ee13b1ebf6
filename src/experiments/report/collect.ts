/**
 * Reads a run folder (docs/architecture.md) into what a report is made of. A run that is not finished gives what it has:
 * a stage or an evaluation that is not there is left out, a file that is there but damaged is an InputError.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { basename, join, resolve } from 'node:path';
import sharp from 'sharp';
import { parse } from 'yaml';
import { z } from 'zod';
import { decodeUtf8, parseJson, readJsonl } from '../../data/jsonl.ts';
import { absoluteAddress, isPictureUrl } from '../../data/pictures/address.ts';
import { cachedPicture } from '../../data/pictures/cache.ts';
import { decodePicture, encodePng, readPicture } from '../../data/pictures/images.ts';
import {
  listRollouts,
  metricsFile,
  readRlMetrics,
  readRollouts,
  readScores,
  readSftMetrics,
} from '../../data/run-files.ts';
import type { RlMetrics, Scores, SftMetrics } from '../../data/run-folder.ts';
import { parseWith } from '../../data/validate.ts';
import type { Picture as DecodedPicture } from '../../engine/types.ts';
import { InputError } from '../../errors.ts';
import { isStart, type ResultRow, type Split } from '../results.ts';
import { chooseExamples, type VariantRollouts } from './choose.ts';
import type { Agreement, Example, Picture, Reliability, ReportInput } from './input.ts';

export interface CollectOptions {
  title?: string;
  /** ISO 8601; now by default. */
  created?: string;
  /** What the two evaluation splits are, as a sentence each. */
  splits?: ReportInput['splits'];
}

/** Throws InputError where a file of the folder cannot be read. */
export async function collectReport(runDir: string, options: CollectOptions = {}): Promise<ReportInput> {
  const recipe = await readRecipe(runDir);
  const seeds = await seedFolders(runDir, recipe);
  const folders = await Promise.all(seeds.map(readSeed));
  const variants = order(folders.flatMap((folder) => folder.rl.map((run) => run.variant)));
  const named = order(folders.flatMap((folder) => folder.evaluated.map((each) => each.variant)));
  const results: ResultRow[] = named.map((variant) => ({
    variant,
    seeds: folders.flatMap((folder) =>
      folder.evaluated
        .filter((each) => each.variant === variant)
        .map(({ id, ood }) => ({ seed: folder.seed, id, ood })),
    ),
  }));
  return {
    title: options.title ?? text(recipe.title) ?? text(recipe.name) ?? basename(resolve(runDir)),
    created: options.created ?? new Date().toISOString(),
    machine: machine(),
    seeds: seeds.map((seed) => seed.seed),
    recipe: flat(recipe),
    results,
    splits: options.splits,
    runs: variants.flatMap((variant) =>
      folders.flatMap(({ seed, rl }) =>
        rl.filter((run) => run.variant === variant).map(({ metrics }) => ({ variant, seed, metrics })),
      ),
    ),
    coldStart: supervised(folders, 'cold-start'),
    trm: supervised(folders, 'trm'),
    reliability: folders.flatMap((folder) => folder.reliability ?? []),
    examples: await examples(folders[0], variants),
    timings: folders.flatMap((folder) => folder.timings),
  };
}

interface SeedFolder {
  seed: number;
  dir: string;
}

interface SeedContents extends SeedFolder {
  rl: { variant: string; stage: string; metrics: RlMetrics[] }[];
  sft: { stage: string; metrics: SftMetrics[] }[];
  evaluated: { variant: string; id: Scores | null; ood: Scores | null }[];
  reliability: Reliability | null;
  timings: ReportInput['timings'];
}

async function seedFolders(runDir: string, recipe: Record<string, unknown>): Promise<SeedFolder[]> {
  const names = await readdir(runDir).catch(() => {
    throw new InputError(`${runDir}: not a run folder; name a folder that \`sophia train\` wrote`);
  });
  const seeds = names
    .flatMap((name) => /^seed-(\d+)$/.exec(name)?.[1] ?? [])
    .map((seed) => ({ seed: Number(seed), dir: join(runDir, `seed-${seed}`) }))
    .sort((a, b) => a.seed - b.seed);
  return seeds.length > 0 ? seeds : [{ seed: onlySeed(recipe), dir: runDir }];
}

function onlySeed({ seeds }: Record<string, unknown>): number {
  return Array.isArray(seeds) && typeof seeds[0] === 'number' ? seeds[0] : 0;
}

// Folders beside the stages that are none.
const NO_STAGES = ['data', 'checkpoints', 'rollouts', 'eval'];

async function readSeed({ seed, dir }: SeedFolder): Promise<SeedContents> {
  const contents: SeedContents = {
    seed,
    dir,
    rl: [],
    sft: [],
    evaluated: [],
    reliability: null,
    timings: [],
  };
  const entries = await readdir(dir, { withFileTypes: true });
  const stages = entries.filter(
    (entry) => entry.isDirectory() && !NO_STAGES.includes(entry.name) && !entry.name.startsWith('.'),
  );
  for (const stage of [...stages.map((entry) => join(dir, entry.name)).sort(), dir]) {
    let variant = stage === dir ? 'trained' : basename(stage);
    if (existsSync(metricsFile(stage))) {
      if (await isRl(stage)) {
        const metrics = await readRlMetrics(stage);
        variant = metrics[0]?.variant ?? variant;
        contents.rl.push({ variant, stage, metrics });
      } else contents.sft.push({ stage: variant, metrics: await readSftMetrics(stage) });
    }
    const [id, ood] = [await split(stage, 'id'), await split(stage, 'ood')];
    if (id || ood) contents.evaluated.push({ variant, id, ood });
  }
  contents.reliability = await readReliability(join(dir, 'trm', 'reliability.json'), seed);
  contents.timings = await timings(contents);
  return contents;
}

async function isRl(stage: string): Promise<boolean> {
  for await (const { value } of readJsonl(metricsFile(stage)))
    return typeof value === 'object' && value !== null && 'variant' in value;
  return false;
}

/** A split by the world's name (`test-id`) or the plain one (`id`); any single other split counts as in-distribution. */
async function split(stage: string, wanted: Split): Promise<Scores | null> {
  const names = await readdir(join(stage, 'eval')).catch(() => [] as string[]);
  const there = names.filter((name) => existsSync(join(stage, 'eval', name, 'scores.json')));
  const shifted = (name: string) => /(^|[-_])ood$/.test(name);
  const name =
    there.find((each) => each === wanted || each === `test-${wanted}`) ??
    (wanted === 'ood'
      ? there.find(shifted)
      : there.filter((each) => !shifted(each)).length === 1
        ? there.find((each) => !shifted(each))
        : undefined);
  return name === undefined ? null : readScores(stage, name);
}

const AgreementFile = z.looseObject({
  spearman: z.number().nullable(),
  auc_sound: z.number().nullable(),
  mae: z.number().nullable(),
  n: z.number(),
});
const ReliabilityFile = AgreementFile.extend({ on_trained_policy: AgreementFile.nullish() });

async function readReliability(file: string, seed: number): Promise<Reliability | null> {
  if (!existsSync(file)) return null;
  const { on_trained_policy: later, ...held } = parseWith(ReliabilityFile, await readJson(file), file);
  const figures = ({ spearman, auc_sound, mae, n }: Agreement): Agreement => ({
    spearman,
    auc_sound,
    mae,
    n,
  });
  return { seed, ...figures(held), on_trained_policy: later ? figures(later) : null };
}

const TimingsFile = z.array(z.object({ stage: z.string(), seconds: z.number() }));

/** `timings.json` of the pipeline if it is there; otherwise what the stages' own steps add up to. */
async function timings(contents: SeedContents): Promise<ReportInput['timings']> {
  const { seed, dir, sft, rl } = contents;
  const file = join(dir, 'timings.json');
  if (existsSync(file))
    return parseWith(TimingsFile, await readJson(file), file).map((each) => ({ ...each, seed }));
  const total = (metrics: readonly { time: { total_s: number } }[]) =>
    metrics.reduce((sum, m) => sum + m.time.total_s, 0);
  return [
    ...sft.map(({ stage, metrics }) => ({ stage, seed, seconds: total(metrics) })),
    ...rl.map(({ variant, metrics }) => ({ stage: variant, seed, seconds: total(metrics) })),
  ];
}

async function readJson(file: string): Promise<unknown> {
  return parseJson(decodeUtf8(await readFile(file), file), file);
}

function supervised(
  folders: readonly SeedContents[],
  stage: string,
): { seed: number; metrics: SftMetrics[] }[] {
  return folders.flatMap(({ seed, sft }) =>
    sft.filter((each) => each.stage === stage).map(({ metrics }) => ({ seed, metrics })),
  );
}

/** The cold start first, then outcome-only GRPO, then the others as they come. */
function order(variants: readonly string[]): string[] {
  const rank = (variant: string) => (isStart(variant) ? 0 : variant === 'grpo' ? 1 : 2);
  return [...new Set(variants)].sort((a, b) => rank(a) - rank(b));
}

// Long runs have more rollouts than a report needs to look through.
const STEPS_READ = 60;

async function examples(folder: SeedContents, variants: readonly string[]): Promise<Example[]> {
  const rollouts: VariantRollouts[] = [];
  for (const variant of variants) {
    const run = folder.rl.find((each) => each.variant === variant);
    if (!run) continue;
    const steps = await listRollouts(run.stage);
    const third = STEPS_READ / 3;
    const middle = Math.floor(steps.length / 2);
    const read =
      steps.length <= STEPS_READ
        ? steps
        : [...steps.slice(0, third), ...steps.slice(middle, middle + third), ...steps.slice(-third)];
    const groups = [];
    for (const step of read) groups.push(...(await readRollouts(run.stage, step)));
    rollouts.push({ variant, seed: folder.seed, groups });
  }
  const chosen = chooseExamples(rollouts);
  return Promise.all(
    chosen.map(async (example) => ({ ...example, picture: await embedded(folder.dir, example.group.path) })),
  );
}

/** A picture that is still there; a URL's only if it was fetched before: a report asks nobody. */
async function readable(address: string): Promise<DecodedPicture | null> {
  try {
    if (!isPictureUrl(address)) return await readPicture(address);
    const bytes = await cachedPicture(address);
    return bytes && (await decodePicture(bytes, address));
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

/** Small pictures as they are (PNG), large ones shrunk; null for text or where the file has gone. */
async function embedded(dir: string, path: string | null): Promise<Picture | null> {
  const shown = path === null ? null : await readable(absoluteAddress(dir, path));
  if (shown === null) return null;
  const { width, height, rgb } = shown;
  if (Math.max(width, height) <= 128) {
    const png = await encodePng(rgb, width, height, { compressionLevel: 9 });
    return { url: `data:image/png;base64,${png.toString('base64')}`, width, height };
  }
  const { data, info } = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize(512, 512, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 80 })
    .toBuffer({ resolveWithObject: true });
  return { url: `data:image/webp;base64,${data.toString('base64')}`, width: info.width, height: info.height };
}

async function readRecipe(runDir: string): Promise<Record<string, unknown>> {
  const file = join(runDir, 'recipe.yaml');
  if (!existsSync(file)) return {};
  try {
    const value: unknown = parse(decodeUtf8(await readFile(file), file));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch (error) {
    throw new InputError(`${file}: ${(error as Error).message.split('\n')[0]}`);
  }
}

function flat(value: unknown, key = ''): { key: string; value: string }[] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).flatMap(([name, inner]) =>
      flat(inner, key === '' ? name : `${key}.${name}`),
    );
  return [{ key, value: typeof value === 'string' ? value : JSON.stringify(value) }];
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function machine(): string {
  const cores = cpus();
  const model = cores[0]?.model.replace(/\s+/g, ' ').trim() ?? '';
  return `${cores.length} × ${model || 'processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB memory, Node ${process.versions.node}`;
}
