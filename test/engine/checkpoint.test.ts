/** Model folders read and written by the local engine. */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalModel, newModel } from '../../src/engine/local/compute/model.ts';
import { view } from '../../src/engine/local/compute/store.ts';
import {
  readModelConfig,
  readOptimizer,
  readWeights,
  writeModel,
  writeOptimizer,
} from '../../src/engine/local/files/checkpoint.ts';
import { RunError } from '../../src/errors.ts';
import { narrow } from '../../src/models/narrow.ts';
import { normals } from '../../src/models/random.ts';
import { encodeFloats, encodeHeader, type FloatTensor } from '../../src/models/safetensors.ts';
import { expectRefused } from './folders.ts';
import { cpu, GOLDEN_MODEL, goldenModel } from './golden-cases.ts';

let root: string;
let golden: LocalModel;
let folders = 0;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'checkpoint-'));
  golden = await goldenModel({ trainable: true });
});
afterAll(() => rmSync(root, { recursive: true }));

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const norm = 'model.norm.weight';

/** A copy of the golden model folder that a test may spoil. */
function copy(): string {
  const dir = join(root, String(folders++));
  cpSync(GOLDEN_MODEL, dir, { recursive: true });
  return dir;
}

async function load(dir: string): Promise<LocalModel> {
  const { config, processor } = await readModelConfig(dir);
  const model = newModel(config, processor, { ...cpu, trainable: true });
  await readWeights(dir, config, model.store);
  return model;
}

/** The golden parameters by name, each number (the `i`th of its tensor) changed. */
function tensors(change = (value: number, _i: number) => value): Map<string, FloatTensor> {
  const { store } = golden;
  return new Map(
    store.parameters.map(({ name, shape }) => [
      name,
      { shape, data: view(store, store.weights, name).map(change) },
    ]),
  );
}

function writeTensors(file: string, of: Map<string, FloatTensor>): void {
  writeFileSync(file, Buffer.concat([...encodeFloats(of)]));
}

function writeHalves(file: string, of: Map<string, FloatTensor>, dtype: 'F16' | 'BF16'): void {
  const header = encodeHeader([...of].map(([name, { shape }]) => ({ name, dtype, shape })));
  const halves = [...of.values()].map(({ data }) => Buffer.from(narrow(dtype, data).buffer));
  writeFileSync(file, Buffer.concat([header, ...halves]));
}

/** A copy whose weights stand in two files with an index. */
function sharded(
  change: (map: Record<string, string>, shards: Map<string, FloatTensor>[]) => void = () => {},
) {
  const dir = copy();
  const all = [...tensors()];
  const half = all.length >> 1;
  const shards = [new Map(all.slice(0, half)), new Map(all.slice(half))];
  const map = Object.fromEntries(all.map(([name], i) => [name, SHARDS[i < half ? 0 : 1]]));
  change(map, shards);
  shards.forEach((shard, i) => {
    writeTensors(join(dir, SHARDS[i]), shard);
  });
  writeFileSync(join(dir, INDEX), JSON.stringify({ metadata: {}, weight_map: map }));
  unlinkSync(join(dir, WEIGHTS));
  return dir;
}

const bits = (of: Float32Array) => Buffer.from(of.buffer, of.byteOffset, of.byteLength).toString('base64');
const expectSameBits = (a: Float32Array, b: Float32Array) => expect(bits(a) === bits(b)).toBe(true);

