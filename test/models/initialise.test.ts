import { describe, expect, it } from 'vitest';
import { initialise, initialValues } from '../../src/models/qwen2-5-vl/initialise.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { normals, philox4x32, symmetricUniforms } from '../../src/models/random.ts';
import { elements } from '../../src/models/safetensors.ts';
import { config } from './golden.ts';

function moments(values: Float32Array) {
  let sum = 0;
  let squares = 0;
  for (const x of values) {
    sum += x;
    squares += x * x;
  }
  return { mean: sum / values.length, deviation: Math.sqrt(squares / values.length) };
}

describe('random numbers by key', () => {
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      '408f276d 41c83b0e a20bc7c6 6d5451fd',
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ])(
    'Philox4x32-10 gives the known answers of Random123 for counter %j and key %j',
    (counter, key, answer) => {
      const out = new Uint32Array(4);
      philox4x32(counter, key[0], key[1], out);
      expect([...out].map((word) => word.toString(16).padStart(8, '0')).join(' ')).toBe(answer);
    },
  );

  it('normal draws have the moments and the tail of N(0, 1)', () => {
    const draws = normals(7, 'x', 200_000);
    const { mean, deviation } = moments(draws);
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(deviation - 1)).toBeLessThan(0.01);
    const beyond2 = draws.filter((x) => Math.abs(x) > 1.959964).length / draws.length;
    expect(Math.abs(beyond2 - 0.05)).toBeLessThan(0.002);
    const neighbours = draws.reduce((sum, x, i) => (i === 0 ? 0 : sum + x * draws[i - 1]), 0) / draws.length;
    expect(Math.abs(neighbours)).toBeLessThan(0.01);
  });

  it('uniform draws lie within (-1, 1) with deviation 1/√3', () => {
    const draws = symmetricUniforms(7, 'x', 100_000);
    expect(draws.every((x) => Math.abs(x) <= 1)).toBe(true);
    expect(Math.abs(moments(draws).deviation - 1 / Math.sqrt(3))).toBeLessThan(0.005);
  });

  it('a longer stream begins with the shorter one; another name or seed is another stream', () => {
    expect([...normals(3, 'a', 1001).subarray(0, 7)]).toEqual([...normals(3, 'a', 7)]);
    const first = (seed: number, name: string) => normals(seed, name, 2).join();
    const streams = [first(3, 'a'), first(3, 'b'), first(4, 'a'), first(3 + 2 ** 32, 'a')];
    expect(new Set(streams).size).toBe(4);
  });

  it('a seed that is not an integer of 0 or more is refused', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53])
      expect(() => normals(seed, 'a', 1)).toThrow(RangeError);
  });
});

describe('random initialisation', () => {
  const weights = initialise(config, 1);
  const deviation = (name: string) => moments(weights.get(name)!.data).deviation;

  it('makes every parameter with its shape', () => {
    expect([...weights.keys()]).toEqual(parameters(config).map(({ name }) => name));
    for (const { shape, data } of weights.values()) expect(data.length).toBe(elements(shape));
  });

  it.each([
    ['the embedding', 'model.embed_tokens.weight', 0.02],
    ['a matrix: 1/√fanIn', 'model.layers.1.mlp.gate_proj.weight', 1 / 8],
    [
      'the patch embedding: fan-in over channels, frames and pixels',
      'visual.patch_embed.proj.weight',
      1 / Math.sqrt(1176),
    ],
    ['an untied head', 'lm_head.weight', 1 / 8],
    [
      'an output matrix of the decoder: also 1/√(2·layers)',
      'model.layers.0.self_attn.o_proj.weight',
      1 / 8 / Math.sqrt(6),
    ],
    [
      'an output matrix of the vision tower: the same layers',
      'visual.blocks.3.mlp.down_proj.weight',
      1 / Math.sqrt(96) / Math.sqrt(6),
    ],
    ['a bias: uniform within 1/√fanIn', 'visual.blocks.0.attn.qkv.bias', 1 / 8 / Math.sqrt(3)],
  ])('%s', (_, name, want) => {
    const relative = name.endsWith('bias') ? 0.15 : 0.04;
    expect(Math.abs(deviation(name) / want - 1)).toBeLessThan(relative);
  });

  it('norms begin at 1, biases stay within their bound', () => {
    expect(weights.get('model.norm.weight')!.data.every((x) => x === 1)).toBe(true);
    expect(weights.get('visual.blocks.0.attn.qkv.bias')!.data.every((x) => Math.abs(x) <= 1 / 8)).toBe(true);
  });

  it('a parameter depends on its name and the seed, not on the other parameters', () => {
    const deeper = { ...config, vision: { ...config.vision, depth: 6 } };
    const parameter = parameters(deeper).find(({ name }) => name === 'model.layers.2.mlp.up_proj.weight')!;
    expect(initialValues(parameter, deeper, 1)).toEqual(weights.get(parameter.name)!.data);
    expect(initialValues(parameter, deeper, 2)).not.toEqual(weights.get(parameter.name)!.data);
  });
});
