/** A model that has learnt nothing, as a regular Hugging Face folder: weights, tokenizer, chat template, processor. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolder } from '../data/atomic.ts';
import { worldChatTemplate } from '../data/chat/chat.ts';
import { wordLevelTokenizer } from '../data/chat/word-tokenizer.ts';
import { createLocalEngine } from '../engine/local/index.ts';
import type { Qwen25VlConfig } from '../models/qwen2-5-vl/config.ts';
import { type ProcessorConfig, smallPictureProcessor } from '../models/qwen2-5-vl/processor.ts';
import { MARKERS, SPECIAL, WORDS } from '../worlds/seeing/index.ts';

/** Sizes of a small Qwen2.5-VL; the rest follows from them and from the world's vocabulary. */
export interface Architecture {
  hidden: number;
  layers: number;
  heads: number;
  kv_heads: number;
  intermediate: number;
  vision_hidden: number;
  vision_layers: number;
  vision_heads: number;
  vision_intermediate: number;
}

const PATCH = 14;
const MERGE = 2;
const MAX_POSITIONS = 1024;

/** Writes the folder whole or not at all. */
export async function writeStartModel(dir: string, architecture: Architecture, seed: number): Promise<void> {
  const { tokenizerJson, tokenizerConfig, specialTokensMap } = wordLevelTokenizer(WORDS, MARKERS);
  const vocab = vocabularyOf(tokenizerJson);
  const { config } = startConfig(architecture);
  const engine = await createLocalEngine({
    source: { config, seed },
    trainable: false,
    provider: 'cpu',
    threads: 1,
    tokenBudget: 1,
  });
  try {
    await writeFolder(dir, async (folder) => {
      await engine.save(folder);
      const json = (name: string, value: unknown) =>
        writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
      await json('tokenizer.json', tokenizerJson);
      await json('tokenizer_config.json', { ...tokenizerConfig, chat_template: worldChatTemplate });
      await json('special_tokens_map.json', specialTokensMap);
      await json('generation_config.json', {
        eos_token_id: vocab[SPECIAL.end],
        pad_token_id: vocab[SPECIAL.pad],
        do_sample: false,
      });
      await writeFile(join(folder, 'chat_template.jinja'), worldChatTemplate);
    });
  } finally {
    await engine.dispose();
  }
}

/** What such a model is, without its weights. */
export function startConfig(architecture: Architecture): {
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
} {
  const vocabulary = vocabularyOf(wordLevelTokenizer(WORDS, MARKERS).tokenizerJson);
  const config = configOf(architecture, vocabulary);
  return { config, processor: smallPictureProcessor(config) };
}

function vocabularyOf(tokenizerJson: object): Record<string, number> {
  return (tokenizerJson as { model: { vocab: Record<string, number> } }).model.vocab;
}

function configOf(a: Architecture, vocab: Record<string, number>): Qwen25VlConfig {
  const headDim = a.hidden / a.heads;
  // the rotary frequencies, shared out evenly to time, height and width
  const section = Math.floor(headDim / 6);
  return {
    text: {
      hidden: a.hidden,
      layers: a.layers,
      heads: a.heads,
      kvHeads: a.kv_heads,
      headDim,
      intermediate: a.intermediate,
      vocabulary: Object.keys(vocab).length,
      rmsNormEps: 1e-6,
      ropeTheta: 10_000,
      mropeSection: [headDim / 2 - 2 * section, section, section],
      tied: true,
      maxPositions: MAX_POSITIONS,
    },
    vision: {
      depth: a.vision_layers,
      hidden: a.vision_hidden,
      heads: a.vision_heads,
      headDim: a.vision_hidden / a.vision_heads,
      intermediate: a.vision_intermediate,
      outHidden: a.hidden,
      patch: PATCH,
      temporalPatch: 2,
      merge: MERGE,
      window: 8 * PATCH,
      fullAttentionBlocks: Array.from({ length: a.vision_layers }, (_, i) => i),
      inChannels: 3,
    },
    tokens: {
      imagePad: vocab[SPECIAL.image],
      videoPad: null,
      visionStart: vocab[SPECIAL.visionStart],
      visionEnd: vocab[SPECIAL.visionEnd],
      bos: null,
      eos: vocab[SPECIAL.end],
      pad: vocab[SPECIAL.pad],
    },
  };
}
