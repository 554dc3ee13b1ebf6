/** Reads a picture of the seeing world back by its pixels, knowing only how contents look. */

const PALETTE: Record<string, number[]> = {
  red: [220, 50, 50],
  green: [50, 180, 70],
  blue: [60, 90, 230],
  yellow: [235, 215, 60],
  ink: [30, 30, 30],
};

const CHARACTERS: Record<string, string[]> = {
  '1': ['.#.', '##.', '.#.', '.#.', '###'],
  '2': ['##.', '..#', '.#.', '#..', '###'],
  '3': ['##.', '..#', '.#.', '..#', '##.'],
  '4': ['#.#', '#.#', '###', '..#', '..#'],
  H: ['#.#', '#.#', '###', '#.#', '#.#'],
  K: ['#.#', '##.', '#..', '##.', '#.#'],
  L: ['#..', '#..', '#..', '#..', '###'],
  O: ['###', '#.#', '#.#', '#.#', '###'],
  R: ['##.', '#.#', '##.', '##.', '#.#'],
  S: ['.##', '#..', '.#.', '..#', '##.'],
  T: ['###', '.#.', '.#.', '.#.', '.#.'],
  U: ['#.#', '#.#', '#.#', '#.#', '###'],
};

type Pixel = (x: number, y: number) => number[];

/** Contents of an n×n grid in reading order. */
export function readPicture(rgb: Uint8Array, n: number): string[] {
  return Array.from({ length: n * n }, (_, index) => readCell(cellPixels(rgb, n, index)));
}

/** Row and column of a cell by its ruler ticks alone. */
export function readTicks(rgb: Uint8Array, n: number, index: number): [number, number] {
  const pixel = cellPixels(rgb, n, index);
  const dark = (x: number, y: number) => Math.max(...pixel(x, y)) < 60;
  const along = (at: (k: number) => boolean) => Array.from({ length: 28 }, (_, k) => k).filter(at);
  const left = along((y) => dark(0, y) && dark(1, y) && dark(2, y));
  const top = along((x) => dark(x, 0) && dark(x, 1) && dark(x, 2));
  if (left.length !== 5 || top.length !== 5)
    throw new Error(`ticks of ${left.length} and ${top.length} pixels`);
  return [(left[0] - 3) / 6, (top[0] - 3) / 6];
}

function cellPixels(rgb: Uint8Array, n: number, index: number): Pixel {
  const [row, column] = [Math.floor(index / n), index % n];
  return (x, y) => {
    const at = ((row * 28 + y) * 28 * n + column * 28 + x) * 3;
    return [rgb[at], rgb[at + 1], rgb[at + 2]];
  };
}

function readCell(pixel: Pixel): string {
  const painted: [number, number][] = [];
  for (let y = 3; y < 28; y++)
    for (let x = 3; x < 28; x++) if (distance(pixel(x, y), [235, 235, 235]) > 60) painted.push([x, y]);
  if (painted.length < 20) return 'empty';
  const mean = [0, 1, 2].map(
    (c) => painted.reduce((sum, [x, y]) => sum + pixel(x, y)[c], 0) / painted.length,
  );
  const colour = Object.keys(PALETTE).reduce((best, name) =>
    distance(mean, PALETTE[name]) < distance(mean, PALETTE[best]) ? name : best,
  );
  const width = 1 + Math.max(...painted.map(([x]) => x)) - Math.min(...painted.map(([x]) => x));
  const height = 1 + Math.max(...painted.map(([, y]) => y)) - Math.min(...painted.map(([, y]) => y));
  if (colour !== 'ink') {
    const filled = painted.length / (width * height);
    return `${colour} ${filled > 0.95 ? 'square' : filled > 0.7 ? 'circle' : 'triangle'}`;
  }
  const left = Math.min(...painted.map(([x]) => x));
  const top = Math.min(...painted.map(([, y]) => y));
  const seen = Array.from({ length: 5 }, (_, row) =>
    Array.from({ length: 3 }, (_, column) =>
      painted.some(([x, y]) => x === left + 4 * column + 1 && y === top + 3 * row + 1) ? '#' : '.',
    ).join(''),
  );
  const found = Object.keys(CHARACTERS).filter((name) => CHARACTERS[name].join() === seen.join());
  if (width !== 12 || height !== 15 || found.length !== 1) throw new Error(`no character: ${seen.join(' ')}`);
  return found[0];
}

function distance(a: number[], b: number[]): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
