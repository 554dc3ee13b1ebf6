/** A prompt as the list of token ids that transformers' processor makes of it: each picture as a run of placeholders. */
import type { Prompt } from '../../engine/types.ts';
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import { imageSegment } from '../../models/qwen2-5-vl/positions.ts';
import { type ProcessorConfig, pictureGrid } from '../../models/qwen2-5-vl/processor.ts';

/** Throws InputError for a picture that cannot be brought to size. */
export function promptIds(prompt: Prompt, config: Qwen25VlConfig, processor: ProcessorConfig): number[] {
  const ids: number[] = [];
  for (const chunk of prompt.chunks) {
    if ('tokens' in chunk) {
      for (const id of chunk.tokens) ids.push(id);
      continue;
    }
    const { width, height } = chunk.image;
    const { rows, cols } = imageSegment(pictureGrid(width, height, processor), config);
    for (let i = 0; i < rows * cols; i++) ids.push(config.tokens.imagePad);
  }
  return ids;
}