describe('a folder is read', () => {
  it('in shards with an index', async () => {
    expectSameBits((await load(sharded())).store.weights, golden.store.weights);
  });

  it('from the one file where an index stands beside it, as transformers does', async () => {
    const dir = sharded();
    const all = tensors();
    all.get(norm)!.data.fill(3);
    writeTensors(join(dir, WEIGHTS), all);
    const { store } = await load(dir);
    expect(new Set(view(store, store.weights, norm))).toEqual(new Set([3]));
  });

  it('in bfloat16, widened exactly', async () => {
    const dir = copy();
    writeHalves(join(dir, WEIGHTS), tensors(), 'BF16');
    const { weights } = (await load(dir)).store;
    expect(new Uint32Array(weights.slice().buffer).every((b) => (b & 0xffff) === 0)).toBe(true);
    const off = weights.map((w, i) => Math.abs(w - golden.store.weights[i]));
    expect(off.every((d, i) => d <= Math.abs(golden.store.weights[i]) / 256)).toBe(true);
    expect(off.some((d) => d > 0)).toBe(true);
  });

  it('in float16, subnormal numbers too', async () => {
    const dir = copy();
    const subnormal = tensors((value, i) => (i % 3 === 0 ? -(2 ** -24) : value));
    writeHalves(join(dir, WEIGHTS), subnormal, 'F16');
    const { weights } = (await load(dir)).store;
    let at = 0;
    for (const { data } of tensors().values())
      for (const [i, value] of data.entries()) {
        const got = weights[at++];
        // between powers of two float16 has 2¹⁰ steps, below 2⁻¹⁴ steps of 2⁻²⁴
        const want = i % 3 === 0 ? -(2 ** -24) : value;
        if (!(Math.abs(got - want) <= Math.max(Math.abs(want) * 2 ** -11, 2 ** -25)))
          expect.fail(`number ${at - 1}: ${got} instead of ${want}`);
      }
    expect(at).toBe(weights.length);
  });

  it('with tensors larger than what is read at once', async () => {
    const { text, ...rest } = golden.config;
    const config = { ...rest, text: { ...text, vocabulary: 40_000 } };
    const large = newModel(config, golden.processor, cpu);
    const halves = Uint16Array.from({ length: large.store.weights.length }, (_, i) => 0x3c00 + (i % 0x300));
    large.store.weights.set(new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer));
    const dir = join(root, 'large');
    await writeModel(dir, config, large.processor, large.store);
    expectSameBits((await load(dir)).store.weights, large.store.weights);

    const named = large.store.parameters.map(({ name, shape }): [string, FloatTensor] => [
      name,
      { shape, data: large.store.weights.slice(...large.store.ranges.get(name)!) },
    ]);
    writeHalves(join(dir, WEIGHTS), new Map(named), 'BF16');
    expectSameBits((await load(dir)).store.weights, large.store.weights);
  });

  it('with a head of its own that config.json says is the embedding: the embedding is taken', async () => {
    const dir = copy();
    const file = join(dir, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...config, tie_word_embeddings: true }));
    const { store } = await load(dir);
    expect(store.ranges.has('lm_head.weight')).toBe(false);
    const embedding = 'model.embed_tokens.weight';
    expectSameBits(view(store, store.weights, embedding), tensors().get(embedding)!.data);
  });

  it("under transformers 5's own names", async () => {
    const dir = copy();
    const renamed = [...tensors()].map(([name, tensor]): [string, FloatTensor] => [
      name.replace(/^visual\./, 'model.visual.').replace(/^model\.(?!visual)/, 'model.language_model.'),
      tensor,
    ]);
    writeTensors(join(dir, WEIGHTS), new Map(renamed));
    expectSameBits((await load(dir)).store.weights, golden.store.weights);
  });
});

describe('what was written is read back bit for bit', () => {
  it('weights, configuration and processor', async () => {
    const dir = join(root, 'written');
    await writeModel(dir, golden.config, golden.processor, golden.store);
    const back = await load(dir);
    expectSameBits(back.store.weights, golden.store.weights);
    expect(back.config).toEqual(golden.config);
    expect(back.processor).toEqual(golden.processor);
  });

  it('in shards with an index where they exceed the size of a file, and the one file that was there is gone', async () => {
    const dir = copy();
    const most = 500_000;
    await writeModel(dir, golden.config, golden.processor, golden.store, { maxShardBytes: most });
    const files = readdirSync(dir).filter((name) => name.endsWith('.safetensors'));
    const count = String(files.length).padStart(5, '0');
    expect(files.length).toBeGreaterThan(3);
    expect(files).toEqual(
      files.map((_, i) => `model-${String(i + 1).padStart(5, '0')}-of-${count}.safetensors`),
    );
    for (const file of files) expect(statSync(join(dir, file)).size).toBeLessThan(most + 10_000);
    const { metadata, weight_map } = JSON.parse(readFileSync(join(dir, INDEX), 'utf8'));
    expect(metadata).toEqual({ total_size: golden.store.weights.byteLength });
    expect(Object.keys(weight_map)).toEqual([...tensors().keys()].sort());
    expectSameBits((await load(dir)).store.weights, golden.store.weights);

    await writeModel(dir, golden.config, golden.processor, golden.store);
    expect(readdirSync(dir)).not.toContain(INDEX);
  });

  it('the optimizer', async () => {
    const { store } = await goldenModel({ trainable: true });
    store.firstMoment.set(normals(1, 'first', store.weights.length));
    store.secondMoment.set(normals(1, 'second', store.weights.length));
    store.steps = 123;
    const dir = join(root, 'optimizer');
    await writeOptimizer(dir, store);
    const back = await goldenModel({ trainable: true });
    await readOptimizer(dir, back.store);
    expectSameBits(back.store.firstMoment, store.firstMoment);
    expectSameBits(back.store.secondMoment, store.secondMoment);
    expect(back.store.steps).toBe(123);
  });
});

