// Combination: averaged matrices of the blocks as one number a token, the row of the query only.
import type { Arithmetic } from '../../ir/arithmetic.js';
import type { Name } from '../../ir/graph.js';

/** The tokens whose rows are read: the mean over all from one to before another. */
export interface Query {
  readonly from: number;
  readonly to: number;
}

/** The query's rows of [N, …, queries, keys]. */
function queryRows(k: Arithmetic, matrix: Name, { from, to }: Query): Name {
  const { shape } = k.builder.typeOf(matrix);
  const axis = shape.length - 2;
  if (from === 0 && to === shape[axis]) return matrix;
  const begin = shape.map((_, at) => (at === axis ? from : 0));
  const size = shape.map((extent, at) => (at === axis ? to - from : extent));
  return k.builder.add('slice', [matrix], { attrs: { begin }, type: { dtype: 'f32', shape: size } });
}

/** The mean over the axis of queries, which disappears. */
function meanRow(k: Arithmetic, rows: Name): Name {
  const { shape } = k.builder.typeOf(rows);
  const axis = shape.length - 2;
  if (shape[axis] !== 1) return k.builder.add('mean', [rows], { attrs: { axes: [axis] } });
  return k.reshape(
    rows,
    shape.filter((_, at) => at !== axis),
  );
}

/** The mean of the query's rows of [N, …, queries, keys]. */
export const queryRow = (k: Arithmetic, matrix: Name, query: Query): Name =>
  meanRow(k, queryRows(k, matrix, query));

/** The query's row of W + I, the rows of that divided by their sums where asked. */
function firstRow(k: Arithmetic, matrix: Name, query: Query, normalizeRows: boolean): Name {
  const rows = queryRows(k, matrix, query);
  const type = k.builder.typeOf(rows);
  const [, count, tokens] = type.shape as readonly [unknown, number, number];
  const identity = Array.from({ length: count * tokens }, (_, i) =>
    i % tokens === query.from + Math.floor(i / tokens) ? 1 : 0,
  );
  const whole = k.add(rows, k.broadcast(k.data(identity, [count, tokens]), [1, 2], type));
  return meanRow(k, normalizeRows ? k.div(whole, k.spreadBack(k.sum(whole, [2]), [2], type)) : whole);
}

/** Σ over the keys of each row of [N, queries, keys], and the 1 of the identity: [N, queries]. */
function rowSums(k: Arithmetic, matrix: Name): Name {
  const sums = k.sum(matrix, [2]);
  return k.add(sums, k.constant(1, sums));
}

/**
 * The query's row of (W_L + I) · … · (W_s + I), from the last block to the first: never a product of two matrices.
 * @param matrices  [N, tokens, tokens] each, from block s to L
 */
export function rollout(
  k: Arithmetic,
  matrices: readonly Name[],
  query: Query,
  normalizeRows: boolean,
): Name {
  const [last, ...others] = [...matrices].reverse() as [Name, ...Name[]];
  let row = firstRow(k, last, query, normalizeRows);
  for (const matrix of others) {
    const weights = normalizeRows ? k.div(row, rowSums(k, matrix)) : row;
    const moved = k.builder.add('einsum', [weights, matrix], { attrs: { eq: 'ni,nij->nj' } });
    row = k.add(weights, moved);
  }
  return row;
}

/** Tokens that stand for a part of the input. */
const ordinaryShares = (tokens: number, special: readonly number[]): number[] =>
  Array.from({ length: tokens }, (_, token) => (special.includes(token) ? 0 : 1 / (tokens - special.length)));

/**
 * (Σ_h mean(∇A_h) · A_h)⁺ over the query's rows, the mean over ordinary tokens, scaled so that those run from 0 to 1; 0
 * at special tokens.
 * @param attention  [N, heads, tokens], as are `gradient`'s
 */
export function attentionGradCam(
  k: Arithmetic,
  attention: Name,
  gradient: Name,
  special: readonly number[],
): Name {
  const { builder } = k;
  const type = builder.typeOf(attention);
  const tokens = type.shape[2] as number;
  const mean = k.broadcast(k.data(ordinaryShares(tokens, special), [tokens]), [2], type);
  const weights = k.spreadBack(k.sum(k.mul(gradient, mean), [2]), [2], type);
  const map = k.unary('relu', k.sum(k.mul(weights, attention), [1]));
  const rows = builder.typeOf(map);
  const isOrdinary = k.broadcast(
    k.data(
      ordinaryShares(tokens, special).map((share) => (share > 0 ? 1 : 0)),
      [tokens],
    ),
    [1],
    rows,
  );
  const among = k.binary('greater', isOrdinary, k.constant(0, map));
  const outside = k.constant(Number.NEGATIVE_INFINITY, map);
  const extreme = (value: Name) =>
    k.spreadBack(
      builder.add('reduce_max', [builder.add('select', [among, value, outside])], { attrs: { axes: [1] } }),
      [1],
      rows,
    );
  const low = k.unary('neg', extreme(k.unary('neg', map)));
  const height = k.sub(map, low);
  const scaled = builder.add('quotient', [height, k.sub(extreme(map), low)], { attrs: { mode: 'exact' } });
  return k.mul(scaled, isOrdinary);
}
