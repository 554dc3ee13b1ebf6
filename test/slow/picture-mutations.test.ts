/** Thousands of damaged pictures of every kind: each is read or refused with one line, in bounded time and memory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodePicture } from '../../src/data/pictures/images.ts';
import { InputError } from '../../src/errors.ts';
import { mutatedPictures } from '../data/mutated-pictures.ts';

const folders = ['../fixtures/pictures', '../fixtures/qwen2_5_vl_tiny/images'].map((folder) =>
  join(import.meta.dirname, folder),
);
const memoryMb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;

it.runIf(process.platform === 'linux')('a damaged picture is read, or refused with one line', async () => {
  const ends = { read: 0, refused: 0 };
  let slowest = 0;
  let largest = memoryMb();
  const before = largest;
  for (const folder of folders)
    for (const { bytes, what } of mutatedPictures(folder, 150, 2)) {
      const started = performance.now();
      const error = await decodePicture(bytes, 'p').then(
        () => null,
        (caught) => caught,
      );
      slowest = Math.max(slowest, performance.now() - started);
      largest = Math.max(largest, memoryMb());
      ends[error === null ? 'read' : 'refused'] += 1;
      if (error === null) continue;
      expect(error, what).toBeInstanceOf(InputError);
      expect(error.message, what).toMatch(/^p: [^\n]+$/);
    }
  expect(ends.read + ends.refused).toBeGreaterThan(4000);
  expect(Math.min(ends.read, ends.refused)).toBeGreaterThan(500);
  expect(slowest).toBeLessThan(40_000);
  expect(largest - before).toBeLessThan(1500);
});
