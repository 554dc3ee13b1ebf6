/**
 * Which patches attend to which in the vision tower. Most blocks attend within square windows of `window_size`
 * pixels laid out from the picture's top left corner (ragged at the right and the bottom), some over the whole
 * picture; patches of different pictures never see each other.
 *
 * Source: Bai et al. 2025, "Qwen2.5-VL Technical Report", section 2.1.1; transformers `modeling_qwen2_5_vl.py`,
 * get_window_index. transformers permutes the tokens so that windows are contiguous and undoes it after the
 * merger; the groups here name patches in the processor's own order, so nothing needs undoing.
 */
import type { Qwen25VlConfig } from './config.ts';
import type { Grid } from './positions.ts';

export interface AttentionGroups {
  /** Patch indices a window, into the pictures' patches one after another in the processor's order. */
  windows: Int32Array[];
  /** Patch indices a picture, for the blocks of full attention. */
  pictures: Int32Array[];
  /** The same in the form of transformers: merge blocks (merge² patches each) in window order … */
  windowIndex: Int32Array;
  /** … the patch counts at which windows begin and end in that order, from 0 … */
  cuWindowSeqlens: Int32Array;
  /** … and those at which pictures do. */
  cuSeqlens: Int32Array;
}

/** The attention groups of pictures with these grids, taken together. */
export function attentionGroups(grids: readonly Grid[], { vision }: Qwen25VlConfig): AttentionGroups {
  const side = Math.floor(vision.window / vision.merge / vision.patch);
  const blockPatches = vision.merge ** 2;
  const windows: Int32Array[] = [];
  const pictures: Int32Array[] = [];
  const windowIndex: number[] = [];
  const cuWindowSeqlens = [0];
  const cuSeqlens = [0];
  let firstBlock = 0;
  for (const { gridH, gridW } of grids) {
    const rows = gridH / vision.merge;
    const cols = gridW / vision.merge;
    for (let top = 0; top < rows; top += side)
      for (let left = 0; left < cols; left += side) {
        const begin = windowIndex.length;
        for (let row = top; row < Math.min(top + side, rows); row++)
          for (let col = left; col < Math.min(left + side, cols); col++)
            windowIndex.push(firstBlock + row * cols + col);
        windows.push(patchesOf(windowIndex.slice(begin), blockPatches));
        cuWindowSeqlens.push(windowIndex.length * blockPatches);
      }
    const firstPatch = firstBlock * blockPatches;
    pictures.push(Int32Array.from({ length: gridH * gridW }, (_, i) => firstPatch + i));
    firstBlock += rows * cols;
    cuSeqlens.push(firstBlock * blockPatches);
  }
  return {
    windows,
    pictures,
    windowIndex: Int32Array.from(windowIndex),
    cuWindowSeqlens: Int32Array.from(cuWindowSeqlens),
    cuSeqlens: Int32Array.from(cuSeqlens),
  };
}

function patchesOf(blocks: number[], blockPatches: number): Int32Array {
  const patches = new Int32Array(blocks.length * blockPatches);
  blocks.forEach((block, i) => {
    for (let j = 0; j < blockPatches; j++) patches[i * blockPatches + j] = block * blockPatches + j;
  });
  return patches;
}
