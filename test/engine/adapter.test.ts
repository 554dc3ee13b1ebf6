/** LoRA adapters as PEFT's folders, read and written, and merged into a checkpoint. */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  loadAdapter,
  readAdapter,
  readAdapterConfig,
  readAdapterLayers,
  writeAdapter,
} from '../../src/engine/local/adapter.ts';
import { readModelConfig, readWeights } from '../../src/engine/local/checkpoint.ts';
import { logprobs, newModel } from '../../src/engine/local/model.ts';
import { type RewriteOptions, rewriteWeights } from '../../src/engine/local/rewrite.ts';
import { InputError } from '../../src/errors.ts';
import { adapterConfig } from '../../src/models/lora/config.ts';
import { initialLora, loraParameters } from '../../src/models/lora/parameters.ts';
import { adaptedLayers } from '../../src/models/lora/targets.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { decodeFloats, encodeFloats, encodeHeader, parseHeader } from '../../src/models/safetensors.ts';
import { config, goldenTensors } from '../models/golden.ts';
import { completionRow, cpu, GOLDEN_MODEL, goldenCase, greatestDifference } from './golden-cases.ts';

const GOLDEN = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/adapter', import.meta.url));
const WEIGHTS = 'adapter_model.safetensors';

let root: string;
let folders = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'adapter-'));
});
afterAll(() => rmSync(root, { recursive: true }));

const folder = () => join(root, String(folders++));
function copy(of = GOLDEN): string {
  const dir = folder();
  cpSync(of, dir, { recursive: true });
  return dir;
}

function tensorsOf(file: string): Map<string, { dtype: string; shape: number[]; data: Float32Array }> {
  const bytes = new Uint8Array(readFileSync(file));
  return new Map(
    [...parseHeader(bytes, file).tensors.values()].map((entry) => [
      entry.name,
      {
        dtype: entry.dtype,
        shape: entry.shape,
        data: decodeFloats(bytes.subarray(entry.begin, entry.end), entry, file),
      },
    ]),
  );
}

async function expectRefused(promise: Promise<unknown>, ...parts: string[]): Promise<void> {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  expect(error).toBeInstanceOf(InputError);
  for (const part of parts) expect(error.message).toContain(part);
  expect(error.message).not.toContain('\n');
}

describe('an adapter that PEFT wrote is read', () => {
  it('every matrix under our name, in float32', async () => {
    const { layers, matrices } = await loadAdapter(GOLDEN, config);
    expect(layers).toEqual(await readAdapterLayers(GOLDEN, config));
    expect(layers).toHaveLength(21);
    expect(layers.every(({ rank, scale }) => rank === 4 && scale === 2)).toBe(true);
    const golden = goldenTensors(`adapter/${WEIGHTS}`);
    expect(matrices.size).toBe(golden.size);
    for (const [name, data] of matrices)
      expect([...data]).toEqual(
        golden.get(`base_model.model.${name.replace('model.', 'model.language_model.')}`)!.data,
      );
  });

  it('under the names of older versions of transformers', async () => {
    const dir = copy();
    const older = [...tensorsOf(join(dir, WEIGHTS))].map(
      ([name, tensor]) => [name.replace('.language_model', ''), tensor] as const,
    );
    writeFileSync(join(dir, WEIGHTS), Buffer.concat([...encodeFloats(new Map(older))]));
    const file = join(dir, 'adapter_config.json');
    const json = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(
      file,
      JSON.stringify({ ...json, target_modules: '(?!visual).*\\.\\d+\\.(self_attn|mlp)\\.\\w+' }),
    );
    const { layers, matrices } = await loadAdapter(dir, config);
    const golden = await loadAdapter(GOLDEN, config);
    expect(layers).toEqual(golden.layers);
    expect(matrices).toEqual(golden.matrices);
  });

  it('and comes back from what we write', async () => {
    const layers = adaptedLayers(
      adapterConfig({ rank: 3, alpha: 8, targets: 'all-linear', rankPattern: [['qkv', 5]] }),
      config,
    );
    const matrices = new Map(
      loraParameters(layers, config).map((parameter) => {
        const drawn = initialLora({ ...parameter, name: `${parameter.name}.as_A` }, 1);
        return [parameter.name, drawn] as const;
      }),
    );
    const dir = folder();
    await writeAdapter(dir, layers, config, (name) => matrices.get(name)!, { base: 'a/base', dropout: 0.1 });
    expect(await loadAdapter(dir, config)).toEqual({ layers, matrices });
    expect(await readAdapterConfig(dir)).toMatchObject({ rank: 3, alpha: 8, dropout: 0.1 });
    const json = JSON.parse(readFileSync(join(dir, 'adapter_config.json'), 'utf8'));
    expect(json.base_model_name_or_path).toBe('a/base');
  });
});

