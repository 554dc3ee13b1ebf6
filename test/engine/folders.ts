/** What tests of model and adapter folders look at: a file's tensors, and the one line of a refusal. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { decodeFloats, parseHeader } from '../../src/models/safetensors.ts';

/** Every tensor of a safetensors file, widened. */
export function tensorsOf(file: string): Map<string, { dtype: string; shape: number[]; data: Float32Array }> {
  const bytes = new Uint8Array(readFileSync(file));
  return new Map(
    [...parseHeader(bytes, file).tensors.values()].map((entry) => [
      entry.name,
      {
        dtype: entry.dtype,
        shape: entry.shape,
        data: decodeFloats(bytes.subarray(entry.begin, entry.end), entry, file),
      },
    ]),
  );
}

/** The promise fails with an InputError whose one line holds all `parts`. */
export async function expectRefused(promise: Promise<unknown>, ...parts: string[]): Promise<void> {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  expect(error).toBeInstanceOf(InputError);
  for (const part of parts) expect(error.message).toContain(part);
  expect(error.message).not.toContain('\n');
}
