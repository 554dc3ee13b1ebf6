/** The golden data of Hugging Face's Qwen2.5-VL in miniature: files, tensors, pictures. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { parseConfig } from '../../src/models/qwen2-5-vl/config.ts';
import { parseProcessor } from '../../src/models/qwen2-5-vl/processor.ts';
import { decodeFloats, parseHeader } from '../../src/models/safetensors.ts';

const root = new URL('../fixtures/qwen2_5_vl_tiny/', import.meta.url);

export const goldenBytes = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, root)));
export const goldenText = (path: string): string => readFileSync(new URL(path, root), 'utf8');
export const goldenJson = (path: string) => JSON.parse(goldenText(path));

export const config = parseConfig(goldenText('model/config.json'), 'config.json');
export const processor = parseProcessor(
  goldenText('model/preprocessor_config.json'),
  'preprocessor_config.json',
);

/** Every tensor of a golden safetensors file, F32 and I32, as plain numbers. */
export function goldenTensors(path: string): Map<string, { shape: number[]; data: number[] }> {
  const bytes = goldenBytes(path);
  return new Map(
    [...parseHeader(bytes, path).tensors.values()].map((entry) => {
      const raw = bytes.slice(entry.begin, entry.end);
      const data = entry.dtype === 'I32' ? new Int32Array(raw.buffer) : decodeFloats(raw, entry, path);
      return [entry.name, { shape: entry.shape, data: [...data] }];
    }),
  );
}

export interface GoldenImage {
  name: string;
  file: string;
  width: number;
  height: number;
  resized_width: number;
  resized_height: number;
  grid_thw: [number, number, number];
  pixel_sum: number;
  pixel_sqsum: number;
  sha256_resized_rgb_u8: string;
}
export const images: GoldenImage[] = goldenJson('golden/images.json').images;

export const gridOf = (thw: number[]) => ({ gridH: thw[1], gridW: thw[2] });

/** Decoded RGB of a picture file of the golden folder. */
export async function rgbOf(path: string): Promise<{ rgb: Uint8Array; width: number; height: number }> {
  const { data, info } = await sharp(goldenBytes(path)).removeAlpha().toColourspace('srgb').raw().toBuffer({
    resolveWithObject: true,
  });
  if (info.channels !== 3) throw new Error(`${path} decodes to ${info.channels} channels`);
  return { rgb: new Uint8Array(data), width: info.width, height: info.height };
}

/** The decoded picture that the golden resize started from: the .rgb.png where the source is not plain RGB. */
export function sourceRgb(image: GoldenImage) {
  const plain = ['chart', 'wide', 'big'].includes(image.name);
  return rgbOf(`images/${plain ? image.file : `${image.name}.rgb.png`}`);
}
