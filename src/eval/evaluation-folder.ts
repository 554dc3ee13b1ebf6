/**
 * The folder of an evaluation that can be gone on with: settings.json says, from the first moment, what is being asked of
 * whom; responses.jsonl grows beside it. What is made of the responses is written at the end, each file whole.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeError, writeFileWhole } from '../data/atomic.ts';
import { decodeUtf8, parseJson, readError } from '../data/jsonl.ts';
import { parseWith } from '../data/validate.ts';
import { InputError } from '../errors.ts';

/** All that responses depend on, plain JSON. */
export type Settings = Record<string, unknown>;

const Kept = z.object({ format: z.literal(1), settings: z.record(z.string(), z.unknown()) });

export const responsesFile = (dir: string) => join(dir, 'responses.jsonl');
const settingsFile = (dir: string) => join(dir, 'settings.json');

/** Whether a folder is free, holds an evaluation with these settings, or something else, and what differs. */
export async function standing(
  dir: string,
  settings: Settings,
): Promise<'free' | 'same' | { other: string }> {
  const names: string[] = await readdir(dir).catch((error) => {
    if (error.code === 'ENOENT') return [];
    throw new InputError(`${dir}: is used already; name another folder or remove it`);
  });
  if (names.length === 0) return 'free';
  if (!names.includes('settings.json')) return { other: 'is used already; name another folder or remove it' };
  const file = settingsFile(dir);
  const bytes = await readFile(file).catch((error) => {
    throw readError(error, file);
  });
  const kept = parseWith(Kept, parseJson(decodeUtf8(bytes, file), file), file).settings;
  const now = JSON.parse(JSON.stringify(settings)) as Settings;
  const keys = [...new Set([...Object.keys(kept), ...Object.keys(now)])];
  const shown = (value: unknown) => JSON.stringify(value) ?? 'none';
  const other = keys
    .filter((key) => shown(kept[key]) !== shown(now[key]))
    .map((key) => `${key} (${shown(kept[key])} then, ${shown(now[key])} now)`);
  if (other.length === 0) return 'same';
  return {
    other: `was begun with another ${other.join(', another ')}; go on with the same, or name another folder`,
  };
}

/** The first of DIR, DIR-2, DIR-3 … that is free or holds an evaluation with these settings. */
export async function ownFolder(dir: string, settings: Settings): Promise<string> {
  for (let i = 1; ; i++) {
    const path = i === 1 ? dir : `${dir}-${i}`;
    if (typeof (await standing(path, settings)) === 'string') return path;
  }
}

/** Throws InputError where the folder is another's: nothing in it is touched. */
export async function checkFolder(dir: string, settings: Settings): Promise<void> {
  const found = await standing(dir, settings);
  if (typeof found !== 'string') throw new InputError(`${dir}: ${found.other}`);
}

/** Runs `fill` in the folder; where it fails before there is any response, nothing is left behind. */
export async function inFolder<T>(dir: string, settings: Settings, fill: () => Promise<T>): Promise<T> {
  await mkdir(dir, { recursive: true }).catch((error) => {
    throw writeError(error, dir);
  });
  await writeFileWhole(settingsFile(dir), `${JSON.stringify({ format: 1, settings }, null, 2)}\n`);
  try {
    return await fill();
  } catch (error) {
    const names = await readdir(dir).catch(() => ['?']);
    if (names.every((name) => name === 'settings.json')) await rm(dir, { recursive: true, force: true });
    throw error;
  }
}
