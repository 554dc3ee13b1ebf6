/**
 * Attention over groups of tokens, one routine for all of the model's towers: a group is a sequence (text), a picture
 * (full attention of the vision tower) or a window. Tokens are packed, [N, …] without padding; they are laid out into
 * groups of equal length only for the attention itself, so that no other layer computes padding.
 */
import { add, layRows, liftRows, matmul, mul, reshape, softmax } from '../../graph/ops.ts';
import type { Value } from '../../graph/tensor.ts';

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
  const scores = matmul(queries, keys, { transB: true, alpha: headDim ** -0.5 });
  const probabilities = softmax(layout.mask ? add(scores, layout.mask) : scores);
  const mixed = matmul(probabilities, values);
  const kept = layout.real ? mul(mixed, layout.real) : mixed;
  return reshape(liftRows(kept, layout.query, layout.queryInverse), q.shape);
}

/** [N, heads·headDim] → [N·heads, headDim] */
function headRows(x: Value, headDim: number): Value {
  return reshape(x, [`${x.shape[0]}·${Number(x.shape[1]) / headDim}`, headDim]);
}
