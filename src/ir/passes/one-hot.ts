// One-hot factors: one row of a weight in place of a product with all of it.
//
// Where s[b, j] is zero for every j but c[b], the class of sample b,
//
//   Σⱼ s[b, j] · w[i, j]  =  w[i, c[b]] · v[b],   v[b] = Σⱼ s[b, j]
//
// exactly: all other terms are zero. The first transpose of an explanation is such a product, for its seed is one-hot.
import { multiplyAdds } from '../analyses/multiply-adds.js';
import { type OneHot, oneHotValues } from '../analyses/one-hot.js';
import { Arithmetic } from '../arithmetic.js';
import type { GraphBuilder } from '../builder.js';
import type { Dialect } from '../dialect.js';
import { activeValues, type Graph, type Name, type Node } from '../graph.js';
import { parseEquation } from '../ops/einsum.js';
import { elementCount, isBatched, type Shape, sameShape } from '../type.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';

/** An einsum that sums s, which is one-hot, and a constant w over the axis along which s is. */
interface Selection {
  readonly s: Name;
  readonly w: Name;
  /** Indices of the two, of the sum and of the result. */
  readonly ofS: string;
  readonly ofW: string;
  readonly summed: string;
  readonly out: string;
  readonly oneHot: OneHot;
}

interface Known {
  readonly oneHots: ReadonlyMap<Name, OneHot>;
  readonly active: ReadonlySet<Name>;
}

/** `node` as a selection with the operand in `slot` as its one-hot factor, if it is one. */
function selectionOf(builder: GraphBuilder, node: Node, slot: 0 | 1, known: Known): Selection | undefined {
  const [s, w] = [node.args[slot]!, node.args[1 - slot]!];
  const oneHot = known.oneHots.get(s);
  if (oneHot === undefined || !known.active.has(s)) return undefined;
  if (known.active.has(w) || isBatched(builder.typeOf(w))) return undefined;
  const { left, right, out, contracted: summed, shared } = parseEquation(node.attrs.eq as string);
  const [ofS, ofW] = slot === 0 ? [left, right] : [right, left];
  if (summed !== ofS[oneHot.axis] || shared !== '') return undefined;
  return { s, w, ofS, ofW, summed, out, oneHot };
}

/** The row costs a read and a product for each element of the result, v a sum over s. */
function saves(builder: GraphBuilder, node: Node, { s }: Selection): boolean {
  const row = 2 * elementCount(node.type.shape) + elementCount(builder.typeOf(s).shape);
  return row < multiplyAdds(builder, node);
}

/**
 * c, in the shape of v: the arg-max of the one-hot, so that it names a row even where the integers that the one-hot is
 * of name none: there v is zero, whatever the row.
 */
function places(k: Arithmetic, { hot }: OneHot, shape: Shape): Name {
  const { builder } = k;
  const axis = builder.typeOf(hot).shape.length - 1;
  const index = builder.add('argmax', [hot], { attrs: { axis } });
  return sameShape(builder.typeOf(index).shape, shape) ? index : k.reshape(index, shape);
}

/** w[i, c[b]] · v[b] */
function scaledRow(builder: GraphBuilder, node: Node, selection: Selection): Name {
  const { s, w, ofS, ofW, summed, out, oneHot } = selection;
  const k = new Arithmetic(builder);
  const without = (indices: string) => indices.replace(summed, '');
  const v = k.sum(s, [oneHot.axis]);
  const { shape } = builder.typeOf(v);
  const classFirst = [...summed, ...without(ofW)].map((index) => ofW.indexOf(index));
  const row = builder.add('gather', [k.transpose(w, classFirst), places(k, oneHot, shape)], {
    attrs: { axis: 0 },
  });
  const spread = k.broadcast(v, [...shape.keys()], builder.typeOf(row));
  const order = without(ofS) + without(ofW);
  if (order === out) return k.mul(row, spread, node.name);
  const perm = [...out].map((index) => order.indexOf(index));
  return builder.add('transpose', [k.mul(row, spread)], { attrs: { perm }, name: node.name });
}

export function selectOneHotRows(graph: Graph, dialect: Dialect): Graph {
  const known = { oneHots: oneHotValues(graph), active: activeValues(graph) };
  return rewrite(graph, dialect, (node, { builder }) => {
    if (node.op !== 'einsum' || node.args.length > 2) return undefined;
    const selection = selectionOf(builder, node, 0, known) ?? selectionOf(builder, node, 1, known);
    if (selection === undefined || !saves(builder, node, selection)) return undefined;
    return scaledRow(builder, node, selection);
  });
}

export const oneHot = graphPass(
  'one-hot',
  'one row of a weight in place of its product with a one-hot factor',
  selectOneHotRows,
);
