/**
 * `config.json` of Qwen2_5_VLForConditionalGeneration: the sizes of the vision tower and the decoder.
 *
 * Read in both forms: flat, as the published checkpoints have it (text fields at the top, `rope_scaling` of
 * type mrope), and nested, as transformers 5 saves it (`text_config`, `rope_parameters`). Written flat: every
 * version of transformers that knows the model reads that. Defaults are those of transformers'
 * `configuration_qwen2_5_vl.py`. What this project does not compute (sliding windows, stretched rotary
 * positions, other activations) is refused rather than ignored.
 */
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { checked, parseJson, quoted } from '../json.ts';

export interface TextConfig {
  hidden: number;
  layers: number;
  /** Query heads; `kvHeads` key/value heads serve heads/kvHeads of them each. */
  heads: number;
  kvHeads: number;
  headDim: number;
  intermediate: number;
  vocabulary: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** Rotary frequencies by axis (time, height, width); they sum to headDim / 2. */
  mropeSection: [number, number, number];
  /** The output matrix is the embedding; there is no lm_head.weight then. */
  tied: boolean;
  maxPositions: number;
}

export interface VisionConfig {
  depth: number;
  hidden: number;
  heads: number;
  headDim: number;
  intermediate: number;
  outHidden: number;
  /** Side of a patch, pixels. */
  patch: number;
  /** Frames a patch; a still picture is repeated to fill it. */
  temporalPatch: number;
  /** Side of a merge block, patches: merge² patches become one token. */
  merge: number;
  /** Side of an attention window, pixels. */
  window: number;
  /** Blocks that attend over the whole picture; the others within windows. */
  fullAttentionBlocks: number[];
  inChannels: number;
}

export interface SpecialTokens {
  imagePad: number;
  videoPad: number | null;
  visionStart: number;
  visionEnd: number;
  bos: number | null;
  eos: number | null;
  pad: number | null;
}

export interface Qwen25VlConfig {
  text: TextConfig;
  vision: VisionConfig;
  tokens: SpecialTokens;
}

export const ARCHITECTURE = 'Qwen2_5_VLForConditionalGeneration';
export const MODEL_TYPE = 'qwen2_5_vl';