describe('one line says what is wrong with a folder', () => {
  it.each<[string, (dir: string) => void, string, string]>([
    [
      'that is not there',
      (dir) => rmSync(dir, { recursive: true }),
      'adapter_config.json',
      'give a PEFT adapter',
    ],
    ['without weights', (dir) => unlinkSync(join(dir, WEIGHTS)), WEIGHTS, 'not found'],
    ['that was cut off', (dir) => truncateSync(join(dir, WEIGHTS), 10_000), WEIGHTS, 'cut off'],
    [
      'with pickled weights',
      (dir) => renameSync(join(dir, WEIGHTS), join(dir, 'adapter_model.bin')),
      'adapter_model.bin',
      'safe_serialization=True',
    ],
    [
      'with a broken configuration',
      (dir) => truncateSync(join(dir, 'adapter_config.json'), 100),
      'adapter_config.json',
      'not valid JSON',
    ],
    [
      'that adapts fewer layers than it holds',
      (dir) => {
        const file = join(dir, 'adapter_config.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('|down_proj', ''));
      },
      WEIGHTS,
      'of a layer that adapter_config.json does not adapt',
    ],
    [
      'of integers',
      (dir) => {
        const file = join(dir, WEIGHTS);
        writeFileSync(file, readFileSync(file, 'latin1').replace('"dtype":"F32"', '"dtype":"I32"'), 'latin1');
      },
      WEIGHTS,
      'I32',
    ],
    [
      'with NaN',
      (dir) => {
        const file = join(dir, WEIGHTS);
        const bytes = readFileSync(file);
        bytes.writeFloatLE(Number.NaN, bytes.length - 4);
        writeFileSync(file, bytes);
      },
      WEIGHTS,
      'holds NaN or infinity',
    ],
  ])('%s', async (_, spoil, file, what) => {
    const dir = copy();
    spoil(dir);
    await expectRefused(loadAdapter(dir, config), `${join(dir, file)}: `, what);
  });

  it('that is a model', () => expectRefused(readAdapterConfig(GOLDEN_MODEL), 'this is a whole model'));

  it('of another model, before anything is changed', async () => {
    const other = { ...config, text: { ...config.text, intermediate: 161 } };
    let asked = false;
    const into = () => {
      asked = true;
      return () => new Float32Array(0);
    };
    await expectRefused(readAdapter(GOLDEN, other, into), 'the adapter is of another model or rank');
    expect(asked).toBe(false);
  });
});

describe('weights written anew', () => {
  const plain: RewriteOptions = { adapter: null, dtype: 'same', maxShardBytes: 5e9 };
  const rewrite = async (options: Partial<RewriteOptions>, base = GOLDEN_MODEL) => {
    const dir = folder();
    return { dir, ...(await rewriteWeights(base, config, dir, { ...plain, ...options })) };
  };
  const allOf = (dir: string) =>
    new Map(
      readdirSync(dir)
        .filter((name) => name.endsWith('.safetensors'))
        .flatMap((name) => [...tensorsOf(join(dir, name))]),
    );
  const golden = tensorsOf(join(GOLDEN_MODEL, 'model.safetensors'));

  it('with the adapter merged in give the log-probabilities that PEFT gives with it', async () => {
    const { dir, merged } = await rewrite({ adapter: GOLDEN });
    expect(merged).toBe(21);
    const { processor } = await readModelConfig(GOLDEN_MODEL);
    const model = newModel(config, processor, cpu);
    await readWeights(dir, config, model.store);
    const { sequences } = await goldenCase('batch');
    const scored = await logprobs(model, sequences, {});
    const lora = { sequences, tensors: goldenTensors('golden/lora.safetensors') };
    sequences.forEach((_, i) => {
      const expected = completionRow(lora, 'completion_logprobs', i);
      expect(greatestDifference(scored[i].logprobs, expected)).toBeLessThan(2e-5);
    });
  });

  it('with nothing asked for hold the same bits', async () => {
    const { dir, files, tensors, bytes, leftOut } = await rewrite({});
    expect(readdirSync(dir)).toEqual(files);
    expect({ files, tensors, leftOut }).toEqual({
      files: ['model.safetensors'],
      tensors: golden.size,
      leftOut: [],
    });
    expect(bytes).toBe(4 * [...golden.values()].reduce((sum, { data }) => sum + data.length, 0));
    expect(allOf(dir)).toEqual(golden);
  });

  it.each([
    ['F16', 2 ** -11, 2 ** -25],
    ['BF16', 2 ** -8, 0],
  ] as const)(
    'in %s are the nearest numbers, and stay so when written again',
    async (dtype, relative, least) => {
      const { dir } = await rewrite({ dtype });
      const narrow = allOf(dir);
      expect([...narrow.keys()].sort()).toEqual([...golden.keys()].sort());
      for (const [name, { dtype: stored, data }] of narrow) {
        expect(stored).toBe(dtype);
        const wide = golden.get(name)!.data;
        expect(
          data.every((x, i) => Math.abs(x - wide[i]) <= Math.max(least, relative * Math.abs(wide[i]))),
        ).toBe(true);
      }
      const again = await rewrite({ dtype: 'F32' }, dir);
      for (const [name, { data }] of allOf(again.dir)) expect(data).toEqual(narrow.get(name)!.data);
      const same = await rewrite({}, dir);
      expect(readFileSync(join(same.dir, 'model.safetensors'))).toEqual(
        readFileSync(join(dir, 'model.safetensors')),
      );
    },
  );

  it('a narrow base with an adapter is merged in float32 and then rounded once', async () => {
    const { dir: narrow } = await rewrite({ dtype: 'BF16' });
    const [same, wide] = [
      await rewrite({ adapter: GOLDEN }, narrow),
      await rewrite({ adapter: GOLDEN, dtype: 'F32' }, narrow),
    ];
    const rounded = await rewrite({ dtype: 'BF16' }, wide.dir);
    expect(allOf(same.dir)).toEqual(allOf(rounded.dir));
    expect(allOf(same.dir)).not.toEqual(allOf(narrow));
  });

  it('in shards stay within the size asked for, and their index says where each tensor is', async () => {
    const most = 300_000;
    const { dir, files, bytes } = await rewrite({ maxShardBytes: most, adapter: GOLDEN });
    expect(files.length).toBeGreaterThan(5);
    expect(files[0]).toBe(`model-00001-of-${String(files.length).padStart(5, '0')}.safetensors`);
    const index = JSON.parse(readFileSync(join(dir, 'model.safetensors.index.json'), 'utf8'));
    expect(index.metadata.total_size).toBe(bytes);
    for (const file of files) {
      const tensors = tensorsOf(join(dir, file));
      const size = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
      expect(size <= most || tensors.size === 1).toBe(true);
      for (const name of tensors.keys()) expect(index.weight_map[name]).toBe(file);
    }
    expect(Object.keys(index.weight_map)).toHaveLength(golden.size);
    const whole = await rewrite({ adapter: GOLDEN });
    expect(allOf(dir)).toEqual(allOf(whole.dir));
    const joined = await rewrite({}, dir);
    expect(allOf(joined.dir)).toEqual(allOf(whole.dir));
  });

  it('are told about tensor by tensor', async () => {
    const told: [number, number][] = [];
    await rewrite({ onProgress: (done, total) => told.push([done, total]), maxShardBytes: 1e6 });
    expect(told).toEqual(Array.from({ length: golden.size }, (_, i) => [i + 1, golden.size]));
  });

  it('leave out what the architecture has no use for', async () => {
    const dir = copy(GOLDEN_MODEL);
    const odd = new Map<string, { shape: number[]; data: Float32Array }>(golden);
    odd.set('model.leftover', { shape: [1], data: Float32Array.of(1) });
    writeFileSync(join(dir, 'model.safetensors'), Buffer.concat([...encodeFloats(odd)]));
    const { leftOut, dir: out } = await rewrite({}, dir);
    expect(leftOut).toEqual(['model.leftover']);
    expect(allOf(out)).toEqual(golden);
  });

  it('are refused where a number is too large for the dtype, or is none', async () => {
    const dir = copy(GOLDEN_MODEL);
    const spoilt = (value: number) => {
      const of = new Map<string, { shape: number[]; data: Float32Array }>(golden);
      of.set('model.norm.weight', { shape: [64], data: new Float32Array(64).fill(value) });
      writeFileSync(join(dir, 'model.safetensors'), Buffer.concat([...encodeFloats(of)]));
    };
    spoilt(70_000);
    await expectRefused(
      rewrite({ dtype: 'F16' }, dir),
      `${join(dir, 'model.safetensors')}: the tensor model.norm.weight reaches 70000, too large for float16; write it as bfloat16`,
    );
    await rewrite({ dtype: 'BF16' }, dir);
    spoilt(Number.NaN);
    await expectRefused(rewrite({ dtype: 'BF16' }, dir), 'holds NaN or infinity');
  });

  it('are of the length their header says', async () => {
    const { dir } = await rewrite({ dtype: 'BF16' });
    const names = [...golden.keys()].sort();
    const header = encodeHeader(
      names.map((name) => ({ name, dtype: 'BF16', shape: golden.get(name)!.shape })),
    );
    const count = parameters(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
    expect(readFileSync(join(dir, 'model.safetensors'))).toHaveLength(header.length + 2 * count);
  });
});
