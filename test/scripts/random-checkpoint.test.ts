/** `scripts/random-checkpoint.ts` from outside, and the numbers it draws from. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { normalQuantile, tensorKeys, word } from '../../scripts/quantiles.ts';
import { loadTokenizer } from '../../src/data/chat/tokenizer.ts';
import { newStore, view } from '../../src/engine/local/compute/store.ts';
import { readModelConfig, readWeights } from '../../src/engine/local/files/checkpoint.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';

const script = fileURLToPath(new URL('../../scripts/random-checkpoint.ts', import.meta.url));
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'random-checkpoint-'));
});
afterAll(() => rmSync(root, { recursive: true }));

async function write(name: string, ...args: string[]): Promise<string> {
  const dir = join(root, name);
  await promisify(execFile)(process.execPath, ['--import', 'tsx', script, '--out', dir, ...args]);
  return dir;
}

async function load(dir: string) {
  const { config } = await readModelConfig(dir);
  const store = newStore(parameters(config), null);
  await readWeights(dir, config, store);
  return { config, weights: store.weights, of: (name: string) => view(store, store.weights, name) };
}

function deviation(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
}

describe('a random checkpoint', () => {
  it('in every dtype and in shards has the deviations of a new model and the ids of its tokenizer', async () => {
    const wide = await load(await write('wide', '--like', 'xs', '--dtype', 'float32'));
    const dir = await write('shards', '--like', 'xs', '--dtype', 'float16', '--max-shard', '0.5MB');
    expect(readdirSync(dir)).toContain('model.safetensors.index.json');
    const { config, weights, of } = await load(dir);
    const { text, tokens } = config;
    expect(deviation(of('model.embed_tokens.weight'))).toBeCloseTo(0.02, 3);
    const q = 'model.layers.3.self_attn.q_proj';
    expect(deviation(of(`${q}.weight`)) * Math.sqrt(text.hidden)).toBeCloseTo(1, 1);
    const down = deviation(of('model.layers.3.mlp.down_proj.weight'));
    expect(down * Math.sqrt(text.intermediate * 2 * text.layers)).toBeCloseTo(1, 1);
    expect(Math.max(...of(`${q}.bias`).map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(text.hidden));
    expect(new Set(of('model.norm.weight'))).toEqual(new Set([1]));
    const off = weights.reduce((most, x, i) => Math.max(most, Math.abs(x - wide.weights[i])), 0);
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThan(2 ** -11);
    const tokenizer = await loadTokenizer(dir);
    expect(text.vocabulary).toBe(tokenizer.size);
    expect(tokens.imagePad).toBe(tokenizer.id('<|image_pad|>'));
    expect(tokens.eos).toBe(tokenizer.endOfTurn.id);
  });

  it('is the same for the same seed, and another for another', async () => {
    const bytes = async (name: string, seed: string) =>
      readFileSync(join(await write(name, '--like', 'xs', '--seed', seed), 'model.safetensors'));
    const first = await bytes('a', '1');
    expect((await bytes('b', '1')).equals(first)).toBe(true);
    expect((await bytes('c', '2')).equals(first)).toBe(false);
  });

  it('of a folder without a tokenizer is refused in one line', async () => {
    const empty = join(root, 'empty');
    cpSync(fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/images', import.meta.url)), empty, {
      recursive: true,
    });
    const failure = await write('none', '--like', 'xs', '--tokenizer', empty).catch((error) => error);
    expect(failure.code).toBe(2);
    expect(failure.stderr).toMatch(/^.*empty: no tokenizer\.json; [^\n]*\n$/);
  });
});

describe('the numbers it draws', () => {
  it('are quantiles of the normal distribution', () => {
    const known = { 0.5: 0, 0.975: 1.959963984540054, 0.84134474606854: 1, 0.001: -3.090232306167813 };
    for (const [p, z] of Object.entries(known)) expect(normalQuantile(Number(p))).toBeCloseTo(z, 7);
    expect(normalQuantile(0.5 / 65536)).toBeCloseTo(-4.325, 3);
  });

  it('are picked evenly, and by each tensor in its own order', () => {
    const count = 1 << 16;
    const draws = (name: string) => {
      const [a, b] = tensorKeys(0, name);
      return Uint32Array.from({ length: count }, (_, i) => word(i, a, b));
    };
    const [first, second] = [draws('a'), draws('b')];
    for (const shift of [0, 8, 16, 24]) {
      const cells = new Float64Array(256);
      for (const drawn of first) cells[(drawn >>> shift) & 0xff]++;
      // χ² of 255 degrees: 330 is exceeded once in a thousand
      expect(cells.reduce((sum, n) => sum + (n - 256) ** 2 / 256, 0)).toBeLessThan(330);
    }
    const seen = new Set(first);
    // two draws of 2¹⁶ out of 2³² words have one in common
    expect(second.filter((drawn) => seen.has(drawn)).length).toBeLessThan(10);
  });
});