describe('one line says what is wrong with a folder', () => {
  const json = (file: string, change: (of: Record<string, unknown>) => void) => (dir: string) => {
    const path = join(dir, file);
    const of = JSON.parse(readFileSync(path, 'utf8'));
    change(of);
    writeFileSync(path, JSON.stringify(of));
  };
  const spoilTensors = (change: (of: Map<string, FloatTensor>) => void) => (dir: string) => {
    const of = tensors();
    change(of);
    writeTensors(join(dir, WEIGHTS), of);
  };

  it.each<[string, (dir: string) => void, string, string]>([
    [
      'that is not there',
      (dir) => rmSync(dir, { recursive: true }),
      'config.json',
      'not found; give a Hugging Face model folder',
    ],
    [
      'of another architecture',
      json('config.json', (of) => {
        of.model_type = 'llama';
        of.architectures = ['LlamaForCausalLM'];
      }),
      'config.json',
      'architectures: LlamaForCausalLM is not supported',
    ],
    [
      'without a processor',
      (dir) => unlinkSync(join(dir, 'preprocessor_config.json')),
      'preprocessor_config.json',
      'not found; copy it',
    ],
    [
      'whose processor cuts other patches',
      json('preprocessor_config.json', (of) => {
        of.patch_size = 16;
      }),
      'preprocessor_config.json',
      'patch_size is 16, but config.json says 14',
    ],
    ['without weights', (dir) => unlinkSync(join(dir, WEIGHTS)), WEIGHTS, 'not found'],
    [
      'that lacks a tensor',
      spoilTensors((of) => of.delete(norm)),
      WEIGHTS,
      `lacks the tensor "${norm}" of shape [64]`,
    ],
    [
      'with a tensor of the wrong shape',
      spoilTensors((of) => of.set(norm, { shape: [65], data: new Float32Array(65) })),
      WEIGHTS,
      `"${norm}" has the shape [65], but config.json asks for [64]`,
    ],
    ['that was cut off', (dir) => truncateSync(join(dir, WEIGHTS), 1_000_000), WEIGHTS, 'damaged or cut off'],
    [
      'with infinity for a weight',
      spoilTensors((of) => of.get(norm)!.data.set([Number.NEGATIVE_INFINITY], 63)),
      WEIGHTS,
      `the tensor ${norm} holds NaN or infinity`,
    ],
    [
      'with float16 infinity for a weight',
      (dir) =>
        writeHalves(
          join(dir, WEIGHTS),
          tensors((_, i) => (i === 5 ? Infinity : 0)),
          'F16',
        ),
      WEIGHTS,
      'holds NaN or infinity',
    ],
    [
      'with bfloat16 NaN for a weight',
      (dir) => {
        const lowest = -(2 ** 128 - 2 ** 120);
        writeHalves(
          join(dir, WEIGHTS),
          tensors((_, i) => (i === 5 ? Number.NaN : lowest)),
          'BF16',
        );
      },
      WEIGHTS,
      'holds NaN or infinity',
    ],
    ['that is empty', (dir) => truncateSync(join(dir, WEIGHTS), 0), WEIGHTS, '0 bytes are too few'],
    [
      'with integers for weights',
      (dir) => {
        const path = join(dir, WEIGHTS);
        const text = readFileSync(path, 'latin1').replace('"dtype":"F32"', '"dtype":"I32"');
        writeFileSync(path, text, 'latin1');
      },
      WEIGHTS,
      'I32',
    ],
  ])('%s', async (_, spoil, file, what) => {
    const dir = copy();
    spoil(dir);
    await expectRefused(load(dir), `${join(dir, file)}: `, what);
  });

  const head = 'lm_head.weight';
  it.each<[string, Parameters<typeof sharded>[0], string, string]>([
    [
      'whose index names a tensor that its shard lacks',
      (map) => {
        map[head] = SHARDS[0];
      },
      SHARDS[0],
      `lacks the tensor "${head}", which ${INDEX} says it holds`,
    ],
    [
      'whose index names a tensor that no shard has',
      (_, shards) => shards[1].delete(norm),
      SHARDS[1],
      `lacks the tensor "${norm}"`,
    ],
    [
      'with a tensor in two shards',
      (_, shards) => shards[0].set(norm, shards[1].get(norm)!),
      SHARDS[1],
      `the tensor "${norm}" stands in`,
    ],
    [
      'whose shards have a parameter under two names',
      (map, shards) => {
        shards[0].set('model.language_model.norm.weight', shards[1].get(norm)!);
        map['model.language_model.norm.weight'] = SHARDS[0];
      },
      INDEX,
      'are the same parameter',
    ],
    [
      'whose shards together lack a tensor',
      (map, shards) => {
        shards[1].delete(norm);
        delete map[norm];
      },
      INDEX,
      `lacks the tensor "${norm}" of shape [64]`,
    ],
    [
      'whose index points out of the folder',
      (map) => {
        map[head] = '../other.safetensors';
      },
      INDEX,
      'not a .safetensors file of this folder',
    ],
  ])('%s', async (_, change, file, what) => {
    const dir = sharded(change);
    await expectRefused(load(dir), `${join(dir, file)}: `, what);
  });

  it('of which a shard is not there', async () => {
    const dir = sharded();
    unlinkSync(join(dir, SHARDS[1]));
    await expectRefused(load(dir), `${join(dir, SHARDS[1])}: not found`);
  });

  it('of which a shard was cut off', async () => {
    const dir = sharded();
    truncateSync(join(dir, SHARDS[1]), statSync(join(dir, SHARDS[1])).size - 1);
    await expectRefused(load(dir), `${join(dir, SHARDS[1])}: tensor `, 'damaged or cut off');
  });

  it('and leaves the weights it had', async () => {
    const dir = copy();
    const path = join(dir, WEIGHTS);
    const text = readFileSync(path, 'latin1');
    const last = text.lastIndexOf('"dtype":"F32"');
    writeFileSync(path, `${text.slice(0, last)}"dtype":"I32"${text.slice(last + 13)}`, 'latin1');
    const model = newModel(golden.config, golden.processor, cpu);
    await expectRefused(readWeights(dir, golden.config, model.store), 'I32');
    expect(model.store.weights.every((w) => w === 0)).toBe(true);
  });

  it("of an optimizer's state that lacks, or belongs to another model, or is no such state", async () => {
    const dir = join(root, 'no-optimizer');
    await expectRefused(readOptimizer(dir, golden.store), 'optimizer.safetensors: not found');
    const small = await goldenModel({ trainable: true });
    small.store.parameters = small.store.parameters.filter((p) => p.name !== norm);
    await writeOptimizer(dir, small.store);
    await expectRefused(readOptimizer(dir, golden.store), `lacks the float32 tensor first.${norm}`);
    writeTensors(join(dir, 'optimizer.safetensors'), tensors());
    await expectRefused(readOptimizer(dir, golden.store), 'says nothing of the steps taken');
    expect(golden.store.steps).toBe(0);
  });

  it('that cannot be written', async () => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    const write = writeModel(join(file, 'model'), golden.config, golden.processor, golden.store);
    const error = await write.catch((e) => e);
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toContain(`${join(file, 'model')}: cannot be written (`);
    expect(error.message).not.toContain('\n');
  });
});
