/** A checkpoint's weights written anew: merged with an adapter, in another dtype, in shards. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logprobs, newModel } from '../../src/engine/local/compute/model.ts';
import { readModelConfig, readWeights } from '../../src/engine/local/files/checkpoint.ts';
import { type RewriteOptions, rewriteWeights } from '../../src/engine/local/files/rewrite.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { encodeFloats, encodeHeader } from '../../src/models/safetensors.ts';
import { config, goldenTensors } from '../models/golden.ts';
import { expectRefused, tensorsOf } from './folders.ts';
import { completionRow, cpu, GOLDEN_MODEL, goldenCase, greatestDifference } from './golden-cases.ts';

const GOLDEN = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/adapter', import.meta.url));

let root: string;
let folders = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'rewrite-'));
});
afterAll(() => rmSync(root, { recursive: true }));

const folder = () => join(root, String(folders++));
function copy(of: string): string {
  const dir = folder();
  cpSync(of, dir, { recursive: true });
  return dir;
}

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
    await expectRefused(rewrite({}, dir), 'holds NaN or infinity');
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
