import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
import {
  checkProcessor,
  parseProcessor,
  preprocess,
  processorJson,
  smallPictureProcessor,
  smartResize,
} from '../../src/models/qwen2-5-vl/processor.ts';
import { resizeBicubic } from '../../src/models/resize.ts';
import { config, goldenJson, goldenTensors, images, processor, rgbOf, sourceRgb } from './golden.ts';

const tensors = goldenTensors('golden/images.safetensors');
const small = smallPictureProcessor(config);

describe('preprocessor_config.json', () => {
  it('is read with min_pixels and max_pixels, as the published folders have it', () => {
    expect(processor).toEqual({
      minPixels: 3136,
      maxPixels: 50176,
      patch: 14,
      merge: 2,
      temporalPatch: 2,
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
      resize: true,
    });
  });

  it('is read with the bounds under size, and nested under image_processor, as transformers 5 saves it', () => {
    const { min_pixels, max_pixels, ...rest } = goldenJson('model/preprocessor_config.json');
    const inner = { ...rest, size: { shortest_edge: min_pixels, longest_edge: max_pixels } };
    expect(parseProcessor(JSON.stringify(inner), 'p')).toEqual(processor);
    expect(parseProcessor(JSON.stringify({ image_processor: inner }), 'p')).toEqual(processor);
  });

  it('what is written is read back as the same', () => {
    for (const p of [processor, small])
      expect(parseProcessor(JSON.stringify(processorJson(p)), 'p')).toEqual(p);
  });

  it.each([
    [{ do_normalize: false }, 'p: do_normalize: only true'],
    [{ resample: 2 }, 'p: resample: only 3'],
    [{ rescale_factor: 1 }, 'p: rescale_factor: only 1/255'],
    [{ image_std: [1, 0, 1] }, 'p: image_std.1:'],
    [{ min_pixels: 10, max_pixels: 9 }, 'p: min_pixels 10 is more than max_pixels 9'],
    [{ patch_size: '14' }, 'p: patch_size:'],
  ])('%j is an input error that names file and key', (json, message) => {
    expect(() => parseProcessor(JSON.stringify(json), 'p')).toThrow(InputError);
    expect(() => parseProcessor(JSON.stringify(json), 'p')).toThrow(message);
  });

  it('patches of another size than the vision tower takes are an input error', () => {
    expect(() => checkProcessor(processor, config, 'p')).not.toThrow();
    expect(() => checkProcessor({ ...processor, patch: 16 }, config, 'p')).toThrow(
      'p: patch_size is 16, but config.json says 14',
    );
  });
});

describe('the size of a picture', () => {
  it.each(goldenJson('golden/images.json')['smart_resize[h,w,min,max,[H,W]]'] as number[][])(
    '%i×%i within %i…%i pixels is resized as transformers resizes it',
    (height, width, minPixels, maxPixels, want) => {
      const to = smartResize(width, height, { ...processor, minPixels, maxPixels });
      expect([to.height, to.width]).toEqual(want);
    },
  );

  it('sides are multiples of a merge block, the area stays within the bounds', () => {
    const side = fc.integer({ min: 1, max: 3000 });
    fc.assert(
      fc.property(side, side, (width, height) => {
        fc.pre(Math.max(width, height) / Math.min(width, height) <= 50);
        const to = smartResize(width, height, processor);
        expect([to.width % 28, to.height % 28]).toEqual([0, 0]);
        expect(to.width * to.height).toBeGreaterThanOrEqual(processor.minPixels);
        expect(to.width * to.height).toBeLessThanOrEqual(processor.maxPixels);
      }),
    );
  });

  it('a strip longer than 200 times its width is an input error', () => {
    expect(() => smartResize(2010, 10, processor)).toThrow(InputError);
  });
});

describe('the pixels of a picture', () => {
  it.each(images)('$name.png: the resized bytes are those of torchvision, every one', async (image) => {
    const { rgb, width, height } = await sourceRgb(image);
    expect([width, height]).toEqual([image.width, image.height]);
    const got = resizeBicubic(rgb, width, height, image.resized_width, image.resized_height);
    const want = await rgbOf(`images/${image.name}.resized.png`);
    expect(Buffer.compare(got, want.rgb)).toBe(0);
    expect(createHash('sha256').update(got).digest('hex')).toBe(image.sha256_resized_rgb_u8);
  });

  it.each(images)('$name.png: patches and grid are those of transformers', async (image) => {
    const { rgb, width, height } = await sourceRgb(image);
    const { patches, gridH, gridW } = preprocess(rgb, width, height, processor);
    expect([1, gridH, gridW]).toEqual(image.grid_thw);
    const want = tensors.get(`${image.name}.pixel_values_t0`);
    if (want) {
      expect(want.shape).toEqual([gridH * gridW, 588]);
      let worst = 0;
      want.data.forEach((x, i) => {
        worst = Math.max(worst, Math.abs(x - patches[i]));
      });
      expect(worst).toBeLessThan(1e-6);
    }
    // The golden sums run over both of the equal temporal planes.
    let sum = 0;
    let squares = 0;
    for (const x of patches) {
      sum += 2 * x;
      squares += 2 * x * x;
    }
    expect(Math.abs(sum - image.pixel_sum)).toBeLessThan(1e-6 * patches.length);
    expect(Math.abs(squares / image.pixel_sqsum - 1)).toBeLessThan(1e-6);
  });

  it('a picture of one colour stays of one colour, whatever the sizes', () => {
    const side = fc.integer({ min: 1, max: 90 });
    fc.assert(
      fc.property(side, side, side, side, fc.nat(255), (width, height, toWidth, toHeight, level) => {
        const rgb = new Uint8Array(width * height * 3).fill(level);
        expect(resizeBicubic(rgb, width, height, toWidth, toHeight).every((x) => x === level)).toBe(true);
      }),
    );
  });

  it('a drawn picture whose sides fit is not resampled: its pixels are scaled to [-1, 1]', () => {
    const rgb = Uint8Array.from({ length: 28 * 56 * 3 }, (_, i) => (i * 7) % 256);
    const { patches, gridH, gridW } = preprocess(rgb, 56, 28, small);
    expect([gridH, gridW]).toEqual([2, 4]);
    const at = (x: number, y: number, channel: number) =>
      Math.fround(rgb[(y * 56 + x) * 3 + channel] / 127.5 - 1);
    // Patch 5: second merge block, upper right patch; pixel (3, 2) of it.
    expect(patches[5 * 588 + 1 * 196 + 2 * 14 + 3]).toBeCloseTo(at(28 + 14 + 3, 2, 1), 6);
    // Patch 2: first merge block, lower left patch.
    expect(patches[2 * 588]).toBeCloseTo(at(0, 14, 0), 6);
  });

  it('where do_resize is false, sides that do not fit are an input error', () => {
    const rgb = new Uint8Array(30 * 28 * 3);
    expect(() => preprocess(rgb, 30, 28, { ...small, resize: false })).toThrow(InputError);
  });
});
