/** Prompts and sequences as the graphs take them: packed tokens, rotary rows, pictures in their places. */
import { InputError } from '../../errors.ts';
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import {
  imageSegment,
  mropeRows,
  positionsOf,
  type RopeTable,
  type RotaryRows,
  ropeTable,
  type Segment,
  visionRope,
} from '../../models/qwen2-5-vl/positions.ts';
import { type PatchedPicture, type ProcessorConfig, preprocess } from '../../models/qwen2-5-vl/processor.ts';
import { attentionGroups } from '../../models/qwen2-5-vl/windows.ts';
import type { Picture, Prompt } from '../types.ts';
import { isRagged, layoutFeeds } from './layout.ts';
import { type Feeds, float, int64 } from './sessions.ts';

/** What turns prompts into tensors; `pictures` remembers patches by picture hash, the latest used last. */
export interface Packer {
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
  rope: RopeTable;
  pictures: Map<string, PatchedPicture>;
  /** Numbers in `pictures`' patches. */
  remembered: number;
}

export function newPacker(config: Qwen25VlConfig, processor: ProcessorConfig): Packer {
  return { config, processor, rope: ropeTable(config), pictures: new Map(), remembered: 0 };
}

/** One row of tokens with its pictures expanded into placeholder tokens. */
export interface Row {
  ids: Int32Array;
  /** [n, 3] */
  positions: Int32Array;
  /** Position of the token after the last. */
  next: number;
  pictures: { hash: string; patched: PatchedPicture; at: number; tokens: number }[];
}

/**
 * Prompt plus completion tokens as one row, `room` more to come. Throws InputError on an empty prompt, a token outside
 * the vocabulary, or more tokens than the model's context holds.
 */
export function rowOf(packer: Packer, prompt: Prompt, completion: readonly number[], room = 0): Row {
  const { config } = packer;
  const ids: number[] = [];
  const layout: Segment[] = [];
  const pictures: Row['pictures'] = [];
  const text = (tokens: readonly number[]) => {
    requireTokens(config, tokens);
    for (const id of tokens) ids.push(id);
    layout.push({ text: tokens.length });
  };
  for (const chunk of prompt.chunks) {
    if ('tokens' in chunk) {
      text(chunk.tokens);
      continue;
    }
    const patched = patchesOf(packer, chunk.image);
    const segment = imageSegment(patched, config);
    const tokens = segment.rows * segment.cols;
    pictures.push({ hash: chunk.image.hash, patched, at: ids.length, tokens });
    for (let i = 0; i < tokens; i++) ids.push(config.tokens.imagePad);
    layout.push(segment);
  }
  if (ids.length === 0) throw new InputError('a prompt needs at least one token or picture');
  text(completion);
  requireContext(config, prompt, ids.length, room);
  const { positions, next } = positionsOf(layout);
  return { ids: Int32Array.from(ids), positions, next, pictures };
}

/** Throws InputError on an id that is not one of the model's tokens. */
export function requireTokens({ text: { vocabulary } }: Qwen25VlConfig, ids: readonly number[]): void {
  for (const id of ids)
    if (!(Number.isInteger(id) && id >= 0 && id < vocabulary))
      throw new InputError(`token ${id} is outside the model's vocabulary of ${vocabulary}`);
}

function requireContext({ text }: Qwen25VlConfig, { source }: Prompt, tokens: number, room: number): void {
  if (tokens + room <= text.maxPositions) return;
  const needed = room > 0 ? `${tokens} tokens, and ${room} for the response` : `${tokens} tokens`;
  throw new InputError(
    `${source ?? 'a prompt'}: takes ${needed}, but the model's context is ${text.maxPositions}; shorten it, or make its pictures smaller`,
  );
}

/** 256 MiB of patches. */
const REMEMBERED_NUMBERS = 64 * 2 ** 20;

function patchesOf(packer: Packer, { hash, rgb, width, height }: Picture): PatchedPicture {
  const known = packer.pictures.get(hash);
  const patched = known ?? preprocess(rgb, width, height, packer.processor);
  packer.pictures.delete(hash);
  packer.pictures.set(hash, patched);
  if (known) return known;
  packer.remembered += patched.patches.length;
  for (const [oldest, { patches }] of packer.pictures) {
    if (packer.remembered <= REMEMBERED_NUMBERS) break;
    packer.pictures.delete(oldest);
    packer.remembered -= patches.length;
  }
  return patched;
}

/** Pictures of a batch, each once, and the vision graph's feeds for them. */
export interface PackedPictures {
  feeds: Feeds;
  ragged: boolean;
  /** First feature row of each picture. */
  offsets: Map<string, number>;
  /** Feature rows in all. */
  features: number;
}

