/**
 * From a picture to the vision tower's input: resize to a multiple of the merge block that keeps the pixel count
 * within bounds, normalise, cut into patches. Reads and writes `preprocessor_config.json`.
 *
 * Source: transformers `image_processing_qwen2_vl.py` (the torchvision processor, its default), smart_resize.
 * It repeats a still picture `temporal_patch_size` times; since the planes are equal we return one, and the patch
 * embedding sums its weights over time instead.
 */
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { checked, parseJson } from '../json.ts';
import { resizeBicubic } from '../resize.ts';
import type { Qwen25VlConfig } from './config.ts';

export interface ProcessorConfig {
  /** Bounds on height × width after resizing, pixels. */
  minPixels: number;
  maxPixels: number;
  /** Side of a patch, pixels. */
  patch: number;
  /** Side of a merge block, patches. */
  merge: number;
  temporalPatch: number;
  /** Per channel, of intensities in [0, 1]. */
  mean: [number, number, number];
  std: [number, number, number];
  /** False: a picture whose sides are not multiples of patch · merge is refused. */
  resize: boolean;
}

/** A picture in patches: `patches` is [gridH · gridW, 3 · patch · patch] row-major. */
export interface PatchedPicture {
  patches: Float32Array;
  gridH: number;
  gridW: number;
}

const pixels = z.int().min(1).max(1_000_000_000);
const channels = z.tuple([z.number(), z.number(), z.number()]);
const deviations = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]);
const always = z.literal(true, { error: 'only true is supported' }).nullish();
const schema = z.looseObject({
  min_pixels: pixels.nullish(),
  max_pixels: pixels.nullish(),
  size: z
    .looseObject({
      shortest_edge: pixels.nullish(),
      longest_edge: pixels.nullish(),
      min_pixels: pixels.nullish(),
      max_pixels: pixels.nullish(),
    })
    .nullish(),
  patch_size: z.int().min(1).max(1024).default(14),
  merge_size: z.int().min(1).max(64).default(2),
  temporal_patch_size: z.int().min(1).max(64).default(2),
  image_mean: channels.default([0.48145466, 0.4578275, 0.40821073]),
  image_std: deviations.default([0.26862954, 0.26130258, 0.27577711]),
  do_resize: z.boolean().nullish(),
  do_rescale: always,
  do_normalize: always,
  rescale_factor: z
    .number()
    .refine((factor) => Math.abs(factor * 255 - 1) < 1e-9, { error: 'only 1/255 is supported' })
    .nullish(),
  resample: z.literal(3, { error: 'only 3 (bicubic) is supported' }).nullish(),
});

/**
 * Parses the text of a preprocessor_config.json, or of the processor_config.json that transformers 5 saves
 * (the same under `image_processor`). Throws InputError: one line naming `file` and the key.
 */
export function parseProcessor(text: string, file: string): ProcessorConfig {
  const json = parseJson(text, file);
  const nested = (json as { image_processor?: unknown } | null)?.image_processor;
  const p = checked(schema, nested ?? json, file);
  const config: ProcessorConfig = {
    minPixels: p.min_pixels ?? p.size?.shortest_edge ?? p.size?.min_pixels ?? 56 * 56,
    maxPixels: p.max_pixels ?? p.size?.longest_edge ?? p.size?.max_pixels ?? 28 * 28 * 1280,
    patch: p.patch_size,
    merge: p.merge_size,
    temporalPatch: p.temporal_patch_size,
    mean: p.image_mean,
    std: p.image_std,
    resize: p.do_resize ?? true,
  };
  if (config.minPixels > config.maxPixels)
    throw new InputError(
      `${file}: min_pixels ${config.minPixels} is more than max_pixels ${config.maxPixels}`,
    );
  return config;
}

/** Throws InputError where the processor cuts other patches than the vision tower takes. */
export function checkProcessor(processor: ProcessorConfig, { vision }: Qwen25VlConfig, file: string): void {
  for (const [key, of] of Object.entries({
    patch_size: 'patch',
    merge_size: 'merge',
    temporal_patch_size: 'temporalPatch',
  } as const))
    if (processor[of] !== vision[of])
      throw new InputError(`${file}: ${key} is ${processor[of]}, but config.json says ${vision[of]}`);
}

/** A processor for small drawn pictures: intensities go to [-1, 1]; a picture as large as one merge block is not enlarged. */
export function smallPictureProcessor({ vision }: Qwen25VlConfig): ProcessorConfig {
  return {
    minPixels: (vision.patch * vision.merge) ** 2,
    maxPixels: 28 * 28 * 1280,
    patch: vision.patch,
    merge: vision.merge,
    temporalPatch: vision.temporalPatch,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    resize: true,
  };
}

