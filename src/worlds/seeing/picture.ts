/**
 * A scene as pixels: 28×28 per cell (one merged vision token of Qwen2.5-VL), filled shapes and 3×5 bitmap characters
 * on grey, each shifted by up to one pixel, with Gaussian noise (standard deviation 6).
 *
 * Ruler ticks tell rows and columns apart, as a chessboard prints its coordinates: a black bar at the left edge of
 * every cell whose height says the row, one at the top edge whose place says the column. With them a look-up such as
 * "where is b2?" is a match of content; without them it has to be built from rotary positions alone, which a small
 * model learns much more slowly.
 */
import { keyed, type Random } from '../random.ts';
import { COLOURS, CONTENTS } from './vocabulary.ts';

/** Side of a cell in pixels. */
export const CELL_PIXELS = 28;

export interface RgbPicture {
  width: number;
  height: number;
  /** height × width × 3, row by row. */
  rgb: Uint8Array;
}

const BACKGROUND = 235;
const INK = 30;
const PAINT: Record<string, readonly [number, number, number]> = {
  red: [220, 50, 50],
  green: [50, 180, 70],
  blue: [60, 90, 230],
  yellow: [235, 215, 60],
};

// Five rows of three bits.
const FONT: Record<string, string> = {
  1: '010 110 010 010 111',
  2: '110 001 010 100 111',
  3: '110 001 010 001 110',
  4: '101 101 111 001 001',
  H: '101 101 111 101 101',
  K: '101 110 100 110 101',
  L: '100 100 100 100 111',
  O: '111 101 101 101 111',
  R: '110 101 110 110 101',
  S: '011 100 010 001 110',
  T: '111 010 010 010 010',
  U: '101 101 101 101 111',
};

const CELL_VALUES = CELL_PIXELS * CELL_PIXELS * 3;
const NOISE_TILES = 64;
const NOISE_DEVIATION = 6;

/** Paints n·n content ids. Shifts and noise come from `random`. */
export function drawPicture(cells: readonly number[], random: Random): RgbPicture {
  const n = Math.sqrt(cells.length);
  const side = n * CELL_PIXELS;
  const rgb = new Uint8Array(side * side * 3);
  const noise = noiseBank();
  cells.forEach((content, index) => {
    const [row, column] = [Math.floor(index / n), index % n];
    const values = sprite(content, random.below(3) - 1, random.below(3) - 1).slice();
    addTicks(values, row, column);
    const tile = noise[random.below(NOISE_TILES)];
    for (let y = 0; y < CELL_PIXELS; y++) {
      const from = y * CELL_PIXELS * 3;
      const to = ((row * CELL_PIXELS + y) * side + column * CELL_PIXELS) * 3;
      for (let i = 0; i < CELL_PIXELS * 3; i++)
        rgb[to + i] = Math.min(255, Math.max(0, values[from + i] + tile[from + i]));
    }
  });
  return { width: side, height: side, rgb };
}

/** A content without ticks and noise, shifted by (dx, dy): 28 × 28 × 3 values. */
export function sprite(content: number, dx: number, dy: number): Int16Array {
  const key = (content * 3 + dx + 1) * 3 + dy + 1;
  sprites[key] ??= paintSprite(CONTENTS[content].split(' '), dx, dy);
  return sprites[key];
}
const sprites: Int16Array[] = [];

function paintSprite([first, shape]: string[], dx: number, dy: number): Int16Array {
  const values = new Int16Array(CELL_VALUES).fill(BACKGROUND);
  const colour = COLOURS.includes(first) ? PAINT[first] : [INK, INK, INK];
  for (let row = 0; row < CELL_PIXELS; row++)
    for (let column = 0; column < CELL_PIXELS; column++) {
      // Shapes are centred one pixel right of and below the cell's middle (13.5), away from the ticks.
      const inside =
        shape !== undefined
          ? insideShape(shape, column - 14.5 - dx, row - 14.5 - dy)
          : first !== 'empty' && insideCharacter(FONT[first], column - 9 - dx, row - 7 - dy);
      if (inside) values.set(colour, (row * CELL_PIXELS + column) * 3);
    }
  return values;
}

function insideShape(shape: string, x: number, y: number): boolean {
  if (shape === 'circle') return x * x + y * y <= 64;
  if (shape === 'square') return Math.abs(x) <= 7 && Math.abs(y) <= 7;
  return y <= 7 && y >= -8 && Math.abs(x) <= (y + 8) * 0.58;
}

/** A font pixel is 4 wide and 3 high; (x, y) from the character's top left corner. */
function insideCharacter(bits: string, x: number, y: number): boolean {
  if (x < 0 || x >= 12 || y < 0 || y >= 15) return false;
  return bits[Math.floor(y / 3) * 4 + Math.floor(x / 4)] === '1';
}

function addTicks(values: Int16Array, row: number, column: number): void {
  for (let along = 3; along < 8; along++)
    for (let across = 0; across < 3; across++)
      for (let channel = 0; channel < 3; channel++) {
        values[((along + 6 * row) * CELL_PIXELS + across) * 3 + channel] = 0;
        values[(across * CELL_PIXELS + along + 6 * column) * 3 + channel] = 0;
      }
}

/** The same 64 tiles of noise for every picture of every seed: drawing them anew would cost more than all the rest. */
function noiseBank(): Int16Array[] {
  if (bank.length === 0) {
    const random = keyed('seeing', 'noise');
    for (let tile = 0; tile < NOISE_TILES; tile++)
      bank.push(
        Int16Array.from({ length: CELL_VALUES }, () => Math.round(NOISE_DEVIATION * random.normal())),
      );
  }
  return bank;
}
const bank: Int16Array[] = [];
