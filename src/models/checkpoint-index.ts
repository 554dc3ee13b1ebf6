/**
 * `model.safetensors.index.json` of a checkpoint in several files: which file ("shard") holds which tensor, read and
 * written. Source: huggingface_hub, "Serialization": `split_state_dict_into_shards_factory`, `weight_map`.
 */
import { InputError } from '../errors.ts';
import { parseJson, quoted } from './json.ts';

/**
 * Tensor names by shard: file name (a plain name in the index's own folder) → the tensors it holds, both sorted.
 * Throws InputError, one line that begins with `file`.
 */
export function parseCheckpointIndex(text: string, file: string): Map<string, string[]> {
  const index = parseJson(text, file) as { weight_map?: unknown } | null;
  const map = index?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw new InputError(`${file}: has no weight_map object; not an index of safetensors files`);
  const shards = new Map<string, string[]>();
  const entries = Object.entries(map as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) throw new InputError(`${file}: weight_map is empty; copy the file again`);
  for (const [name, shard] of entries) {
    if (typeof shard !== 'string' || !/^[^/\\\0]+\.safetensors$/.test(shard))
      throw new InputError(
        `${file}: tensor ${quoted(name)} is said to be in ${quoted(String(shard))}, which is not a .safetensors file of this folder`,
      );
    const names = shards.get(shard);
    if (names) names.push(name);
    else shards.set(shard, [name]);
  }
  return new Map([...shards].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** huggingface_hub's limit of a shard, "5GB". */
export const MAX_SHARD_BYTES = 5e9;

/**
 * Shares tensors out to files in the order given: a file is full when the next tensor would exceed `most` bytes (a
 * larger one stands alone). File name → its tensors; one `model.safetensors` where everything fits.
 */
export function planShards<T extends { bytes: number }>(
  tensors: readonly T[],
  most: number,
): Map<string, T[]> {
  const shards: T[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    if (filled > 0 && filled + tensor.bytes > most) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(tensor);
    filled += tensor.bytes;
  }
  const number = (n: number) => String(n).padStart(5, '0');
  const file = (i: number) =>
    shards.length === 1
      ? 'model.safetensors'
      : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
  return new Map(shards.map((shard, i) => [file(i), shard]));
}

/** The index (as a plain object, for JSON.stringify) of files planned by {@link planShards}. */
export function checkpointIndex(shards: ReadonlyMap<string, readonly { name: string; bytes: number }[]>) {
  const tensors = [...shards].flatMap(([file, held]) =>
    held.map(({ name, bytes }) => ({ name, bytes, file })),
  );
  tensors.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    metadata: { total_size: tensors.reduce((sum, { bytes }) => sum + bytes, 0) },
    weight_map: Object.fromEntries(tensors.map(({ name, file }) => [name, file])),
  };
}
