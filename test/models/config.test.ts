import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { configJson, parseConfig } from '../../src/models/qwen2-5-vl/config.ts';
import { config, goldenJson } from './golden.ts';
import { published3B } from './published.ts';

const parse = (json: unknown) => parseConfig(JSON.stringify(json), 'config.json');
const golden = () => goldenJson('model/config.json');
type Golden = ReturnType<typeof golden>;

describe('config.json of Qwen2.5-VL', () => {
  it('is read in the nested form that transformers 5 saves', () => {
    expect(config).toEqual({
      text: {
        hidden: 64,
        layers: 3,
        heads: 4,
        kvHeads: 2,
        headDim: 16,
        intermediate: 160,
        vocabulary: 672,
        rmsNormEps: 1e-6,
        ropeTheta: 1e6,
        mropeSection: [2, 3, 3],
        tied: false,
        maxPositions: 4096,
      },
      vision: {
        depth: 4,
        hidden: 64,
        heads: 4,
        headDim: 16,
        intermediate: 96,
        outHidden: 64,
        patch: 14,
        temporalPatch: 2,
        merge: 2,
        window: 112,
        fullAttentionBlocks: [1, 3],
        inChannels: 3,
      },
      tokens: {
        imagePad: 652,
        videoPad: 653,
        visionStart: 649,
        visionEnd: 650,
        bos: 640,
        eos: 642,
        pad: null,
      },
    });
  });

  it('is read in the flat form of the published checkpoints', () => {
    const { text, vision, tokens } = parse(published3B);
    expect(text).toMatchObject({
      hidden: 2048,
      layers: 36,
      headDim: 128,
      mropeSection: [16, 24, 24],
      tied: true,
    });
    expect(vision).toMatchObject({
      hidden: 1280,
      headDim: 80,
      fullAttentionBlocks: [7, 15, 23, 31],
      inChannels: 3,
    });
    expect(tokens).toMatchObject({ imagePad: 151655, visionStart: 151652, eos: 151645, pad: null });
  });

  it('the nested form of transformers 4.52 to 4.57, with rope_scaling and token ids inside, says the same', () => {
    const { vision_config, architectures, model_type, tie_word_embeddings, ...inner } = published3B;
    const text_config = { ...inner, tie_word_embeddings, model_type: 'qwen2_5_vl_text' };
    expect(parse({ architectures, model_type, vision_config, text_config })).toEqual(parse(published3B));
  });

  it('the head is tied where the inner config says so, as transformers 5 reads it', () => {
    const { vision_config, architectures, model_type, tie_word_embeddings, ...inner } = published3B;
    const text_config = { ...inner, tie_word_embeddings: true };
    const outer = { architectures, model_type, vision_config, tie_word_embeddings: false };
    expect(parse({ ...outer, text_config }).text.tied).toBe(true);
  });

  it('what is written is read back as the same config, tied or not', () => {
    for (const original of [config, parse(published3B)])
      expect(parse(configJson(original))).toEqual(original);
  });

  it('what is written has every key of the published form that decides a size', () => {
    const written = configJson(parse(published3B));
    const {
      torch_dtype,
      transformers_version,
      vision_token_id,
      max_window_layers,
      sliding_window,
      ...decides
    } = published3B;
    expect(written).toMatchObject(decides);
    expect(written['torch_dtype']).toBe('float32');
  });

  it('needs no architectures where model_type says what it is', () => {
    const { architectures, ...rest } = golden();
    expect(parse(rest)).toEqual(config);
    expect(parse({ ...rest, architectures: null, quantization_config: null })).toEqual(config);
  });

  it.each<[string, (json: Golden) => unknown, string]>([
    ...[
      'Qwen2VLForConditionalGeneration',
      'Qwen2ForCausalLM',
      'Qwen3VLForConditionalGeneration',
      'LlamaForCausalLM',
    ].map((name): [string, (json: Golden) => unknown, string] => [
      `the architecture ${name}`,
      (c) => ({ ...c, architectures: [name] }),
      `config.json: architectures: ${name} is not supported; give a Qwen2_5_VLForConditionalGeneration checkpoint`,
    ]),
    [
      'an architecture that is no name',
      (c) => ({ ...c, architectures: ['a\nb'] }),
      'architectures: "a\\nb" is not supported',
    ],
    [
      'another model type, no architecture being named',
      ({ architectures, ...c }) => ({ ...c, model_type: 'qwen2_vl' }),
      'config.json: model_type: qwen2_vl is not supported; give a Qwen2_5_VLForConditionalGeneration checkpoint',
    ],
    ['the text tower alone', (c) => c.text_config, 'model_type: qwen2_5_vl_text is not supported'],
    ...['awq', 'gptq', 'bitsandbytes'].map((quant_method): [string, (json: Golden) => unknown, string] => [
      `weights quantised by ${quant_method}`,
      (c) => ({ ...c, quantization_config: { bits: 4, quant_method } }),
      `config.json: quantization_config: weights quantised by ${quant_method} are not supported; give the checkpoint they were made from`,
    ]),
    [
      'a quantised text tower',
      (c) => ({ ...c, text_config: { ...c.text_config, quantization_config: {} } }),
      'weights quantised by unnamed are not supported',
    ],
    ['no model type', () => ({ hidden_size: 3 }), 'has no model_type'],
    ['null', () => null, 'has no model_type'],
    ['no vision tower', ({ vision_config, ...c }) => c, 'vision_config:'],
    [
      'no hidden size',
      (c) => ({ ...c, text_config: { ...c.text_config, hidden_size: undefined } }),
      'text_config: hidden_size:',
    ],
    [
      'a size of no integer',
      (c) => ({ ...c, text_config: { ...c.text_config, vocab_size: 1.5 } }),
      'text_config: vocab_size:',
    ],
    [
      'heads that do not divide',
      (c) => ({ ...c, text_config: { ...c.text_config, num_attention_heads: 3 } }),
      'hidden_size 64 is not a multiple of num_attention_heads 3',
    ],
    [
      'key/value heads that do not divide',
      (c) => ({ ...c, text_config: { ...c.text_config, num_key_value_heads: 3 } }),
      'num_attention_heads 4 is not a multiple of num_key_value_heads 3',
    ],
    [
      'rotary sections of another sum',
      (c) => ({ ...c, text_config: { ...c.text_config, rope_parameters: { mrope_section: [2, 2, 2] } } }),
      'mrope_section [2,2,2] sums to 6',
    ],
    [
      'no rotary sections',
      (c) => ({ ...c, text_config: { ...c.text_config, rope_parameters: {} } }),
      'has no mrope_section',
    ],
    [
      'stretched rotary positions',
      (c) => ({
        ...c,
        text_config: {
          ...c.text_config,
          rope_parameters: { rope_type: 'yarn', factor: 4, mrope_section: [2, 3, 3] },
        },
      }),
      'rotary positions of type "yarn"',
    ],
    [
      'sliding windows',
      (c) => ({ ...c, text_config: { ...c.text_config, use_sliding_window: true } }),
      'sliding-window attention is not supported',
    ],
    [
      'another head size',
      (c) => ({ ...c, text_config: { ...c.text_config, head_dim: 32 } }),
      'head_dim is 32',
    ],
    [
      'another activation',
      (c) => ({ ...c, vision_config: { ...c.vision_config, hidden_act: 'gelu' } }),
      'vision_config: hidden_act: only "silu"',
    ],
    [
      'a vision head size that is no multiple of 4',
      (c) => ({ ...c, vision_config: { ...c.vision_config, num_heads: 32 } }),
      'the vision head size 2 is not a multiple of 4',
    ],
    [
      'towers of different width',
      (c) => ({ ...c, vision_config: { ...c.vision_config, out_hidden_size: 32 } }),
      'out_hidden_size 32 is not the text hidden_size 64',
    ],
    [
      'a window smaller than a token',
      (c) => ({ ...c, vision_config: { ...c.vision_config, window_size: 14 } }),
      'window_size 14 is smaller',
    ],
    [
      'a picture token outside the vocabulary',
      (c) => ({ ...c, image_token_id: 700 }),
      'image_token_id 700 is outside the vocabulary of 672',
    ],
  ])('%s is an input error of one line that names file and key', (_, damage, message) => {
    const json = damage(golden());
    expect(() => parse(json)).toThrow(InputError);
    expect(() => parse(json)).toThrow(message);
    expect(() => parse(json)).toThrow(/^config\.json[^\n]*$/);
  });

  it('a text that is not JSON is an input error', () => {
    expect(() => parseConfig('{"model_type": "qwen2_5_vl"\n', 'a/config.json')).toThrow(
      /^a\/config\.json: not valid JSON[^\n]*$/,
    );
  });
});
