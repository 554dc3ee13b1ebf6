/** LoRA adapters by PEFT's rules: which layers, which matrices, which names, and what they add. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
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
import {
  adaptedLayers,
  adapterConfigJson,
  type LoraLayer,
  transformersName,
} from '../../src/models/lora/targets.ts';
import type { Qwen25VlConfig } from '../../src/models/qwen2-5-vl/config.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { config, goldenJson, goldenTensors } from './golden.ts';

const FILE = 'adapter/adapter_config.json';
const { cases } = goldenJson('../peft/targets.json') as {
  cases: { config: Record<string, unknown>; adapted: Record<string, [number, number]> | null }[];
};
const parse = (json: object) => parseAdapterConfig(JSON.stringify({ peft_type: 'LORA', ...json }), FILE);
const layersOf = (json: object, of: Qwen25VlConfig = config) => adaptedLayers(parse(json), of, FILE);
const tied: Qwen25VlConfig = { ...config, text: { ...config.text, tied: true } };

function refusal(run: () => unknown): string {
  let error: unknown;
  try {
    run();
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}

describe('the adapted layers are those that PEFT adapts', () => {
  const accepted = cases.filter(({ adapted }) => adapted !== null);
  const refused = cases.filter(({ adapted }) => adapted === null);

  it.each(accepted.map((each) => [JSON.stringify(each.config), each] as const))('%s', (_, each) => {
    const ours = layersOf(each.config).map(({ weight, rank, scale }) => [
      transformersName(weight.replace(/\.weight$/, '')),
      [rank, scale],
    ]);
    expect(Object.fromEntries(ours)).toEqual(each.adapted);
  });

  it.each(refused.map((each) => [JSON.stringify(each.config), each.config] as const))(
    'and what PEFT refuses is refused: %s',
    (_, json) => {
      expect(refusal(() => layersOf(json))).toMatch(/^adapter\/adapter_config\.json: target_modules /);
    },
  );

  it('in the order of the parameters', () => {
    const order = parameters(config).map(({ name }) => name);
    const weights = layersOf({ target_modules: ['lm_head', 'o_proj', 'qkv'] }).map(({ weight }) => weight);
    expect(weights).toEqual(order.filter((name) => /(?:lm_head|o_proj|qkv)\.weight$/.test(name)));
  });

  it('where the expression is written for the module names of older versions, too', () => {
    const old = layersOf({ target_modules: '^(?:model\\.layers|visual\\.blocks)\\.0\\..*(?:q_proj|qkv)' });
    expect(old.map(({ weight }) => weight)).toEqual([
      'visual.blocks.0.attn.qkv.weight',
      'model.layers.0.self_attn.q_proj.weight',
    ]);
    const adapter = parse({ target_modules: '(?!model\\.visual).*up_proj' });
    expect(adaptedLayers(adapter, config, FILE)).toHaveLength(config.text.layers);
    expect(adaptedLayers(adapter, config, FILE, 'published')).toHaveLength(7);
  });
});

describe('unlike PEFT only linear layers are adapted, and one line says which module is none', () => {
  it.each<[string, object, Qwen25VlConfig, RegExp]>([
    ['the embedding', ['embed_tokens'], config, /"model\.embed_tokens", the embedding, which cannot be/],
    ['the patches', ['qkv', 'proj'], config, /"visual\.patch_embed\.proj", a convolution.*exclude_modules/],
    ['a tied head', ['lm_head'], tied, /"lm_head", which is the embedding here \(tie_word_embeddings\)/],
  ])('%s', (_, targets, of, line) => {
    expect(refusal(() => layersOf({ target_modules: targets }, of))).toMatch(line);
  });
});

describe('an adapter_config.json is refused in one line', () => {
  it.each<[string, object, RegExp]>([
    ['of another method', { peft_type: 'IA3' }, /"IA3" adapter; only "LORA"/],
    ['without targets', {}, /target_modules is missing/],
    ['with no targets', { target_modules: [] }, /target_modules is missing/],
    ['without a rank', { r: 0, target_modules: ['q_proj'] }, /json: r: /],
    ['with a fractional rank', { r: 1.5, target_modules: ['q_proj'] }, /json: r: /],
    ['with a rank that is none', { target_modules: ['q_proj'], rank_pattern: { q: 0 } }, /rank_pattern\.q: /],
    ['with trained biases', { target_modules: ['q_proj'], bias: 'lora_only' }, /bias is "lora_only"/],
    ['transposed', { target_modules: ['q_proj'], fan_in_fan_out: true }, /fan_in_fan_out is set/],
    [
      'whose first values altered the base',
      { target_modules: ['q_proj'], init_lora_weights: 'pissa_niter_4' },
      /init_lora_weights is "pissa_niter_4", which alters the base/,
    ],
    [
      'with layers beside an expression',
      { target_modules: '.*q_proj', layers_to_transform: [1] },
      /layers_to_transform needs target_modules to be a list/,
    ],
    [
      'with an expression that JavaScript lacks',
      { target_modules: '(?>.*)q_proj' },
      /target_modules: the regular expression "\(\?>\.\*\)q_proj" cannot be used here/,
    ],
    ...[
      { use_dora: true },
      { lora_bias: true },
      { modules_to_save: ['lm_head'] },
      { trainable_token_indices: [1] },
      { target_parameters: ['experts.weight'] },
      { layer_replication: [[0, 2]] },
      { use_qalora: true },
      { megatron_config: { a: 1 } },
      { use_something_new: true },
    ].map((on): [string, object, RegExp] => [
      `with ${Object.keys(on)[0]}`,
      { target_modules: ['q_proj'], ...on },
      new RegExp(`: ${Object.keys(on)[0]} is set, which is not supported`),
    ]),
  ])('%s', (_, json, line) => {
    const message = refusal(() => layersOf(json));
    expect(message).toMatch(line);
    expect(message.startsWith(`${FILE}: `)).toBe(true);
  });

  it('but keys that change nothing of what it computes are passed over', () => {
    const golden = goldenJson(FILE);
    const more = { qalora_group_size: 16, eva_config: { rho: 2 }, some_number: 3, empty: {}, off: false };
    expect(parse({ ...golden, ...more })).toEqual(parse(golden));
  });
});

describe('the written configuration', () => {
  const written = (layers: LoraLayer[], of = config) => JSON.stringify(adapterConfigJson(layers, of));

  it.each(cases.filter(({ adapted }) => adapted).map((each) => [JSON.stringify(each.config), each.config]))(
    'hits the same layers with the same ranks and scales: %s',
    (_, json) => {
      const layers = layersOf(json as object);
      const back = adaptedLayers(parseAdapterConfig(written(layers), FILE), config, FILE);
      expect(back.map(({ weight, rank }) => ({ weight, rank }))).toEqual(
        layers.map(({ weight, rank }) => ({ weight, rank })),
      );
      back.forEach(({ scale }, i) => {
        expect(Math.abs(scale / layers[i].scale - 1)).toBeLessThan(1e-15);
      });
    },
  );

  it('hits any subset of the linear layers, of any ranks and scales', () => {
    const linear = parameters(config).filter(({ name, role }) => role !== 'embedding' && !/patch/.test(name));
    const names = linear.filter(({ shape }) => shape.length === 2).map(({ name }) => name);
    const layer = fc.record({
      rank: fc.integer({ min: 1, max: 64 }),
      alpha: fc.integer({ min: 1, max: 64 }),
    });
    fc.assert(
      fc.property(
        fc.subarray(names, { minLength: 1 }),
        fc.array(layer, { minLength: 1, maxLength: 3 }),
        (weights, sizes) => {
          const layers = weights.map((weight, i): LoraLayer => {
            const { rank, alpha } = sizes[i % sizes.length];
            return { weight, rank, scale: alpha / rank };
          });
          const back = adaptedLayers(parseAdapterConfig(written(layers), FILE), config, FILE);
          expect(back).toEqual(layers);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('names the kinds of layers rather than every single one where that says the same', () => {
    const targets = (json: object) => adapterConfigJson(layersOf(json), config).target_modules as string[];
    expect(targets({ target_modules: ['v_proj', 'q_proj'] })).toEqual(['q_proj', 'v_proj']);
    expect(targets({ target_modules: 'model\\.visual.*(?:qkv|up_proj)' })[0]).toBe(
      'model.visual.blocks.0.attn.qkv',
    );
  });
});

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
