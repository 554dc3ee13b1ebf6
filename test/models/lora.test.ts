/** Which layers a LoRA adapter adapts, by PEFT's rules, and its adapter_config.json. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAdapterConfig } from '../../src/models/lora/config.ts';
import {
  adaptedLayers,
  adapterConfigJson,
  type LoraLayer,
  transformersName,
} from '../../src/models/lora/targets.ts';
import type { Qwen25VlConfig } from '../../src/models/qwen2-5-vl/config.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { config, goldenJson } from './golden.ts';
import { refusal } from './refusal.ts';

const FILE = 'adapter/adapter_config.json';
const { cases } = goldenJson('../peft/targets.json') as {
  cases: { config: Record<string, unknown>; adapted: Record<string, [number, number]> | null }[];
};
const parse = (json: object) => parseAdapterConfig(JSON.stringify({ peft_type: 'LORA', ...json }), FILE);
const layersOf = (json: object, of: Qwen25VlConfig = config) => adaptedLayers(parse(json), of, FILE);
const tied: Qwen25VlConfig = { ...config, text: { ...config.text, tied: true } };

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
