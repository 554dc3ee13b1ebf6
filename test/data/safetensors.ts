import { readFileSync } from 'node:fs';

/** The int32 tensors of a small safetensors file, row by row of their last axis. */
export function readInt32Tensors(file: string): Record<string, number[][]> {
  const bytes = readFileSync(file);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength));
  const tensors: Record<string, number[][]> = {};
  for (const [name, { dtype, shape, data_offsets }] of Object.entries<never>(header) as never as [
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] },
  ][]) {
    if (dtype !== 'I32') continue;
    const start = 8 + headerLength + data_offsets[0];
    const values = Array.from({ length: (data_offsets[1] - data_offsets[0]) / 4 }, (_, i) =>
      bytes.readInt32LE(start + 4 * i),
    );
    const width = shape.at(-1) ?? 1;
    tensors[name] = Array.from({ length: values.length / width }, (_, row) =>
      values.slice(row * width, (row + 1) * width),
    );
  }
  return tensors;
}
