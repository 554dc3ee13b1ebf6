/**
 * Where tokens and patches stand, and the rotary angles that say so.
 *
 * The decoder's positions have three axes (time, height, width): text advances all three by one; a picture that
 * begins at p gives its merged token (row, col) the position (p, p+row, p+col), and what follows begins at
 * p + max(rows, cols). Rotary frequency i of the head turns with the axis that `mrope_section` gives it.
 * Vision patches have two axes, half of the frequencies each.
 *
 * Source: transformers `modeling_qwen2_5_vl.py`, get_rope_index, Qwen2_5_VLRotaryEmbedding,
 * apply_multimodal_rotary_pos_emb, rot_pos_emb. As there, frequencies, products, cosines and sines are float32.
 * Every cosine and sine here stands once: the network uses it for dimension i and for i + headDim/2.
 */
import { InputError } from '../../errors.ts';
import type { Qwen25VlConfig } from './config.ts';

/** A picture's size in patches; both are multiples of the merge size. */
export interface Grid {
  gridH: number;
  gridW: number;
}

/** A stretch of a token list: `text` tokens (the vision_start and vision_end tokens are text), or a picture's merged grid. */
export type Segment = { text: number } | { rows: number; cols: number };

/** The rows of `cos` and `sin`, [n, headDim / 2] row-major. */
export interface RotaryRows {
  cos: Float32Array;
  sin: Float32Array;
}

/** A picture as the decoder sees it. */
export function imageSegment(
  { gridH, gridW }: Grid,
  { vision }: Qwen25VlConfig,
): { rows: number; cols: number } {
  return { rows: gridH / vision.merge, cols: gridW / vision.merge };
}

/**
 * The layout of a token list whose pictures are expanded: runs of the image placeholder are pictures of `grids`,
 * in order. Throws InputError where the placeholders are not as many as the pictures need.
 */
export function layoutOf(
  tokens: ArrayLike<number>,
  grids: readonly Grid[],
  config: Qwen25VlConfig,
): Segment[] {
  const layout: Segment[] = [];
  const { imagePad } = config.tokens;
  let picture = 0;
  for (let at = 0; at < tokens.length; ) {
    if (tokens[at] === imagePad) {
      if (picture === grids.length)
        throw new InputError(
          `token ${at} is an image placeholder, but only ${grids.length} pictures belong to the prompt`,
        );
      const { rows, cols } = imageSegment(grids[picture++], config);
      for (let i = 0; i < rows * cols; i++)
        if (tokens[at + i] !== imagePad)
          throw new InputError(
            `picture ${picture} of the prompt takes ${rows * cols} image placeholders, but has ${i}`,
          );
      layout.push({ rows, cols });
      at += rows * cols;
    } else {
      const start = at;
      while (at < tokens.length && tokens[at] !== imagePad) at++;
      layout.push({ text: at - start });
    }
  }
  if (picture < grids.length)
    throw new InputError(`the prompt has ${picture} pictures in its tokens, but ${grids.length} were given`);
  return layout;
}

/**
 * Positions of every token of `layout`, [n, 3] row-major (time, height, width), and the position of the token
 * that would follow (on all three axes).
 */
export function positionsOf(layout: readonly Segment[], start = 0): { positions: Int32Array; next: number } {
  let count = 0;
  for (const segment of layout) count += 'text' in segment ? segment.text : segment.rows * segment.cols;
  const positions = new Int32Array(3 * count);
  let next = start;
  let at = 0;
  for (const segment of layout) {
    if ('text' in segment) {
      for (let i = 0; i < segment.text; i++, at += 3) positions.fill(next++, at, at + 3);
    } else {
      for (let row = 0; row < segment.rows; row++)
        for (let col = 0; col < segment.cols; col++, at += 3) {
          positions[at] = next;
          positions[at + 1] = next + row;
          positions[at + 2] = next + col;
        }
      next += Math.max(segment.rows, segment.cols);
    }
  }
  return { positions, next };
}

