/** Prompts and sequences as the graphs take them: packed tokens, rotary rows, pictures in their places. */
import { InputError } from '../../../errors.ts';
import type { Qwen25VlConfig } from '../../../models/qwen2-5-vl/config.ts';
import {
  imageSegment,
  mropeRows,
  positionsOf,
  type RopeTable,
  type RotaryRows,
  ropeTable,
  type Segment,
  visionRope,
} from '../../../models/qwen2-5-vl/positions.ts';
import {
  type PatchedPicture,
  type ProcessorConfig,
  preprocess,
} from '../../../models/qwen2-5-vl/processor.ts';
import { attentionGroups } from '../../../models/qwen2-5-vl/windows.ts';
import type { Picture, Prompt } from '../../types.ts';
import type { GraphVariant } from './graphs.ts';
import { answerFeeds, isRagged, layoutFeeds, type Run, tokensOf } from './layout.ts';
import type { Work } from './memory.ts';
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

/** A prompt as a row of tokens, its pictures expanded into placeholder tokens. */
export interface PromptRow {
  ids: Int32Array;
  /** [n, 3] */
  positions: Int32Array;
  /** Position of the token after the last. */
  next: number;
  pictures: { patched: PatchedPicture; at: number; tokens: number }[];
  /** The same for the same prompt. */
  key: string;
}

/**
 * Throws InputError on an empty prompt, a token outside the vocabulary, or where the model's context does not hold it
 * and `room` more tokens.
 */