const size = z.int().min(1).max(100_000_000);
const token = z.int().min(0).max(100_000_000);
const optionalToken = z.union([token, z.array(token).min(1), z.null()]).optional();
const rope = z.looseObject({
  type: z.string().optional(),
  rope_type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  mrope_section: z.array(size).length(3).optional(),
});
const textSchema = z.looseObject({
  hidden_size: size,
  num_hidden_layers: size.max(1024),
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  intermediate_size: size,
  vocab_size: size,
  rms_norm_eps: z.number().positive().max(1).default(1e-5),
  rope_theta: z.number().positive().optional(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
  max_position_embeddings: size.default(32768),
  hidden_act: z.literal('silu', { error: 'only "silu" is supported' }).default('silu'),
  use_sliding_window: z.literal(false, { error: 'sliding-window attention is not supported' }).nullish(),
  layer_types: z
    .array(z.literal('full_attention', { error: 'only "full_attention" is supported' }))
    .nullish(),
  tie_word_embeddings: z.boolean().optional(),
});
const visionSchema = z.looseObject({
  depth: size.max(1024).default(32),
  hidden_size: size.default(3584),
  num_heads: size.default(16),
  intermediate_size: size.default(3420),
  out_hidden_size: size.default(3584),
  patch_size: size.max(1024).default(14),
  temporal_patch_size: size.max(64).default(2),
  spatial_merge_size: size.max(64).default(2),
  window_size: size.default(112),
  fullatt_block_indexes: z.array(z.int().min(0)).default([7, 15, 23, 31]),
  in_channels: size.optional(),
  in_chans: size.optional(),
  hidden_act: z.literal('silu', { error: 'only "silu" is supported' }).default('silu'),
});
const topSchema = z.looseObject({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string(),
  image_token_id: token.optional(),
  video_token_id: token.nullish(),
  vision_start_token_id: token.optional(),
  vision_end_token_id: token.optional(),
  bos_token_id: optionalToken,
  eos_token_id: optionalToken,
  pad_token_id: optionalToken,
  tie_word_embeddings: z.boolean().optional(),
  text_config: z.looseObject({}).nullish(),
  vision_config: z.looseObject({}),
});

/** Parses the text of a config.json. Throws InputError: one line naming `file` and the key. */
export function parseConfig(text: string, file: string): Qwen25VlConfig {
  const json = parseJson(text, file);
  refuseOtherModels(json, file);
  const top = checked(topSchema, json, file);
  const nested = top.text_config ?? undefined;
  const textAt = nested ? `${file}: text_config` : file;
  const t = checked(textSchema, nested ?? json, textAt);
  const v = checked(visionSchema, top.vision_config, `${file}: vision_config`);
  // Between 4.52 and 5 transformers wrote token ids at the top, in text_config or in both.
  const either = checked(topSchema, { ...nested, ...compact(top) }, file);
  const ropeOf = t.rope_parameters ?? t.rope_scaling ?? {};
  const ropeType = ropeOf.rope_type ?? ropeOf.type ?? 'default';
  if (ropeType !== 'default' && ropeType !== 'mrope')
    throw new InputError(
      `${textAt}: rotary positions of type ${quoted(ropeType)} are not supported; only unscaled mrope is`,
    );
  if (!ropeOf.mrope_section)
    throw new InputError(`${textAt}: has no mrope_section in rope_scaling or rope_parameters`);
  const config: Qwen25VlConfig = {
    text: {
      hidden: t.hidden_size,
      layers: t.num_hidden_layers,
      heads: t.num_attention_heads,
      kvHeads: t.num_key_value_heads ?? t.num_attention_heads,
      headDim: t.hidden_size / t.num_attention_heads,
      intermediate: t.intermediate_size,
      vocabulary: t.vocab_size,
      rmsNormEps: t.rms_norm_eps,
      ropeTheta: ropeOf.rope_theta ?? t.rope_theta ?? 1e6,
      mropeSection: ropeOf.mrope_section as [number, number, number],
      tied: top.tie_word_embeddings || t.tie_word_embeddings || false,
      maxPositions: t.max_position_embeddings,
    },
    vision: {
      depth: v.depth,
      hidden: v.hidden_size,
      heads: v.num_heads,
      headDim: v.hidden_size / v.num_heads,
      intermediate: v.intermediate_size,
      outHidden: v.out_hidden_size,
      patch: v.patch_size,
      temporalPatch: v.temporal_patch_size,
      merge: v.spatial_merge_size,
      window: v.window_size,
      fullAttentionBlocks: v.fullatt_block_indexes,
      inChannels: v.in_channels ?? v.in_chans ?? 3,
    },
    tokens: {
      imagePad: either.image_token_id ?? 151655,
      videoPad: either.video_token_id ?? null,
      visionStart: either.vision_start_token_id ?? 151652,
      visionEnd: either.vision_end_token_id ?? 151653,
      bos: firstToken(either.bos_token_id),
      eos: firstToken(either.eos_token_id),
      pad: firstToken(either.pad_token_id),
    },
  };
  if (t.head_dim != null && t.head_dim !== config.text.headDim)
    throw new InputError(
      `${textAt}: head_dim is ${t.head_dim}, but hidden_size / num_attention_heads is ${config.text.headDim}; this architecture has no other head size`,
    );
  checkConfig(config, file);
  return config;
}

/**
 * Holds a config to what the architecture's equations need (divisibility, equal widths, token ids within the
 * vocabulary). Throws InputError: one line that begins with `file`.
 */
export function checkConfig({ text, vision, tokens }: Qwen25VlConfig, file: string): void {
  const need = (holds: boolean, what: string) => {
    if (!holds) throw new InputError(`${file}: ${what}`);
  };
  const multiple = (a: number, nameOfA: string, b: number, nameOfB: string) =>
    need(a % b === 0, `${nameOfA} ${a} is not a multiple of ${nameOfB} ${b}`);
  multiple(text.hidden, 'hidden_size', text.heads, 'num_attention_heads');
  multiple(text.heads, 'num_attention_heads', text.kvHeads, 'num_key_value_heads');
  need(text.headDim % 2 === 0, `the head size ${text.headDim} is odd; rotary positions turn pairs`);
  const sections = text.mropeSection.reduce((a, b) => a + b, 0);
  need(
    sections === text.headDim / 2,
    `mrope_section [${text.mropeSection}] sums to ${sections}, not to half the head size, ${text.headDim / 2}`,
  );
  multiple(vision.hidden, 'vision_config hidden_size', vision.heads, 'num_heads');
  need(vision.headDim % 4 === 0, `the vision head size ${vision.headDim} is not a multiple of 4`);
  need(
    vision.outHidden === text.hidden,
    `vision_config out_hidden_size ${vision.outHidden} is not the text hidden_size ${text.hidden}`,
  );
  need(vision.inChannels === 3, `vision_config in_channels is ${vision.inChannels}; pictures have 3`);
  need(
    vision.window >= vision.patch * vision.merge,
    `vision_config window_size ${vision.window} is smaller than one merge block, ${vision.patch * vision.merge}`,
  );
  const ids = {
    image_token_id: tokens.imagePad,
    vision_start_token_id: tokens.visionStart,
    vision_end_token_id: tokens.visionEnd,
  };
  for (const [key, id] of Object.entries(ids))
    need(id < text.vocabulary, `${key} ${id} is outside the vocabulary of ${text.vocabulary}`);
}

/** A config.json (as a plain object, for JSON.stringify) that this project and transformers load. */
export function configJson({ text, vision, tokens }: Qwen25VlConfig): Record<string, unknown> {
  return {
    architectures: [ARCHITECTURE],
    attention_dropout: 0,
    bos_token_id: tokens.bos,
    eos_token_id: tokens.eos,
    pad_token_id: tokens.pad,
    vision_start_token_id: tokens.visionStart,
    vision_end_token_id: tokens.visionEnd,
    image_token_id: tokens.imagePad,
    ...(tokens.videoPad === null ? {} : { video_token_id: tokens.videoPad }),
    hidden_act: 'silu',
    hidden_size: text.hidden,
    initializer_range: 0.02,
    intermediate_size: text.intermediate,
    max_position_embeddings: text.maxPositions,
    max_window_layers: text.layers,
    model_type: MODEL_TYPE,
    num_attention_heads: text.heads,
    num_hidden_layers: text.layers,
    num_key_value_heads: text.kvHeads,
    rms_norm_eps: text.rmsNormEps,
    rope_theta: text.ropeTheta,
    sliding_window: 4096,
    tie_word_embeddings: text.tied,
    torch_dtype: 'float32',
    use_cache: true,
    use_sliding_window: false,
    vision_config: {
      depth: vision.depth,
      hidden_act: 'silu',
      hidden_size: vision.hidden,
      intermediate_size: vision.intermediate,
      num_heads: vision.heads,
      in_channels: vision.inChannels,
      in_chans: vision.inChannels,
      out_hidden_size: vision.outHidden,
      patch_size: vision.patch,
      spatial_merge_size: vision.merge,
      spatial_patch_size: vision.patch,
      window_size: vision.window,
      fullatt_block_indexes: vision.fullAttentionBlocks,
      tokens_per_second: 2,
      temporal_patch_size: vision.temporalPatch,
    },
    rope_scaling: { type: 'mrope', mrope_section: text.mropeSection },
    vocab_size: text.vocabulary,
  };
}

function refuseOtherModels(json: unknown, file: string): void {
  const { model_type: type, architectures, quantization_config, text_config } = (json ?? {}) as JsonObject;
  const ours = `give a ${ARCHITECTURE} checkpoint`;
  if (Array.isArray(architectures) && architectures.length > 0 && !architectures.includes(ARCHITECTURE))
    throw new InputError(`${file}: architectures: ${bare(architectures[0])} is not supported; ${ours}`);
  if (typeof type !== 'string')
    throw new InputError(`${file}: has no model_type; not the config.json of a Hugging Face model`);
  if (type !== MODEL_TYPE)
    throw new InputError(`${file}: model_type: ${bare(type)} is not supported; ${ours}`);
  const quantised =
    quantization_config ?? (text_config as JsonObject | null | undefined)?.quantization_config;
  if (quantised != null) {
    const method = bare((quantised as JsonObject).quant_method ?? 'unnamed');
    throw new InputError(
      `${file}: quantization_config: weights quantised by ${method} are not supported; give the checkpoint they were made from, in bfloat16, float16 or float32`,
    );
  }
}

type JsonObject = Record<string, unknown>;

/** A name out of the file, quoted only where it is not a plain word. */
function bare(name: unknown): string {
  return /^[\w.-]{1,120}$/.test(String(name)) ? String(name) : quoted(String(name));
}

function compact(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value != null));
}

function firstToken(id: number | number[] | null | undefined): number | null {
  return (Array.isArray(id) ? id[0] : id) ?? null;
}