/** Cosines and sines by position, computed once; grows with the positions that are asked for. */
export interface RopeTable {
  /** Radians a position, by frequency: [headDim / 2]. */
  frequencies: Float32Array;
  /** The axis (0 time, 1 height, 2 width) that each frequency turns with: [headDim / 2]. */
  axes: Uint8Array;
  /** Positions 0 … known-1 are in `cos` and `sin`, [known, headDim / 2]. */
  known: number;
  cos: Float32Array;
  sin: Float32Array;
}

export function ropeTable({ text }: Qwen25VlConfig): RopeTable {
  const [time, height, width] = text.mropeSection;
  return {
    frequencies: rotaryFrequencies(text.ropeTheta, text.headDim),
    axes: new Uint8Array(time + height + width).fill(1, time).fill(2, time + height),
    known: 0,
    cos: new Float32Array(0),
    sin: new Float32Array(0),
  };
}

/** The decoder's rotary rows for `positions` ([n, 3] row-major, none negative). Extends `table` where needed. */
export function mropeRows(positions: Int32Array, table: RopeTable): RotaryRows {
  const half = table.frequencies.length;
  let last = -1;
  for (let i = 0; i < positions.length; i++) if (positions[i] > last) last = positions[i];
  if (last >= table.known) extend(table, last + 1);
  const rows = positions.length / 3;
  const cos = new Float32Array(rows * half);
  const sin = new Float32Array(rows * half);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < half; i++) {
      const from = positions[3 * row + table.axes[i]] * half + i;
      cos[row * half + i] = table.cos[from];
      sin[row * half + i] = table.sin[from];
    }
  return { cos, sin };
}

/**
 * (row, column) of every patch in the processor's order, [patches, 2] row-major: merge blocks row by row, the
 * patches of a block row by row.
 */
export function patchPositions({ gridH, gridW }: Grid, { vision: { merge } }: Qwen25VlConfig): Int32Array {
  const positions = new Int32Array(2 * gridH * gridW);
  let at = 0;
  for (let blockRow = 0; blockRow < gridH; blockRow += merge)
    for (let blockCol = 0; blockCol < gridW; blockCol += merge)
      for (let row = blockRow; row < blockRow + merge; row++)
        for (let col = blockCol; col < blockCol + merge; col++) {
          positions[at++] = row;
          positions[at++] = col;
        }
  return positions;
}

/**
 * The vision tower's rotary rows of one picture, in the processor's order: [patches, headDim / 2], the first half
 * of the frequencies turning with the row, the second with the column.
 */
export function visionRope(grid: Grid, config: Qwen25VlConfig): RotaryRows {
  const frequencies = rotaryFrequencies(10000, config.vision.headDim / 2);
  const quarter = frequencies.length;
  const positions = patchPositions(grid, config);
  const cos = new Float32Array(positions.length * quarter);
  const sin = new Float32Array(positions.length * quarter);
  for (let i = 0; i < positions.length; i++)
    for (let j = 0; j < quarter; j++) {
      const angle = Math.fround(positions[i] * frequencies[j]);
      cos[i * quarter + j] = Math.cos(angle);
      sin[i * quarter + j] = Math.sin(angle);
    }
  return { cos, sin };
}

/** theta^(-2i/width) for i < width/2, every step rounded to float32. */
function rotaryFrequencies(theta: number, width: number): Float32Array {
  return Float32Array.from(
    { length: width / 2 },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / width)),
  );
}

function extend(table: RopeTable, atLeast: number): void {
  const half = table.frequencies.length;
  const known = Math.max(atLeast, 2 * table.known, 256);
  const cos = new Float32Array(known * half);
  const sin = new Float32Array(known * half);
  cos.set(table.cos);
  sin.set(table.sin);
  for (let position = table.known; position < known; position++)
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * table.frequencies[i]);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  Object.assign(table, { known, cos, sin });
}
