/**
 * A model folder written anew: weights in another dtype or other shards, a LoRA adapter merged into them, and beside
 * them the tokenizer, processor, chat template and configuration as they stand in the folder it came from.
 */
import { copyFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { baseOf, isAdapterFolder } from '../engine/local/files/adapter.ts';
import { readModelConfig } from '../engine/local/files/checkpoint.ts';
import { type Rewritten, rewriteWeights } from '../engine/local/files/rewrite.ts';
import { InputError } from '../errors.ts';
import { writeFolder } from './atomic.ts';

export const DTYPES = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const;
export type DtypeName = keyof typeof DTYPES;

export interface ExportOptions {
  /** Folder of the base model, or of adapters that name it: these are merged then. */
  model: string;
  /** Folder of a PEFT LoRA adapter; null: none. */
  adapter: string | null;
  /** A folder that does not exist yet or is empty; written whole or not at all. */
  out: string;
  /** null: every tensor keeps its dtype. */
  dtype: DtypeName | null;
  maxShardBytes: number;
  /** Told after every tensor. */
  onProgress?: (done: number, total: number) => void;
}

/** Throws InputError (model, adapter, `out` in use, numbers too large for `dtype`), RunError (disk full, not allowed). */
export async function exportModel(options: ExportOptions): Promise<Rewritten> {
  const { base, merge } = await partsOf(options);
  const { out, dtype, maxShardBytes, onProgress } = options;
  const { config } = await readModelConfig(base);
  await refuseUsed(out);
  let written: Rewritten | undefined;
  await writeFolder(out, async (folder) => {
    const rewrite = {
      adapter: merge,
      dtype: dtype ? DTYPES[dtype] : 'same',
      maxShardBytes,
      onProgress,
    } as const;
    written = await rewriteWeights(base, config, folder, rewrite);
    for (const name of await companions(base)) await copyFile(join(base, name), join(folder, name));
    if (dtype) await writeFile(join(folder, 'config.json'), await configWithDtype(base, dtype));
  });
  return written!;
}

/** What is written: a base, and the adapter to merge into it. */
async function partsOf({ model, adapter }: ExportOptions): Promise<{ base: string; merge: string | null }> {
  if (!(await isAdapterFolder(model))) return { base: model, merge: adapter };
  if (adapter === null) return { base: await baseOf(model), merge: model };
  throw new InputError(`${model}: is a folder of adapters itself; give its base model, or no other adapter`);
}

/** What else makes a model: configurations, tokenizer, template and licence; neither weights nor a card about them. */
async function companions(dir: string): Promise<string[]> {
  const names = (await readdir(dir)).filter(
    (name) =>
      (/\.(?:json|jinja|txt|model)$/.test(name) || /^(?:LICENSE|NOTICE)/i.test(name)) &&
      !/\.index\.json$|^adapter_config\.json$/.test(name),
  );
  const files = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).isFile()));
  return names.filter((_, i) => files[i]);
}

async function configWithDtype(dir: string, dtype: DtypeName): Promise<string> {
  const config = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'));
  // transformers writes `dtype` since 4.56, `torch_dtype` before; either may stand in the towers' own parts.
  for (const part of [config, config.text_config, config.vision_config])
    for (const key of ['dtype', 'torch_dtype']) if (part?.[key] !== undefined) part[key] = dtype;
  if (config.dtype === undefined) config.torch_dtype = dtype;
  return `${JSON.stringify(config, null, 2)}\n`;
}

async function refuseUsed(out: string): Promise<void> {
  const names = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new InputError(`${out}: not a folder that can be written to; give the name of a new one`);
  });
  if (names.length > 0) throw new InputError(`${out}: holds files already; give the name of a new folder`);
}
