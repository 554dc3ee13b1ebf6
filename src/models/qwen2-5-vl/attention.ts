/**
 * Attention over groups of tokens. Tokens are packed, [N, …] without padding; they are laid out into groups of equal
 * length only for the attention itself, so that no other layer computes padding.
 *
 * `groupAttention`: a group (a picture or a window of the vision tower, the part of a prompt that answers share, a lone
 * sequence) attends to itself. `answerAttention`: the answers to a prompt attend to the prompt, which is there once for
 * all of them, and each to itself.
 */
import {
  add,
  concat,
  layRows,
  liftRows,
  matmul,
  mul,
  reduceSum,
  reshape,
  reshapeLike,
  softmax,
  splitAt,
  sub,
  transpose,
} from '../../graph/ops.ts';
import { addOp, defineGradient, type Value } from '../../graph/tensor.ts';

/**
 * Where packed tokens stand in groups (G groups of L slots). Rows are heads of tokens: row n·heads + h.
 * The R = heads/kvHeads query heads that share a key head lie behind one another.
 */
export interface GroupLayout {
  /** [G, kvHeads, R·L]: query row of each slot. */
  query: Value;
  /** [N·heads]: slot of each query row. */
  queryInverse: Value;
  /** [G, kvHeads, L]: key row of each slot. */
  key: Value;
  /** [N·kvHeads] */
  keyInverse: Value;
  /** Added to the scores, broadcast against [G, kvHeads, R·L, L]; null where every slot sees every slot. */
  mask: Value | null;
  /** [G, 1, R·L, 1]: 1 for real tokens, 0 for padding slots; null where there are none. */
  real: Value | null;
}

/** q [N, heads·headDim], k and v [N, kvHeads·headDim] → [N, heads·headDim]. */
export function groupAttention(q: Value, k: Value, v: Value, headDim: number, layout: GroupLayout): Value {
  const queries = layRows(headRows(q, headDim), layout.query, layout.queryInverse);
  const keys = layRows(headRows(k, headDim), layout.key, layout.keyInverse);
  const values = layRows(headRows(v, headDim), layout.key, layout.keyInverse);
  const { mask, real } = layout;
  const mixed = attention(
    [queries, keys, values],
    headDim,
    (scores) => (mask ? add(scores, mask) : scores),
    real,
  );
  return reshape(liftRows(mixed, layout.query, layout.queryInverse), q.shape);
}

/**
 * Where the tokens of answers stand: P prompts with S answers of L slots each. An answer is what is scored: the last
 * token of the prompt and the completion without its last. Queries, keys and values of answers are rows of their own.
 */
export interface AnswerLayout {
  /** [P, kvHeads, S, R·L]: query row of each slot, and [M·heads] the slot of each query row. */
  query: Value;
  queryInverse: Value;
  /** [P, kvHeads, S, L] and [M·kvHeads] */
  key: Value;
  keyInverse: Value;
  /** [R·L, L], added to the scores of an answer against itself. */
  mask: Value;
  /** [P, kvHeads, K] and [prompt tokens·kvHeads]: the prompts' keys. */
  promptKey: Value;
  promptKeyInverse: Value;
  /** Added to the scores against the prompt, [P, 1, 1, K]; null where prompts are of equal length. */
  promptMask: Value | null;
  /** [P, 1, S·R·L, 1] */
  real: Value | null;
  /** int64: the shapes [P, kvHeads, S·R·L, L] and [P, kvHeads, S, R·L, L], and the sizes [K, L]. */
  foldedShape: Value;
  scoresShape: Value;
  keySizes: Value;
}

/** A prompt's and its answers' tokens, or the keys and values of such: two blocks of rows. */
export interface Parts {
  prompt: Value;
  answer: Value;
}

