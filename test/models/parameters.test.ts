import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { parseConfig } from '../../src/models/qwen2-5-vl/config.ts';
import { checkTensors, hubName, parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { elements } from '../../src/models/safetensors.ts';
import { config, goldenJson } from './golden.ts';
import { published3B, published7B } from './published.ts';

const count = (of: typeof config) => parameters(of).reduce((sum, { shape }) => sum + elements(shape), 0);
const stored = () => parameters(config).map(({ name, shape }) => ({ name, shape }));
const moduleName = (name: string) =>
  name.replace(/^visual\./, 'model.visual.').replace(/^model\.(?!visual)/, 'model.language_model.');

describe('the parameters of Qwen2.5-VL', () => {
  const manifest = goldenJson('golden/manifest.json');

  it('are those of a file that transformers wrote, name for name and shape for shape', () => {
    const file: Record<string, [string, number[]]> = manifest.tensors_in_model_files['model.safetensors'];
    const ours = Object.fromEntries(parameters(config).map(({ name, shape }) => [name, shape]));
    expect(ours).toEqual(Object.fromEntries(Object.entries(file).map(([name, [, shape]]) => [name, shape])));
    expect(count(config)).toBe(manifest.model_params);
  });

  it('of the published 3B model are 3,754,622,976, its head being its embedding', () => {
    const published = parseConfig(JSON.stringify(published3B), 'config.json');
    expect(count(published)).toBe(3_754_622_976);
    expect(parameters(published).map(({ name }) => name)).not.toContain('lm_head.weight');
  });

  it('of the published 7B model are 8,292,166,656, its head among them', () => {
    const published = parseConfig(JSON.stringify(published7B), 'config.json');
    expect(count(published)).toBe(8_292_166_656);
    expect(parameters(published).map(({ name }) => name)).toContain('lm_head.weight');
  });

  it('are found under the module names of transformers 5 too', () => {
    const found = stored().map(({ name, shape }) => ({ name: moduleName(name), shape }));
    const { storedNames, extra } = checkTensors(found, config, 'f');
    expect(storedNames.size).toBe(found.length);
    expect(storedNames.get('visual.merger.mlp.0.bias')).toBe('model.visual.merger.mlp.0.bias');
    expect(storedNames.get('model.norm.weight')).toBe('model.language_model.norm.weight');
    expect(storedNames.get('lm_head.weight')).toBe('lm_head.weight');
    expect(extra).toEqual([]);
    for (const { name } of stored()) expect(hubName(hubName(moduleName(name)))).toBe(name);
  });

  it('a tensor that lacks is an input error with its shape', () => {
    const found = stored().filter(({ name }) => name !== 'model.layers.2.mlp.up_proj.weight');
    expect(() => checkTensors(found, config, 'm')).toThrow(InputError);
    expect(() => checkTensors(found, config, 'm')).toThrow(
      /^m: lacks the tensor "model\.layers\.2\.mlp\.up_proj\.weight" of shape \[160,64\][^\n]*$/,
    );
  });

  it('a head that lacks is an input error that speaks of tie_word_embeddings', () => {
    const found = stored().filter(({ name }) => name !== 'lm_head.weight');
    expect(() => checkTensors(found, config, 'm')).toThrow(/tie_word_embeddings: true$/);
  });

  it('a wrong shape is an input error with both shapes', () => {
    const found = stored().map((t) => (t.name === 'model.norm.weight' ? { ...t, shape: [1, 64] } : t));
    expect(() => checkTensors(found, config, 'm')).toThrow(
      /^m: the tensor "model\.norm\.weight" has the shape \[1,64\], but config\.json asks for \[64\]$/,
    );
  });

  it('one parameter under two names is an input error', () => {
    const found = [...stored(), { name: 'model.language_model.norm.weight', shape: [64] }];
    expect(() => checkTensors(found, config, 'm')).toThrow(/are the same parameter/);
  });

  it('tensors without use are listed, frequency buffers passed over', () => {
    const found = [
      ...stored(),
      { name: 'score.weight', shape: [1, 64] },
      { name: 'visual.rotary_pos_emb.inv_freq', shape: [8] },
    ];
    expect(checkTensors(found, config, 'm').extra).toEqual(['score.weight']);
  });
});
