/** Index tensors that lay packed tokens out into attention groups and back (`models/qwen2-5-vl/attention.ts`). */
import { type Feeds, float, int32, int64 } from './sessions.ts';

/** A masked score. Large enough to vanish in a float32 softmax, small enough to stay finite. */
const MASKED = -1e30;

/** Consecutive rows of a block: [first, first + count). */
export interface Run {
  first: number;
  count: number;
}

export interface Grouping {
  /** Token numbers of each group, in order. */
  groups: ArrayLike<number>[];
  heads: number;
  kvHeads: number;
  mask: 'causal' | 'key';
}

/** A mask [length] for slots of which the first `filled` are real. */
export function prefixMask(filled: number, length: number) {
  return float(new Float32Array(length).fill(MASKED, filled), [length]);
}

/** True where groups differ in length, so that some slots are padding. */
export function isRagged(groups: ArrayLike<number>[]): boolean {
  return groups.some((g) => g.length !== groups[0].length);
}

/** The token numbers of a run. */
export function tokensOf({ first, count }: Run): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => first + i);
}

/** Feeds named `name.query`, `name.queryInverse`, … for a graph of the given raggedness. */
export function layoutFeeds(
  name: string,
  { groups, heads, kvHeads, mask }: Grouping,
  ragged: boolean,
): Feeds {
  const slots = longest(groups);
  const shared = heads / kvHeads;
  const alone = groups.map((group) => [group]);
  const query = layRows(alone, 1, slots, heads, kvHeads);
  const feeds: Feeds = {
    [`${name}.query`]: int32(query.index, [groups.length, kvHeads, shared * slots]),
    [`${name}.queryInverse`]: int32(query.inverse),
  };
  if (shared > 1) {
    const key = layRows(alone, 1, slots, kvHeads, kvHeads);
    feeds[`${name}.key`] = int32(key.index, [groups.length, kvHeads, slots]);
    feeds[`${name}.keyInverse`] = int32(key.inverse);
  }
  if (mask === 'causal') feeds[`${name}.mask`] = causalMask(shared, slots);
  if (!ragged) return feeds;
  if (mask === 'key') feeds[`${name}.mask`] = keyMask(groups, slots);
  feeds[`${name}.real`] = realSlots(alone, 1, slots, shared);
  return feeds;
}

/** A prompt's tokens, as rows of the block of prompts (none: a prompt of one token), and its answers' as rows of that of answers. */
export interface PromptAndAnswers {
  prompt: Run;
  answers: Run[];
}

/** Feeds of `AnswerLayout` and, named `prompt.…`, of the prompts' attention to themselves. */
export function answerFeeds(
  all: readonly PromptAndAnswers[],
  heads: number,
  kvHeads: number,
  ragged: boolean,
): Feeds {
  const shared = heads / kvHeads;
  const prompts = all.map(({ prompt }) => tokensOf(prompt));
  const answers = all.map(({ answers }) => answers.map(tokensOf));
  const most = longest(answers);
  const slots = longest(answers.flat());
  const keys = longest(prompts);
  const query = layRows(answers, most, slots, heads, kvHeads);
  const key = layRows(answers, most, slots, kvHeads, kvHeads);
  const promptKey = layRows(
    prompts.map((prompt) => [prompt]),
    1,
    keys,
    kvHeads,
    kvHeads,
  );
  const feeds: Feeds = {
    ...layoutFeeds(
      'prompt',
      { groups: prompts.filter((p) => p.length > 0), heads, kvHeads, mask: 'causal' },
      ragged,
    ),
    'answer.query': int32(query.index, [all.length, kvHeads, most, shared * slots]),
    'answer.queryInverse': int32(query.inverse),
    'answer.key': int32(key.index, [all.length, kvHeads, most, slots]),
    'answer.keyInverse': int32(key.inverse),
    'answer.mask': causalMask(shared, slots),
    'answer.promptKey': int32(promptKey.index, [all.length, kvHeads, keys]),
    'answer.promptKeyInverse': int32(promptKey.inverse),
    'answer.foldedShape': int64([all.length, kvHeads, most * shared * slots, slots]),
    'answer.scoresShape': int64([all.length, kvHeads, most, shared * slots, slots]),
    'answer.keySizes': int64([keys, slots]),
  };
  if (!ragged) return feeds;
  feeds['answer.promptMask'] = keyMask(prompts, keys);
  feeds['answer.real'] = realSlots(answers, most, slots, shared);
  return feeds;
}

const longest = (lists: readonly { length: number }[]) =>
  lists.reduce((most, l) => Math.max(most, l.length), 0);

/**
 * Slots [groups, kvHeads, most, shared·slots] of groups of at most `most` members, each a list of token numbers: the row
 * of each slot, and the slot of each row. Padding slots repeat a member's first token, padding members the group's first.
 */
function layRows(
  groups: readonly ArrayLike<number>[][],
  most: number,
  slots: number,
  heads: number,
  kvHeads: number,
) {
  const shared = heads / kvHeads;
  const tokens = groups.reduce((sum, of) => of.reduce((all, { length }) => all + length, sum), 0);
  const index = new Int32Array(groups.length * most * heads * slots);
  const inverse = new Int32Array(tokens * heads);
  let slot = 0;
  for (const of of groups) {
    for (let kv = 0; kv < kvHeads; kv++) {
      for (let m = 0; m < most; m++) {
        const member = of[m] ?? of[0];
        for (let r = 0; r < shared; r++) {
          for (let l = 0; l < slots; l++, slot++) {
            const token = l < member.length ? member[l] : (member[0] ?? 0);
            const row = token * heads + kv * shared + r;
            index[slot] = row;
            if (l < member.length && m < of.length) inverse[row] = slot;
          }
        }
      }
    }
  }
  return { index, inverse };
}

function causalMask(shared: number, slots: number) {
  const mask = new Float32Array(shared * slots * slots);
  for (let row = 0; row < shared * slots; row++)
    mask.fill(MASKED, row * slots + (row % slots) + 1, (row + 1) * slots);
  return float(mask, [shared * slots, slots]);
}

export function keyMask(groups: ArrayLike<number>[], slots: number) {
  const mask = new Float32Array(groups.length * slots);
  groups.forEach((g, i) => {
    mask.fill(MASKED, i * slots + g.length, (i + 1) * slots);
  });
  return float(mask, [groups.length, 1, 1, slots]);
}

/** [groups, 1, most·shared·slots, 1]: 1 for the slots of tokens, 0 for padding. */
function realSlots(groups: readonly ArrayLike<number>[][], most: number, slots: number, shared: number) {
  const rows = most * shared * slots;
  const real = new Float32Array(groups.length * rows);
  groups.forEach((of, g) => {
    of.forEach(({ length }, m) => {
      for (let r = 0; r < shared; r++) {
        const start = g * rows + (m * shared + r) * slots;
        real.fill(1, start, start + length);
      }
    });
  });
  return float(real, [groups.length, 1, rows, 1]);
}