/** q [M, heads·headDim] of the answers; k, v of both, kvHeads·headDim wide → [M, heads·headDim]. */
export function answerAttention(q: Value, k: Parts, v: Parts, headDim: number, layout: AnswerLayout): Value {
  const queries = layRows(headRows(q, headDim), layout.query, layout.queryInverse);
  const own = (x: Value) => layRows(headRows(x, headDim), layout.key, layout.keyInverse);
  const shared = (x: Value) => layRows(headRows(x, headDim), layout.promptKey, layout.promptKeyInverse);
  const mixed = twoPartAttention(
    queries,
    { prompt: shared(k.prompt), answer: own(k.answer) },
    { prompt: shared(v.prompt), answer: own(v.answer) },
    headDim,
    layout,
  );
  return reshape(liftRows(mixed, layout.query, layout.queryInverse), q.shape);
}

/**
 * softmax(α·q·kᵀ + mask)·v, with the short gradient of Dao et al. 2022: what the softmax subtracts from a row is
 * the row's product of result and gradient. Padding slots get no gradient.
 */
function attention(
  [q, k, v]: Value[],
  headDim: number,
  masked: (scores: Value) => Value,
  real: Value | null,
): Value {
  const alpha = headDim ** -0.5;
  let probabilities!: Value;
  return defineGradient(
    q.graph,
    [q, k, v],
    () => {
      probabilities = softmax(masked(matmul(q, k, { transB: true, alpha })));
      return [matmul(probabilities, v)];
    },
    (node, [g]) => {
      const grad = real ? mul(g!, real) : g!;
      const along = reduceSum(mul(grad, node.outputs[0]), [-1], true);
      const scores = mul(sub(matmul(grad, v, { transB: true }), along), probabilities);
      return [
        matmul(scores, k, { alpha }),
        matmul(scores, q, { transA: true, alpha }),
        matmul(probabilities, grad, { transA: true }),
      ];
    },
  )[0];
}

/** The same over two blocks of keys: the prompt's [P, kv, K, d], and the answers' own [P, kv, S, L, d]. q [P, kv, S, R·L, d]. */
function twoPartAttention(q: Value, k: Parts, v: Parts, headDim: number, layout: AnswerLayout): Value {
  const alpha = headDim ** -0.5;
  const { mask, promptMask, real, foldedShape, scoresShape, keySizes } = layout;
  const [prompts, kvHeads, answers, rows] = q.shape;
  const slots = k.answer.shape[3];
  const length = k.prompt.shape[2];
  const foldedRows = `${answers}·${rows}`;
  const fold = (x: Value) => reshape(x, [prompts, kvHeads, foldedRows, headDim]);
  const unfold = (x: Value) => reshapeLike(x, q);
  const foldScores = (x: Value) => addOp('Reshape', [x, foldedShape], [prompts, kvHeads, foldedRows, slots]);
  const unfoldScores = (x: Value) =>
    addOp('Reshape', [x, scoresShape], [prompts, kvHeads, answers, rows, slots]);
  const folded = fold(q);
  let onPrompt!: Value;
  let onAnswer!: Value;
  return defineGradient(
    q.graph,
    [q, k.prompt, k.answer, v.prompt, v.answer],
    () => {
      const toPrompt = matmul(folded, k.prompt, { transB: true, alpha });
      const toAnswer = add(matmul(q, k.answer, { transB: true, alpha }), mask);
      const scores = concat([promptMask ? add(toPrompt, promptMask) : toPrompt, foldScores(toAnswer)], 3);
      const parts = splitAt(softmax(scores), keySizes, [length, slots], 3);
      onPrompt = parts[0];
      onAnswer = unfoldScores(parts[1]);
      return [unfold(add(matmul(onPrompt, v.prompt), fold(matmul(onAnswer, v.answer))))];
    },
    (node, [g]) => {
      const grad = real ? mul(fold(g!), real) : fold(g!);
      const along = reduceSum(mul(grad, fold(node.outputs[0])), [-1], true);
      const toPrompt = mul(sub(matmul(grad, v.prompt, { transB: true }), along), onPrompt);
      const single = unfold(grad);
      const ownAlong = reduceSum(mul(single, node.outputs[0]), [-1], true);
      const toAnswer = mul(sub(matmul(single, v.answer, { transB: true }), ownAlong), onAnswer);
      return [
        add(unfold(matmul(toPrompt, k.prompt, { alpha })), matmul(toAnswer, k.answer, { alpha })),
        matmul(toPrompt, folded, { transA: true, alpha }),
        matmul(toAnswer, q, { transA: true, alpha }),
        matmul(onPrompt, grad, { transA: true }),
        matmul(onAnswer, single, { transA: true }),
      ];
    },
  )[0];
}