export function promptRow(packer: Packer, prompt: Prompt, room: number): PromptRow {
  const { config } = packer;
  const ids: number[] = [];
  const layout: Segment[] = [];
  const pictures: PromptRow['pictures'] = [];
  const key: string[] = [];
  for (const chunk of prompt.chunks) {
    if ('tokens' in chunk) {
      requireTokens(config, chunk.tokens);
      for (const id of chunk.tokens) ids.push(id);
      layout.push({ text: chunk.tokens.length });
      key.push(chunk.tokens.join());
      continue;
    }
    const patched = patchesOf(packer, chunk.image);
    const segment = imageSegment(patched, config);
    const tokens = segment.rows * segment.cols;
    pictures.push({ patched, at: ids.length, tokens });
    for (let i = 0; i < tokens; i++) ids.push(config.tokens.imagePad);
    layout.push(segment);
    key.push(`picture ${chunk.image.hash}`);
  }
  if (ids.length === 0) throw new InputError('a prompt needs at least one token or picture');
  requireContext(config, prompt, ids.length, room);
  return { ids: Int32Array.from(ids), ...positionsOf(layout), pictures, key: key.join(';') };
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

/** A prompt and what follows it: several completions share it. An empty completion stands for the prompt alone. */
export interface Group {
  row: PromptRow;
  completions: (readonly number[])[];
}

/** A prompt that ends in a picture cannot be shared: its last token, a part of the picture, is among what is scored. */
export function shareable({ ids, pictures }: PromptRow): boolean {
  const last = pictures.at(-1);
  return !last || last.at + last.tokens < ids.length;
}

/** Groups as one pass takes them (`graphs.ts`). */
export interface Packed {
  feeds: Feeds;
  variant: GraphVariant;
  /** Every token, packed. */
  ids: Int32Array;
  /** Packed positions of pictures' tokens. */
  featureAt: number[];
  /** First packed token of each group's prompt, its last left out, and of each answer in the block of answers. */
  prompts: Run[];
  answers: Run[][];
  /** Tokens in the block of prompts. */
  promptTokens: number;
  /** What the pass computes, for estimates of memory. */
  work: Work;
}

export function pack(packer: Packer, groups: readonly Group[]): Packed {
  const { config, rope } = packer;
  let promptTokens = 0;
  let answerTokens = 0;
  const prompts = groups.map(({ row }): Run => {
    const run = { first: promptTokens, count: row.ids.length - 1 };
    promptTokens += run.count;
    return run;
  });
  const answers = groups.map(({ completions }) =>
    completions.map(({ length }): Run => {
      const run = { first: answerTokens, count: Math.max(1, length) };
      answerTokens += run.count;
      return run;
    }),
  );
  const ids = new Int32Array(promptTokens + answerTokens);
  const positions = new Int32Array(3 * ids.length);
  const featureAt: number[] = [];
  groups.forEach(({ row, completions }, g) => {
    const last = row.ids.length - 1;
    ids.set(row.ids.subarray(0, last), prompts[g].first);
    positions.set(row.positions.subarray(0, 3 * last), 3 * prompts[g].first);
    completions.forEach((completion, s) => {
      const at = promptTokens + answers[g][s].first;
      ids[at] = row.ids[last];
      positions.set(row.positions.subarray(3 * last), 3 * at);
      for (let k = 1; k < completion.length; k++) {
        ids[at + k] = completion[k - 1];
        positions.fill(row.next + k - 1, 3 * (at + k), 3 * (at + k + 1));
      }
    });
    for (const picture of row.pictures)
      for (let k = picture.at; k < picture.at + picture.tokens; k++)
        featureAt.push(k < last ? prompts[g].first + k : promptTokens + answers[g][0].first);
  });
  const { heads, kvHeads } = config.text;
  const ragged = isRaggedText(prompts, answers);
  const pictures = packPictures(
    packer,
    groups.flatMap(({ row }) => row.pictures.map((p) => p.patched)),
  );
  const feeds: Feeds = {
    ids: int64(ids),
    ...ropeFeeds(mropeRows(positions, rope), ids.length),
    ...pictures?.feeds,
  };
  if (pictures) feeds.featureAt = int64(featureAt);
  if (promptTokens > 0) {
    const all = groups.map((_, g) => ({ prompt: prompts[g], answers: answers[g] }));
    Object.assign(feeds, answerFeeds(all, heads, kvHeads, ragged));
    feeds.blocks = int64([promptTokens, answerTokens]);
  } else {
    const lone = answers.flat().map(tokensOf);
    Object.assign(feeds, layoutFeeds('answer', { groups: lone, heads, kvHeads, mask: 'causal' }, ragged));
  }
  return {
    feeds,
    variant: {
      pictures: pictures !== null,
      raggedPictures: pictures?.ragged ?? false,
      prompts: promptTokens > 0,
      ragged,
      recompute: false,
    },
    ids,
    featureAt,
    prompts,
    answers,
    promptTokens,
    work: workOf(groups),
  };
}

/** What a pass over these groups computes. */
export function workOf(groups: readonly Group[]): Work {
  const lengths = groups.flatMap(({ row, completions }) => completions.map((c) => row.ids.length + c.length));
  const patches = groups.flatMap(({ row }) =>
    row.pictures.map(({ patched: { gridH, gridW } }) => gridH * gridW),
  );
  const scored = groups
    .flatMap(({ completions }) => completions)
    .reduce((sum, c) => sum + Math.max(1, c.length), 0);
  const total = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  return {
    tokens: scored + total(groups.map(({ row }) => row.ids.length - 1)),
    longest: Math.max(...lengths),
    scored,
    patches: total(patches),
    largestPicture: Math.max(0, ...patches),
  };
}

function isRaggedText(prompts: readonly Run[], answers: readonly Run[][]): boolean {
  const differ = (counts: readonly number[]) => counts.some((c) => c !== counts[0]);
  return (
    differ(prompts.map((p) => p.count)) ||
    differ(answers.map((of) => of.length)) ||
    differ(answers.flat().map((a) => a.count))
  );
}

/** The vision tower's feeds for pictures one after another; null for none. */
export function packPictures(
  { config }: Packer,
  pictures: readonly PatchedPicture[],
): { feeds: Feeds; ragged: boolean } | null {
  if (pictures.length === 0) return null;
  const counts = pictures.map((g) => g.gridH * g.gridW);
  const total = counts.reduce((a, b) => a + b, 0);
  const width = pictures[0].patches.length / counts[0];
  const patches = new Float32Array(total * width);
  let at = 0;
  for (const picture of pictures) {
    patches.set(picture.patches, at);
    at += picture.patches.length;
  }
  const rope = joinRows(pictures.map((g) => visionRope(g, config)));
  const groups = attentionGroups(pictures, config);
  const ragged = isRagged(groups.windows) || isRagged(groups.pictures);
  const { heads } = config.vision;
  const grouping = { heads, kvHeads: heads, mask: 'key' as const };
  return {
    ragged,
    feeds: {
      patches: float(patches, [total, width]),
      ...ropeFeeds(rope, total, 'vision.'),
      ...layoutFeeds('window', { ...grouping, groups: groups.windows }, ragged),
      ...layoutFeeds('picture', { ...grouping, groups: groups.pictures }, ragged),
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

function ropeFeeds({ cos, sin }: RotaryRows, rows: number, prefix = ''): Feeds {
  const half = cos.length / rows;
  return { [`${prefix}cos`]: float(cos, [rows, half]), [`${prefix}sin`]: float(sin, [rows, half]) };
}