export function packPictures({ config }: Packer, rows: readonly Row[]): PackedPictures | null {
  const byHash = new Map(rows.flatMap((r) => r.pictures.map((p) => [p.hash, p.patched] as const)));
  if (byHash.size === 0) return null;
  const hashes = [...byHash.keys()];
  const grids = [...byHash.values()];
  const counts = grids.map((g) => g.gridH * g.gridW);
  const total = counts.reduce((a, b) => a + b, 0);
  const width = grids[0].patches.length / counts[0];
  const patches = new Float32Array(total * width);
  const offsets = new Map<string, number>();
  let at = 0;
  grids.forEach((g, i) => {
    patches.set(g.patches, at * width);
    offsets.set(hashes[i], at / config.vision.merge ** 2);
    at += counts[i];
  });
  const rope = joinRows(grids.map((g) => visionRope(g, config)));
  const { windows, pictures } = attentionGroups(grids, config);
  const ragged = isRagged(windows) || isRagged(pictures);
  const { heads } = config.vision;
  const grouping = { heads, kvHeads: heads, mask: 'key' as const };
  return {
    ragged,
    offsets,
    features: total / config.vision.merge ** 2,
    feeds: {
      patches: float(patches, [total, width]),
      ...ropeFeeds(rope, total),
      ...layoutFeeds('window', { ...grouping, groups: windows }, ragged),
      ...layoutFeeds('picture', { ...grouping, groups: pictures }, ragged),
    },
  };
}

function joinRows(parts: RotaryRows[]): RotaryRows {
  const join = (pick: (r: RotaryRows) => Float32Array) => {
    const all = new Float32Array(parts.reduce((sum, r) => sum + pick(r).length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(pick(part), at);
      at += pick(part).length;
    }
    return all;
  };
  return { cos: join((r) => r.cos), sin: join((r) => r.sin) };
}

function ropeFeeds({ cos, sin }: RotaryRows, rows: number): Feeds {
  const half = cos.length / rows;
  return { cos: float(cos, [rows, half]), sin: float(sin, [rows, half]) };
}

/** Rows packed one after another, without their last `drop` tokens. */
export interface PackedText {
  feeds: Feeds;
  ragged: boolean;
  ids: Int32Array;
  /** First token of each row. */
  starts: number[];
  /** Packed position of every picture token, and the feature row that belongs there. */
  featureAt: number[];
  featureRow: number[];
}

export function packText(
  packer: Packer,
  rows: readonly Row[],
  pictures: PackedPictures | null,
  drop: 0 | 1,
): PackedText {
  const { config, rope } = packer;
  const lengths = rows.map((r) => r.ids.length - drop);
  const total = lengths.reduce((a, b) => a + b, 0);
  const ids = new Int32Array(total);
  const positions = new Int32Array(3 * total);
  const starts: number[] = [];
  const groups: Int32Array[] = [];
  const featureAt: number[] = [];
  const featureRow: number[] = [];
  let at = 0;
  rows.forEach((row, i) => {
    starts.push(at);
    ids.set(row.ids.subarray(0, lengths[i]), at);
    positions.set(row.positions.subarray(0, 3 * lengths[i]), 3 * at);
    groups.push(Int32Array.from({ length: lengths[i] }, (_, k) => starts[i] + k));
    for (const picture of row.pictures) {
      const offset = pictures!.offsets.get(picture.hash)!;
      for (let k = 0; k < picture.tokens; k++) {
        featureAt.push(at + picture.at + k);
        featureRow.push(offset + k);
      }
    }
    at += lengths[i];
  });
  const ragged = isRagged(groups);
  const { heads, kvHeads } = config.text;
  const feeds: Feeds = {
    ids: int64(ids),
    ...ropeFeeds(mropeRows(positions, rope), total),
    ...layoutFeeds('text', { groups, heads, kvHeads, mask: 'causal' }, ragged),
  };
  if (featureAt.length > 0) feeds.featureAt = int64(featureAt);
  return { feeds, ragged, ids, starts, featureAt, featureRow };
}

/** Copies the feature rows [·, width] that `rows` names, in order. */
export function takeRows(features: Float32Array, rows: readonly number[], width: number): Float32Array {
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    taken.set(features.subarray(row * width, (row + 1) * width), i * width);
  });
  return taken;
}

/** target[rows[i]] += source[at[i]], rows of `width` numbers, in order. */
export function addRows(
  target: Float32Array,
  rows: ArrayLike<number>,
  source: Float32Array,
  at: ArrayLike<number>,
  width: number,
): void {
  for (let i = 0; i < rows.length; i++) {
    const to = rows[i] * width;
    const from = at[i] * width;
    for (let k = 0; k < width; k++) target[to + k] += source[from + k];
  }
}
