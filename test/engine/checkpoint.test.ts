/** Model folders read and written by the local engine. */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  readModelConfig,
  readOptimizer,
  readWeights,
  writeModel,
  writeOptimizer,
} from '../../src/engine/local/checkpoint.ts';
import { type LocalModel, newModel } from '../../src/engine/local/model.ts';
import { InputError, RunError } from '../../src/errors.ts';
import { normals } from '../../src/models/random.ts';
import { encodeFloats, type FloatTensor } from '../../src/models/safetensors.ts';
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

/** The golden parameters by name. */
function tensors(): Map<string, FloatTensor> {
  const { store } = golden;
  return new Map(
    store.parameters.map(({ name, shape }) => [
      name,
      { shape, data: store.weights.slice(...store.ranges.get(name)!) },
    ]),
  );
}

function writeTensors(file: string, of: Map<string, FloatTensor>): void {
  writeFileSync(file, Buffer.concat([...encodeFloats(of)]));
}

/** The upper half of every float32, rounded to nearest even, as a file of bfloat16 tensors. */
function writeBfloat16(file: string, of: Map<string, FloatTensor>): void {
  const halves = [...of.values()].map(({ data }) => {
    const bits = new Uint32Array(data.buffer);
    return Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16);
  });
  let end = 0;
  const header = Object.fromEntries(
    [...of].map(([name, { shape, data }]) => {
      end += 2 * data.length;
      return [name, { dtype: 'BF16', shape, data_offsets: [end - 2 * data.length, end] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(file, Buffer.concat([length, json, ...halves.map((h) => Buffer.from(h.buffer))]));
}

const bits = (of: Float32Array) => Buffer.from(of.buffer, of.byteOffset, of.byteLength).toString('base64');
const expectSameBits = (a: Float32Array, b: Float32Array) => expect(bits(a) === bits(b)).toBe(true);

describe('a folder is read', () => {
  it('in shards with an index', async () => {
    const dir = copy();
    const all = [...tensors()];
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const half = all.length >> 1;
    writeTensors(join(dir, shards[0]), new Map(all.slice(0, half)));
    writeTensors(join(dir, shards[1]), new Map(all.slice(half)));
    const map = all.map(([name], i) => [name, shards[i < half ? 0 : 1]]);
    unlinkSync(join(dir, WEIGHTS));
    const index = join(dir, `${WEIGHTS}.index.json`);
    writeFileSync(index, JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }));
    expectSameBits((await load(dir)).store.weights, golden.store.weights);

    unlinkSync(join(dir, shards[1]));
    await expectRefused(load(dir), `${join(dir, shards[1])}: not found`);
  });

  it('in bfloat16, widened exactly', async () => {
    const dir = copy();
    writeBfloat16(join(dir, WEIGHTS), tensors());
    const { weights } = (await load(dir)).store;
    expect(new Uint32Array(weights.slice().buffer).every((b) => (b & 0xffff) === 0)).toBe(true);
    const off = weights.map((w, i) => Math.abs(w - golden.store.weights[i]));
    expect(off.every((d, i) => d <= Math.abs(golden.store.weights[i]) / 256)).toBe(true);
    expect(off.some((d) => d > 0)).toBe(true);
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
  const norm = 'model.norm.weight';

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
      'llama',
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

async function expectRefused(promise: Promise<unknown>, ...parts: string[]): Promise<void> {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  expect(error).toBeInstanceOf(InputError);
  for (const part of parts) expect(error.message).toContain(part);
  expect(error.message).not.toContain('\n');
}
