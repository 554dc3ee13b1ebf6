import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { patchPositions } from '../../src/models/qwen2-5-vl/positions.ts';
import { attentionGroups } from '../../src/models/qwen2-5-vl/windows.ts';
import { config, goldenTensors, gridOf, images } from './golden.ts';

describe('attention windows of the vision tower', () => {
  it.each(images)('$name: windows are those of transformers', ({ name, grid_thw }) => {
    const golden = goldenTensors('golden/images.safetensors');
    const groups = attentionGroups([gridOf(grid_thw)], config);
    expect([...groups.windowIndex]).toEqual(golden.get(`${name}.window_index`)!.data);
    expect([...groups.cuWindowSeqlens]).toEqual(golden.get(`${name}.cu_window_seqlens`)!.data);
    expect([...groups.cuSeqlens]).toEqual(golden.get(`${name}.cu_seqlens`)!.data);
  });

  it.each(['one_image', 'chart', 'two_images', 'multi_turn', 'batch'])(
    '%s: several pictures together are as in transformers',
    (name) => {
      const golden = goldenTensors(`golden/case_${name}.safetensors`);
      const { shape, data } = golden.get('image_grid_thw')!;
      const grids = Array.from({ length: shape[0] }, (_, i) => gridOf(data.slice(3 * i, 3 * i + 3)));
      const groups = attentionGroups(grids, config);
      expect([...groups.windowIndex]).toEqual(golden.get('window_index')!.data);
      expect([...groups.cuWindowSeqlens]).toEqual(golden.get('cu_window_seqlens')!.data);
      expect([...groups.cuSeqlens]).toEqual(golden.get('cu_seqlens')!.data);
    },
  );

  const side = fc.integer({ min: 1, max: 12 }).map((blocks) => 2 * blocks);
  const grid = fc.record({ gridH: side, gridW: side });

  it('every patch is in one window and one picture; two share a window where both their coordinates do', () => {
    fc.assert(
      fc.property(fc.array(grid, { minLength: 1, maxLength: 3 }), (grids) => {
        const groups = attentionGroups(grids, config);
        const windowOf = new Map<number, number>();
        groups.windows.forEach((window, w) => {
          for (const patch of window) windowOf.set(patch, w);
        });
        const patches = grids.reduce((sum, { gridH, gridW }) => sum + gridH * gridW, 0);
        expect(groups.windows.reduce((sum, window) => sum + window.length, 0)).toBe(patches);
        expect(windowOf.size).toBe(patches);
        // A window of 112 pixels is 8 patches a side.
        const keyOf = new Map<string, number>();
        groups.pictures.forEach((picture, p) => {
          const hw = patchPositions(grids[p], config);
          picture.forEach((patch, i) => {
            const key = [p, Math.floor(hw[2 * i] / 8), Math.floor(hw[2 * i + 1] / 8)].join();
            if (!keyOf.has(key)) keyOf.set(key, windowOf.get(patch)!);
            expect(windowOf.get(patch)).toBe(keyOf.get(key));
          });
        });
        expect(new Set(keyOf.values()).size).toBe(groups.windows.length);
      }),
    );
  });

  it('the windows one after another are the permutation of transformers, patch by patch', () => {
    fc.assert(
      fc.property(fc.array(grid, { minLength: 1, maxLength: 3 }), (grids) => {
        const { windows, windowIndex } = attentionGroups(grids, config);
        const permuted = [...windowIndex].flatMap((block) => [0, 1, 2, 3].map((j) => 4 * block + j));
        expect(windows.flatMap((window) => [...window])).toEqual(permuted);
      }),
    );
  });
});
