/** The matrices of a LoRA adapter: shapes, first values, names in PEFT's files, and what they add. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adapterConfig, parseAdapterConfig } from '../../src/models/lora/config.ts';
import { mergeLora } from '../../src/models/lora/merge.ts';
import {
  checkLoraTensors,
  initialLora,
  loraNameOf,
  loraParameters,
  namingOf,
  storedLoraName,
} from '../../src/models/lora/parameters.ts';
import { adaptedLayers } from '../../src/models/lora/targets.ts';
import { config, goldenJson, goldenTensors } from './golden.ts';
import { refusal } from './refusal.ts';

const FILE = 'adapter/adapter_config.json';

describe('the matrices of an adapter', () => {
  const adapter = adapterConfig({ rank: 4, alpha: 8, targets: ['q_proj', 'down_proj', 'mlp.0', 'lm_head'] });
  const layers = adaptedLayers(adapter, config);
  const golden = goldenTensors('adapter/adapter_model.safetensors');
  const goldenLayers = adaptedLayers(parseAdapterConfig(JSON.stringify(goldenJson(FILE)), FILE), config);

  it('have the names and shapes that PEFT writes', () => {
    const ours = loraParameters(goldenLayers, config).map(({ name, shape }) => [storedLoraName(name), shape]);
    const theirs = [...golden].map(([name, { shape }]) => [name, shape]);
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs));
    expect(goldenLayers.every(({ scale }) => scale === goldenJson('golden/lora.json').scaling)).toBe(true);
  });

  it('begin as PyTorch draws them: A uniform within ±1/√in, B zero; each depends on itself only', () => {
    for (const parameter of loraParameters(layers, config)) {
      const values = initialLora(parameter, 3);
      if (/lora_B/.test(parameter.name)) {
        expect(values.every((value) => value === 0)).toBe(true);
        continue;
      }
      const bound = 1 / Math.sqrt(parameter.shape[1]);
      expect(values.every((value) => Math.abs(value) <= bound)).toBe(true);
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      expect(variance / (bound * bound)).toBeGreaterThan(0.25);
      expect(variance / (bound * bound)).toBeLessThan(0.42);
      expect(initialLora(parameter, 3)).toEqual(values);
      expect(initialLora(parameter, 4)).not.toEqual(values);
    }
  });

  it.each([
    ['transformers 5', 'base_model.model.model.language_model.layers.1.mlp.up_proj.lora_A.weight'],
    ['published', 'base_model.model.model.layers.1.mlp.up_proj.lora_A.weight'],
    ['transformers 5', 'base_model.model.model.language_model.layers.1.mlp.up_proj.lora_A.default.weight'],
    ['transformers 5', 'model.language_model.layers.1.mlp.up_proj.lora_A.weight'],
  ])('are found under the names of %s: %s', (naming, stored) => {
    expect(loraNameOf(stored)).toBe('model.layers.1.mlp.up_proj.lora_A.weight');
    expect(namingOf(['base_model.model.lm_head.lora_A.weight', stored])).toBe(naming);
  });

  it('of the vision tower and the head, too', () => {
    expect(loraNameOf('base_model.model.model.visual.merger.mlp.0.lora_B.weight')).toBe(
      'visual.merger.mlp.0.lora_B.weight',
    );
    expect(loraNameOf('base_model.model.visual.merger.mlp.0.lora_B.weight')).toBe(
      'visual.merger.mlp.0.lora_B.weight',
    );
    expect(loraNameOf('base_model.model.lm_head.lora_B.weight')).toBe('lm_head.lora_B.weight');
    expect(namingOf(['base_model.model.lm_head.lora_B.weight'])).toBeNull();
  });

  describe('are held to the configuration, in one line', () => {
    const stored = () =>
      loraParameters(layers, config).map(({ name, shape }) => ({ name: storedLoraName(name), shape }));
    const down = 'base_model.model.model.language_model.layers.2.mlp.down_proj.lora_A.weight';
    type Stored = ReturnType<typeof stored>;
    it.each<[string, (of: Stored) => Stored, string]>([
      ['one lacks', (of) => of.filter(({ name }) => name !== down), `lacks the tensor "${down}"`],
      [
        'one has another shape',
        (of) => of.map((each) => (each.name === down ? { ...each, shape: [4, 161] } : each)),
        `"${down}" has the shape [4,161], but this model and adapter_config.json ask for [4,160]`,
      ],
      [
        'one is not asked for',
        (of) => [...of, { name: down.replace('down', 'up'), shape: [4, 64] }],
        `"${down.replace('down', 'up')}" is of a layer that adapter_config.json does not adapt`,
      ],
      [
        'one is there twice',
        (of) => [...of, { name: down.replace('.weight', '.default.weight'), shape: [4, 160] }],
        'are the same matrix; keep one of them',
      ],
      [
        'there is something else',
        (of) => [...of, { name: down.replace('lora_A.weight', 'lora_magnitude_vector'), shape: [64] }],
        'lora_magnitude_vector" is no LoRA matrix of a linear layer',
      ],
    ])('%s', (_, change, line) => {
      expect(checkLoraTensors(stored(), layers, config, 'a.safetensors').size).toBe(2 * layers.length);
      const message = refusal(() => checkLoraTensors(change(stored()), layers, config, 'a.safetensors'));
      expect(message).toContain(line);
      expect(message.startsWith('a.safetensors: ')).toBe(true);
    });
  });
});

describe('merging adds scale · B·A', () => {
  const size = fc.integer({ min: 1, max: 9 });
  const shapes = fc.record({
    out: size,
    in: size,
    rank: size,
    scale: fc.double({ min: -2, max: 2, noNaN: true }),
  });
  const numbers = (seed: number, count: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(seed + 7.3 * i));

  it('as the plain triple sum has it, rounded once', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 1000 }), (of, seed) => {
        const a = numbers(seed, of.rank * of.in);
        const b = numbers(seed + 1, of.out * of.rank);
        const weight = numbers(seed + 2, of.out * of.in);
        const expected = weight.map((w, at) => {
          const [row, column] = [Math.floor(at / of.in), at % of.in];
          let sum = 0;
          for (let k = 0; k < of.rank; k++) sum += b[row * of.rank + k] * a[k * of.in + column];
          return w + of.scale * sum;
        });
        mergeLora(weight, a, b, of);
        weight.forEach((w, at) => {
          expect(Math.abs(w - expected[at])).toBeLessThanOrEqual(
            2 ** -23 * Math.max(1, Math.abs(expected[at])),
          );
        });
      }),
    );
  });

  it('the same by blocks of rows, to the bit', () => {
    const of = { out: 7, in: 5, rank: 6, scale: 0.7 };
    const [a, b] = [numbers(1, of.rank * of.in), numbers(2, of.out * of.rank)];
    const whole = numbers(3, of.out * of.in);
    const parts = whole.slice();
    mergeLora(whole, a, b, of);
    for (const [from, to] of [
      [0, 3],
      [3, 4],
      [4, 7],
    ])
      mergeLora(parts.subarray(from * of.in, to * of.in), a, b.subarray(from * of.rank, to * of.rank), {
        ...of,
        out: to - from,
      });
    expect(parts).toEqual(whole);
  });

  it('nothing where B is zero, and refuses numbers that do not fit the shapes', () => {
    const of = { out: 2, in: 3, rank: 1, scale: 5 };
    const weight = numbers(1, 6);
    mergeLora(weight, numbers(2, 3), new Float32Array(2), of);
    expect(weight).toEqual(numbers(1, 6));
    expect(() => mergeLora(weight, numbers(2, 4), new Float32Array(2), of)).toThrow(RangeError);
  });
});
