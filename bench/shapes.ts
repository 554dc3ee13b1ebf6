/** The models and batches that the benchmarks run: random weights, one distinct 112×112 picture a row (16 tokens). */
import type { Picture, Prompt, Sequence } from '../src/engine/types.ts';
import { parseConfig, type Qwen25VlConfig } from '../src/models/qwen2-5-vl/config.ts';

export interface BenchShape {
  hidden: number;
  layers: number;
  heads: number;
  kv: number;
  inter: number;
  visionDepth: number;
  visionHidden: number;
  visionHeads: number;
  visionInter: number;
  rows: number;
  prompt: number;
  completion: number;
}

const batch = { rows: 64, prompt: 64, completion: 64 };
export const SHAPES = {
  XS: {
    hidden: 128,
    layers: 4,
    heads: 4,
    kv: 2,
    inter: 384,
    visionDepth: 2,
    visionHidden: 128,
    visionHeads: 4,
    visionInter: 384,
    ...batch,
  },
  S: {
    hidden: 256,
    layers: 6,
    heads: 4,
    kv: 2,
    inter: 768,
    visionDepth: 4,
    visionHidden: 256,
    visionHeads: 4,
    visionInter: 768,
    ...batch,
  },
  M: {
    hidden: 512,
    layers: 8,
    heads: 8,
    kv: 4,
    inter: 1536,
    visionDepth: 6,
    visionHidden: 512,
    visionHeads: 8,
    visionInter: 1536,
    ...batch,
    rows: 16,
  },
} satisfies Record<string, BenchShape>;
export type ShapeName = keyof typeof SHAPES;

export const VOCABULARY = 512;
const PICTURE_SIDE = 112;
const PICTURE_TOKENS = 16;

export function configOf(shape: BenchShape): Qwen25VlConfig {
  const half = shape.hidden / shape.heads / 2;
  const time = Math.floor(half / 4);
  const rest = half - time;
  const json = {
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    model_type: 'qwen2_5_vl',
    vocab_size: VOCABULARY,
    hidden_size: shape.hidden,
    intermediate_size: shape.inter,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kv,
    rms_norm_eps: 1e-6,
    max_position_embeddings: 4096,
    rope_theta: 1e6,
    rope_scaling: { type: 'mrope', mrope_section: [time, Math.ceil(rest / 2), Math.floor(rest / 2)] },
    tie_word_embeddings: false,
    image_token_id: VOCABULARY - 4,
    video_token_id: VOCABULARY - 3,
    vision_start_token_id: VOCABULARY - 2,
    vision_end_token_id: VOCABULARY - 1,
    vision_config: {
      depth: shape.visionDepth,
      hidden_size: shape.visionHidden,
      intermediate_size: shape.visionInter,
      num_heads: shape.visionHeads,
      out_hidden_size: shape.hidden,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      window_size: 112,
      fullatt_block_indexes: [shape.visionDepth - 1],
    },
  };
  return parseConfig(JSON.stringify(json), 'bench');
}

export interface Batch {
  prompts: Prompt[];
  sequences: Sequence[];
  weights: number[][];
}

/** Rows of full length: 5 tokens, a picture with its two marks, text, then the completion. */
export function batchOf(shape: BenchShape): Batch {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const tokens = (count: number) => Array.from({ length: count }, () => random(VOCABULARY - 8));
  const prompts = Array.from({ length: shape.rows }, (_, row): Prompt => {
    const rgb = Uint8Array.from({ length: PICTURE_SIDE ** 2 * 3 }, () => random(256));
    const image: Picture = { width: PICTURE_SIDE, height: PICTURE_SIDE, rgb, hash: `picture ${row}` };
    const rest = shape.prompt - PICTURE_TOKENS - 6;
    return {
      chunks: [
        { tokens: [...tokens(4), VOCABULARY - 2] },
        { image },
        { tokens: [VOCABULARY - 1, ...tokens(rest)] },
      ],
    };
  });
  const sequences = prompts.map((prompt) => ({ prompt, completion: tokens(shape.completion) }));
  const weights = sequences.map(({ completion }) => completion.map(() => (random(2001) - 1000) / 1000));
  return { prompts, sequences, weights };
}