/** A preprocessor_config.json (as a plain object) that this project and transformers load. */
export function processorJson(config: ProcessorConfig): Record<string, unknown> {
  return {
    min_pixels: config.minPixels,
    max_pixels: config.maxPixels,
    patch_size: config.patch,
    temporal_patch_size: config.temporalPatch,
    merge_size: config.merge,
    image_mean: config.mean,
    image_std: config.std,
    do_resize: config.resize,
    image_processor_type: 'Qwen2VLImageProcessor',
    processor_class: 'Qwen2_5_VLProcessor',
  };
}

/**
 * The size a picture is resized to: sides rounded to multiples of patch · merge, then shrunk or grown so that the
 * area lies within the bounds. Throws InputError beyond an aspect ratio of 200.
 */
export function smartResize(
  width: number,
  height: number,
  { patch, merge, minPixels, maxPixels }: ProcessorConfig,
): { width: number; height: number } {
  const factor = patch * merge;
  if (Math.max(width, height) / Math.min(width, height) > 200)
    throw new InputError(
      `a picture of ${width}×${height} pixels is too long: the model takes aspect ratios up to 200; crop it`,
    );
  const area = (to: { width: number; height: number }) => to.width * to.height;
  const rounded = {
    width: roundHalfEven(width / factor) * factor,
    height: roundHalfEven(height / factor) * factor,
  };
  if (area(rounded) > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels);
    const shrunk = (side: number) => Math.max(factor, Math.floor(side / beta / factor) * factor);
    return { width: shrunk(width), height: shrunk(height) };
  }
  if (area(rounded) < minPixels) {
    const beta = Math.sqrt(minPixels / (height * width));
    const grown = (side: number) => Math.ceil((side * beta) / factor) * factor;
    return { width: grown(width), height: grown(height) };
  }
  return rounded;
}

/** The patches a picture of this size is cut into. Throws InputError for one that cannot be brought to size. */
export function pictureGrid(
  width: number,
  height: number,
  config: ProcessorConfig,
): { gridH: number; gridW: number } {
  const factor = config.patch * config.merge;
  if (!config.resize && (width % factor !== 0 || height % factor !== 0))
    throw new InputError(
      `a picture of ${width}×${height} pixels: sides must be multiples of ${factor} where do_resize is false`,
    );
  const to = config.resize ? smartResize(width, height, config) : { width, height };
  return { gridH: to.height / config.patch, gridW: to.width / config.patch };
}

/**
 * `rgb` (row-major height×width×3) as normalised patches. Order: merge blocks row by row, inside a block its
 * patches row by row; a patch is (channel, row, column).
 * Throws InputError for a picture that cannot be brought to size.
 */
export function preprocess(
  rgb: Uint8Array,
  width: number,
  height: number,
  config: ProcessorConfig,
): PatchedPicture {
  if (width < 1 || height < 1 || rgb.length !== width * height * 3)
    throw new RangeError(`${rgb.length} bytes are not an RGB picture of ${width}×${height}`);
  const { patch, merge } = config;
  const { gridH, gridW } = pictureGrid(width, height, config);
  const to = { width: gridW * patch, height: gridH * patch };
  const resized = resizeBicubic(rgb, width, height, to.width, to.height);
  const [red, green, blue] = [0, 1, 2].map((c) => normalised(config.mean[c], config.std[c]));
  const plane = patch * patch;
  const patches = new Float32Array(gridH * gridW * 3 * plane);
  let out = 0;
  for (let blockRow = 0; blockRow < gridH; blockRow += merge)
    for (let blockCol = 0; blockCol < gridW; blockCol += merge)
      for (let row = blockRow; row < blockRow + merge; row++)
        for (let col = blockCol; col < blockCol + merge; col++, out += 2 * plane)
          for (let y = 0; y < patch; y++) {
            let from = ((row * patch + y) * to.width + col * patch) * 3;
            for (let x = 0; x < patch; x++, out++, from += 3) {
              patches[out] = red[resized[from]];
              patches[out + plane] = green[resized[from + 1]];
              patches[out + 2 * plane] = blue[resized[from + 2]];
            }
          }
  return { patches, gridH, gridW };
}

/** (u - 255·mean) / (255·std) for each u of 0 … 255, every step rounded to float32. */
function normalised(mean: number, std: number): Float32Array {
  const mean255 = Math.fround(Math.fround(mean) * 255);
  const std255 = Math.fround(Math.fround(std) * 255);
  return Float32Array.from({ length: 256 }, (_, u) => Math.fround(u - mean255) / std255);
}

/** Python's round: a half goes to the even neighbour. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
