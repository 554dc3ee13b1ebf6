import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
import {
  layoutOf,
  mropeRows,
  patchPositions,
  positionsOf,
  ropeTable,
  type Segment,
  visionRope,
} from '../../src/models/qwen2-5-vl/positions.ts';
import { config, goldenTensors, gridOf, images } from './golden.ts';

const cases = ['text_only', 'one_image', 'chart', 'two_images', 'multi_turn', 'batch'];

/** Rows of a [n, columns] tensor. */
const rowsOf = ({ shape, data }: { shape: number[]; data: number[] }) =>
  Array.from({ length: shape[0] }, (_, i) => data.slice(i * shape[1], (i + 1) * shape[1]));

describe('positions of tokens', () => {
  it.each(cases)('%s: all three axes and the next position are those of transformers', (name) => {
    const golden = goldenTensors(`golden/case_${name}.safetensors`);
    const grids = golden.has('image_grid_thw') ? rowsOf(golden.get('image_grid_thw')!).map(gridOf) : [];
    const want = golden.get('position_ids')!;
    const [, batch, columns] = want.shape;
    const row = (key: string, r: number) => rowsOf(golden.get(key)!)[r];
    for (let r = 0; r < batch; r++) {
      const ids = [...row('prompt_ids', r), ...row('completion_ids', r)];
      const mask = [...row('prompt_mask', r), ...row('completion_mask', r)];
      const kept = ids.map((_, i) => i).filter((i) => mask[i] === 1);
      const tokens = kept.map((i) => ids[i]);
      const own = grids.splice(0, tokens.filter((id) => id === config.tokens.visionStart).length);
      const { positions, next } = positionsOf(layoutOf(tokens, own, config));
      const axis = (a: number) => tokens.map((_, i) => positions[3 * i + a]);
      for (const a of [0, 1, 2])
        expect(axis(a)).toEqual(kept.map((i) => want.data[(a * batch + r) * columns + i]));
      expect(next - tokens.length).toBe(golden.get('rope_deltas')!.data[r]);
    }
  });

  it('text alone counts 0, 1, 2, … on every axis', () => {
    expect([...positionsOf([{ text: 3 }]).positions]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
  });

  it('a layout in two parts has the positions of the whole', () => {
    const segment = fc.oneof(
      fc.record({ text: fc.nat(5) }),
      fc.record({ rows: fc.integer({ min: 1, max: 4 }), cols: fc.integer({ min: 1, max: 4 }) }),
    );
    const layout = fc.array<Segment>(segment, { maxLength: 6 });
    fc.assert(
      fc.property(layout, layout, (a, b) => {
        const whole = positionsOf([...a, ...b]);
        const first = positionsOf(a);
        const second = positionsOf(b, first.next);
        expect([...whole.positions]).toEqual([...first.positions, ...second.positions]);
        expect(whole.next).toBe(second.next);
      }),
    );
  });

  it('placeholders that are not as many as the pictures need are an input error', () => {
    const pad = config.tokens.imagePad;
    const grid = { gridH: 4, gridW: 2 };
    expect(layoutOf([1, pad, pad, 2], [grid], config)).toEqual([
      { text: 1 },
      { rows: 2, cols: 1 },
      { text: 1 },
    ]);
    expect(() => layoutOf([1, pad, 2], [grid], config)).toThrow(InputError);
    expect(() => layoutOf([1, pad, pad, pad], [grid], config)).toThrow(InputError);
    expect(() => layoutOf([1, 2], [grid], config)).toThrow(InputError);
  });
});

describe('rotary angles of tokens', () => {
  const half = config.text.headDim / 2;

  it('frequency i of position p turns by p · theta^(-2i/headDim), on the axis of its section', () => {
    const { positions } = positionsOf([{ text: 5 }, { rows: 3, cols: 4 }, { text: 300 }]);
    const { cos, sin } = mropeRows(positions, ropeTable(config));
    const axes = [0, 0, 1, 1, 1, 2, 2, 2]; // mrope_section 2, 3, 3
    for (let n = 0; n < positions.length / 3; n++)
      for (let i = 0; i < half; i++) {
        const angle = positions[3 * n + axes[i]] * config.text.ropeTheta ** ((-2 * i) / config.text.headDim);
        expect(Math.abs(cos[n * half + i] - Math.cos(angle))).toBeLessThan(2e-5);
        expect(Math.abs(sin[n * half + i] - Math.sin(angle))).toBeLessThan(2e-5);
      }
  });

  it('a table that grew gives the rows of a fresh one', () => {
    const table = ropeTable(config);
    const rows = (start: number) => mropeRows(positionsOf([{ text: 3 }], start).positions, table);
    for (const start of [0, 254, 3000, 10]) {
      const fresh = mropeRows(positionsOf([{ text: 3 }], start).positions, ropeTable(config));
      expect(rows(start)).toEqual(fresh);
    }
    expect(rows(0).cos[0]).toBe(1);
  });
});

describe('positions of patches', () => {
  it.each(images)('$name: rows and columns in the order of transformers', ({ name, grid_thw }) => {
    const want = goldenTensors('golden/images.safetensors').get(`${name}.vision_position_ids_hw`)!;
    expect([...patchPositions(gridOf(grid_thw), config)]).toEqual(want.data);
  });

  it('half of the frequencies turn with the row, half with the column', () => {
    const { cos, sin } = visionRope({ gridH: 4, gridW: 6 }, config);
    const width = config.vision.headDim / 2;
    const positions = patchPositions({ gridH: 4, gridW: 6 }, config);
    expect(cos.length).toBe(24 * width);
    for (let n = 0; n < 24; n++)
      for (let i = 0; i < width; i++) {
        const [axis, j] = [Math.floor(i / (width / 2)), i % (width / 2)];
        const angle = positions[2 * n + axis] * 10000 ** ((-2 * j) / width);
        expect(Math.abs(cos[n * width + i] - Math.cos(angle))).toBeLessThan(1e-6);
        expect(Math.abs(sin[n * width + i] - Math.sin(angle))).toBeLessThan(1e-6);
      }
  });
});
