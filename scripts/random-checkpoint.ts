/**
 * Writes a Qwen2.5-VL folder with random weights, as large as the published ones, without holding it in memory:
 *
 *   npx tsx scripts/random-checkpoint.ts --like qwen2.5-vl-3b --dtype bfloat16 --out DIR
 *
 * For measuring what a machine can do with a model of that size. config.json, preprocessor_config.json and the layout of
 * the files are the hub's; the tokenizer is that of `--tokenizer DIR` (by default the small one of the tests) and so are
 * the ids of the special tokens. Deviations are those of `initialise.ts`; the numbers are not: a hash of the counter
 * picks one of 65,536 quantiles, which takes a few nanoseconds.
 */
import { constants } from 'node:fs';
import { copyFile, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { configOf, SHAPES } from '../bench/shapes.ts';
import { loadTokenizer, type Tokenizer } from '../src/data/chat/tokenizer.ts';
import { InputError, RunError } from '../src/errors.ts';
import { checkpointIndex, planShards } from '../src/models/checkpoint-index.ts';
import { narrow } from '../src/models/narrow.ts';
import { configJson, parseConfig, type Qwen25VlConfig } from '../src/models/qwen2-5-vl/config.ts';
import { type FirstDraw, firstDraw } from '../src/models/qwen2-5-vl/initialise.ts';
import { type Parameter, parameters } from '../src/models/qwen2-5-vl/parameters.ts';
import { elements, encodeHeader } from '../src/models/safetensors.ts';
import { FLOAT_BYTES, type FloatDtype } from '../src/models/widen.ts';
import { published3B, published7B } from '../test/models/published.ts';
import { normalQuantile, tensorKeys, word } from './quantiles.ts';

const TINY = fileURLToPath(new URL('../test/fixtures/qwen2_5_vl_tiny/model', import.meta.url));
const LIKE: Record<string, (least: number) => object> = {
  'qwen2.5-vl-3b': () => published3B,
  'qwen2.5-vl-7b': () => published7B,
  ...Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => [
      name.toLowerCase(),
      (least: number) => {
        const { text, ...rest } = configOf(shape);
        return configJson({ ...rest, text: { ...text, vocabulary: Math.max(text.vocabulary, least) } });
      },
    ]),
  ),
};
const DTYPES: Record<string, FloatDtype> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' };
/** Of preprocessor_config.json, as published with these models. */
const PROCESSOR = {
  min_pixels: 3136,
  max_pixels: 12845056,
  patch_size: 14,
  temporal_patch_size: 2,
  merge_size: 2,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  image_processor_type: 'Qwen2VLImageProcessor',
  processor_class: 'Qwen2_5_VLProcessor',
};
const COPIED = [
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'special_tokens_map.json',
];
const PIECE = 2 ** 22;

interface Options {
  like: string;
  dtype: string;
  out: string;
  seed: number;
  maxShard: number;
  tokenizer: string;
}

async function writeCheckpoint(options: Options): Promise<void> {
  const { out, seed, dtype, tokenizer: from } = options;
  const tokenizer = await loadTokenizer(from);
  const ids = specialIds(tokenizer);
  const json = { ...LIKE[options.like](tokenizer.size), ...ids, torch_dtype: dtype };
  const config = parseConfig(JSON.stringify(json), options.like);
  await mkdir(out, { recursive: true });
  const writeJson = (name: string, value: unknown) =>
    writeFile(join(out, name), `${JSON.stringify(value, null, 2)}\n`);
  await writeJson('config.json', json);
  await writeJson('preprocessor_config.json', PROCESSOR);
  await writeJson('generation_config.json', {
    bos_token_id: ids.bos_token_id,
    pad_token_id: ids.bos_token_id,
    do_sample: true,
    eos_token_id: [ids.eos_token_id, ids.bos_token_id],
    repetition_penalty: 1.05,
    temperature: 0.000001,
  });
  for (const name of COPIED)
    await copyFile(join(from, name), join(out, name), constants.COPYFILE_FICLONE).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });

  const stored = DTYPES[dtype];
  const tensors = parameters(config).map((p) => ({ ...p, bytes: elements(p.shape) * FLOAT_BYTES[stored] }));
  const shards = planShards(tensors, options.maxShard);
  if (shards.size > 1) await writeJson('model.safetensors.index.json', checkpointIndex(shards));
  for (const [file, held] of shards) await writeShard(join(out, file), held, stored, config, seed);
}

