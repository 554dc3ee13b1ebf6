/**
 * `model.safetensors.index.json` of a checkpoint in several files: which file ("shard") holds which tensor.
 * Source: huggingface_hub, "Serialization", `weight_map`.
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
