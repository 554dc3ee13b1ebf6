/**
 * A JSONL file that grows row by row and survives being killed anywhere. Rows go to FILE.part, synced chunk by chunk;
 * after each chunk FILE.part.json, replaced as a whole, says how many bytes of it and how many inputs are done. Who goes
 * on cuts FILE.part back to these bytes and begins with the next input, so nothing is lost and nothing is there twice.
 * At the end FILE.part becomes FILE. The same settings give the same bytes, however often it was stopped.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { InputError, RunError } from '../errors.ts';
import { syncFolder, writeAll, writeError, writeFileWhole } from './atomic.ts';
import { decodeUtf8, type JsonlRow, jsonLine, parseJson, readError, readJsonl } from './jsonl.ts';
import { asSoleWriter } from './sole-writer.ts';
import { parseWith } from './validate.ts';

export interface ResumableOptions<C> {
  /** What the rows depend on, plain JSON: who goes on must have the same. */
  settings: Record<string, unknown>;
  /** Counts at the beginning. */
  counts: C;
  /** Replaces FILE where it exists, and drops what was begun with other settings. */
  force: boolean;
}

/** How far it is. */
export interface Done<C> {
  /** Inputs whose rows are there. */
  inputs: number;
  counts: C;
}

export interface Part<C> extends Done<C> {
  /** The rows that are there. */
  rows(): AsyncGenerator<JsonlRow>;
  /** Adds rows; they, `inputs` and `counts` are on disk together, or none of them. */
  append(rows: readonly unknown[], inputs: number, counts: C): Promise<void>;
}

const Sidecar = z.strictObject({
  format: z.literal(1),
  settings: z.record(z.string(), z.unknown()),
  bytes: z.number().int().nonnegative(),
  inputs: z.number().int().nonnegative(),
  counts: z.unknown(),
  /** All rows are there, and nothing is left to do but to give the file its name. */
  ended: z.boolean(),
});
type Sidecar = z.infer<typeof Sidecar>;

/**
 * Writes `file` with rows that `fill` appends, going on where it was stopped; where `fill` fails before the first of them,
 * nothing is left behind. Throws InputError where the file exists
 * already, was begun with other settings, or is being written by another process; RunError where writing fails.
 */
export async function writeResumable<C>(
  file: string,
  options: ResumableOptions<C>,
  fill: (part: Part<C>) => Promise<void>,
): Promise<Done<C>> {
  await mkdir(dirname(resolve(file)), { recursive: true }).catch((error) => {
    throw writeError(error, file);
  });
  return asSoleWriter(`${file}.part`, () => write(file, options, fill));
}

async function write<C>(
  file: string,
  options: ResumableOptions<C>,
  fill: (part: Part<C>) => Promise<void>,
): Promise<Done<C>> {
  const part = `${file}.part`;
  const sidecar = `${part}.json`;
  let state = await begun(file, options);
  const record = async (next: Sidecar) => {
    state = next;
    await writeFileWhole(sidecar, `${JSON.stringify(next)}\n`);
  };
  const done = () => ({ inputs: state.inputs, counts: state.counts as C });

  if (!state.ended) {
    if (state.bytes === 0) await record(state);
    const handle = await openAt(part, state.bytes);
    try {
      await fill({
        ...done(),
        rows: () => readJsonl(part),
        append: async (rows, inputs, counts) => {
          const bytes = await appendRows(handle, part, state.bytes, rows);
          await record({ ...state, bytes, inputs, counts });
        },
      });
    } catch (error) {
      if (state.inputs === 0) for (const path of [part, sidecar]) await rm(path, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    await record({ ...state, ended: true });
  }
  // a kill between the two leaves FILE whole and a sidecar that says so
  if ((await sizeOf(part)) !== null) {
    await rename(part, file).catch((error) => {
      throw writeError(error, file);
    });
    await syncFolder(dirname(resolve(file)));
  }
  await rm(sidecar, { force: true });
  return done();
}

/** The state to go on from: what the sidecar says, or nothing done. */
async function begun<C>(file: string, { settings, counts, force }: ResumableOptions<C>): Promise<Sidecar> {
  const part = `${file}.part`;
  const fresh: Sidecar = {
    format: 1,
    settings: JSON.parse(JSON.stringify(settings)),
    bytes: 0,
    inputs: 0,
    counts,
    ended: false,
  };
  const partSize = await sizeOf(part);
  const known = await readSidecar(`${part}.json`).catch((error) => {
    if (force) return null;
    throw error;
  });
  const nothingDone = known?.inputs === 0 && !known.ended;
  const other = known === null ? [] : changed(known.settings, fresh.settings);
  const fileSize = await sizeOf(file);

  const wholeAlready = known?.ended && other.length === 0 && (partSize ?? fileSize) === known.bytes;
  if (wholeAlready) return known;
  if (fileSize !== null && !force)
    throw new InputError(`${file}: exists already; name another file, or replace it with --force`);
  if (nothingDone) return fresh;
  if (known !== null && other.length === 0 && !known.ended && (partSize ?? 0) >= known.bytes) return known;
  if (!force && known !== null && other.length > 0)
    throw new InputError(
      `${part}: was begun with another ${other.join(', another ')}; go on with the same, name another file, or begin anew with --force`,
    );
  if (!force && known !== null)
    throw new InputError(`${part}: is not what ${part}.json says of it; begin anew with --force`);
  if (!force && partSize !== null)
    throw new InputError(
      `${part}: stands in the way, and nothing says how it was begun; remove it, or begin anew with --force`,
    );
  return fresh;
}

/** Settings that differ, each as `key (this one there, that one here)`. */
function changed(before: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const shown = (value: unknown) => JSON.stringify(value) ?? 'none';
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((key) => shown(before[key]) !== shown(now[key]))
    .map((key) => `${key} (${shown(before[key])} then, ${shown(now[key])} now)`);
}

async function readSidecar(file: string): Promise<Sidecar | null> {
  const bytes = await readFile(file).catch((error) => {
    if (error.code === 'ENOENT') return null;
    throw readError(error, file);
  });
  return bytes && parseWith(Sidecar, parseJson(decodeUtf8(bytes, file), file), file);
}

async function openAt(part: string, bytes: number): Promise<FileHandle> {
  try {
    const handle = await open(part, constants.O_RDWR | constants.O_CREAT);
    await handle.truncate(bytes);
    return handle;
  } catch (error) {
    throw writeError(error, part);
  }
}

/** Returns the length of the file with the rows. Throws RunError where somebody else has changed it meanwhile. */
async function appendRows(
  handle: FileHandle,
  part: string,
  from: number,
  rows: readonly unknown[],
): Promise<number> {
  const { size } = await handle.stat();
  if (size !== from)
    throw new RunError(`${part}: was changed by somebody else while it was being written; begin anew`);
  if (rows.length === 0) return from;
  const data = Buffer.from(rows.map(jsonLine).join(''));
  try {
    await writeAll(handle, data, from);
    await handle.sync();
  } catch (error) {
    throw writeError(error, part);
  }
  return from + data.length;
}

async function sizeOf(file: string): Promise<number | null> {
  const info = await stat(file).catch((error) => {
    if (error.code === 'ENOENT') return null;
    throw readError(error, file);
  });
  if (info?.isDirectory()) throw new InputError(`${file}: is a folder; name a file`);
  return info?.size ?? null;
}