/** Ids of the special tokens as config.json names them. */
function specialIds(tokenizer: Tokenizer) {
  const pad = tokenizer.find('<|endoftext|>') ?? tokenizer.pad;
  return {
    bos_token_id: pad,
    eos_token_id: tokenizer.endOfTurn.id,
    vision_start_token_id: tokenizer.id('<|vision_start|>'),
    vision_end_token_id: tokenizer.id('<|vision_end|>'),
    vision_token_id: tokenizer.find('<|vision_pad|>') ?? undefined,
    image_token_id: tokenizer.id('<|image_pad|>'),
    video_token_id: tokenizer.find('<|video_pad|>') ?? undefined,
  };
}

async function writeShard(
  file: string,
  held: Parameter[],
  dtype: FloatDtype,
  config: Qwen25VlConfig,
  seed: number,
): Promise<void> {
  const sorted = held.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const handle = await open(file, 'w');
  const tables = new Map<string, Uint16Array | Uint32Array>();
  const bytes = FLOAT_BYTES[dtype];
  // one is written while the other is filled
  const pieces = [0, 1].map(() => (bytes === 2 ? new Uint16Array(PIECE) : new Uint32Array(PIECE)));
  const write = async (chunk: Uint8Array | Uint16Array | Uint32Array) => {
    const { bytesWritten } = await handle.write(chunk);
    if (bytesWritten < chunk.byteLength) throw new RunError(`${file}: cannot be written: the disk is full`);
  };
  let written = write(encodeHeader(sorted.map(({ name, shape }) => ({ name, shape, dtype }))));
  try {
    for (const parameter of sorted) {
      const draw = firstDraw(parameter, config);
      const key = `${draw.from} ${draw.scale}`;
      const table = tables.get(key) ?? quantiles(draw, dtype);
      tables.set(key, table);
      const count = elements(parameter.shape);
      for (let at = 0; at < count; at += PIECE) {
        const piece = pieces[0].subarray(0, Math.min(PIECE, count - at));
        fill(piece, at, table, tensorKeys(seed, parameter.name));
        await written;
        written = write(piece);
        pieces.reverse();
      }
    }
    await written;
  } finally {
    await handle.close();
  }
}

/** Numbers `at`, `at` + 1 … of a tensor (`at` even): each word of the hash picks two. */
function fill(
  piece: Uint16Array | Uint32Array,
  at: number,
  table: Uint16Array | Uint32Array,
  [key0, key1]: [number, number],
): void {
  const from = at / 2;
  for (let i = 0; i < piece.length; i += 2) {
    const drawn = word((from + (i >>> 1)) | 0, key0, key1);
    piece[i] = table[drawn & 0xffff];
    piece[i + 1] = table[drawn >>> 16];
  }
}

/** 65,536 numbers, all as likely, in the bits of the dtype. */
function quantiles({ from, scale }: FirstDraw, dtype: FloatDtype): Uint16Array | Uint32Array {
  const values = Float32Array.from({ length: 65536 }, (_, i) => {
    const p = (i + 0.5) / 65536;
    return scale * (from === 'constant' ? 1 : from === 'uniform' ? 2 * p - 1 : normalQuantile(p));
  });
  return narrow(dtype, values);
}

function bytesOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMG]?)B?$/i.exec(text);
  if (!match) throw new InvalidArgumentError('a size such as 4GB');
  return Number(match[1]) * { '': 1, K: 1e3, M: 1e6, G: 1e9 }[match[2].toUpperCase() as '' | 'K' | 'M' | 'G'];
}

function seedOf(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new InvalidArgumentError('an integer of 0 or more');
  return Number(text);
}

const command = new Command('random-checkpoint')
  .description('write a randomly initialised Qwen2.5-VL folder')
  .addOption(new Option('--like <name>', 'whose sizes').choices(Object.keys(LIKE)).makeOptionMandatory())
  .addOption(new Option('--dtype <dtype>').choices(Object.keys(DTYPES)).default('bfloat16'))
  .requiredOption('--out <dir>', 'where to')
  .option('--seed <n>', 'of the weights', seedOf, 0)
  .option('--max-shard <size>', 'largest file', bytesOf, 4e9)
  .option('--tokenizer <dir>', 'whose tokenizer, chat template and special ids', TINY);

const options = command.parse().opts<Options>();
const started = performance.now();
try {
  await writeCheckpoint(options);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(`${options.out}: written in ${seconds} s, ${peak} MiB of memory at most`);
} catch (error) {
  if (!(error instanceof InputError || error instanceof RunError)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof InputError ? 2 : 1;
}