/**
 * Where the keys and values are that a new token of each of P·S responses attends to: those of the P prompts, of the
 * responses so far, and its own.
 */
export interface CacheLayout {
  /** [P, kvHeads, K, headDim] */
  promptKey: Value;
  promptValue: Value;
  /** [P, kvHeads, S, L, headDim] */
  ownKey: Value;
  ownValue: Value;
  /** Added to the scores: [P, 1, 1, K] and [L]. */
  promptMask: Value;
  ownMask: Value;
  /** int64: the shapes [P, S, kvHeads, 1, headDim], [P, S, kvHeads, R, headDim], [P, kvHeads, S·R, L], [P, kvHeads, S, R, L], [P, kvHeads, S, R, 1], and the sizes [K, L, 1]. */
  keyShape: Value;
  queryShape: Value;
  foldedShape: Value;
  scoresShape: Value;
  newShape: Value;
  keySizes: Value;
}

/** Keys or values of one new token a response, [P·S, kvHeads·headDim], as the cache holds them: [P, kvHeads, S, 1, headDim]. */
export function cacheEntry(x: Value, kvHeads: number, headDim: number, keyShape: Value): Value {
  return onGrid(x, keyShape, kvHeads, 1, headDim);
}

function onGrid(x: Value, target: Value, kvHeads: number, rows: string | number, headDim: number): Value {
  const shape = ['P', 'S', kvHeads, rows, headDim];
  return transpose(addOp('Reshape', [x, target], shape), [0, 2, 1, 3, 4]);
}

/** One new token a response: q [P·S, heads·headDim], k, v [P·S, kvHeads·headDim] → [P·S, heads·headDim]. Has no gradient. */
export function cachedAttention(q: Value, k: Value, v: Value, headDim: number, cache: CacheLayout): Value {
  const alpha = headDim ** -0.5;
  const kvHeads = Number(cache.promptKey.shape[1]);
  const [K, L] = [cache.promptKey.shape[2], cache.ownKey.shape[3]];
  const fold = (x: Value, width: number) => reshape(x, ['P', kvHeads, 'SR', width]);
  const folded = (x: Value) => addOp('Reshape', [x, cache.foldedShape], ['P', kvHeads, 'SR', L]);
  const queries = onGrid(q, cache.queryShape, kvHeads, 'R', headDim);
  const newKey = cacheEntry(k, kvHeads, headDim, cache.keyShape);
  const newValue = cacheEntry(v, kvHeads, headDim, cache.keyShape);
  const scores = concat(
    [
      add(matmul(fold(queries, headDim), cache.promptKey, { transB: true, alpha }), cache.promptMask),
      folded(add(matmul(queries, cache.ownKey, { transB: true, alpha }), cache.ownMask)),
      fold(matmul(queries, newKey, { transB: true, alpha }), 1),
    ],
    3,
  );
  const [onPrompt, onOwn, onNew] = splitAt(softmax(scores), cache.keySizes, [K, L, 1], 3);
  const unfold = (x: Value, target: Value, width: string | number) =>
    addOp('Reshape', [x, target], ['P', kvHeads, 'S', 'R', width]);
  const own = matmul(unfold(onOwn, cache.scoresShape, L), cache.ownValue);
  const mixed = add(
    add(reshapeLike(matmul(onPrompt, cache.promptValue), queries), own),
    mul(unfold(onNew, cache.newShape, 1), newValue),
  );
  return reshape(transpose(mixed, [0, 2, 1, 3, 4]), q.shape);
}

/** [N, heads·headDim] → [N·heads, headDim] */
function headRows(x: Value, headDim: number): Value {
  return reshape(x, [`${x.shape[0]}·${Number(x.shape[1]) / headDim}`, headDim]);
}
