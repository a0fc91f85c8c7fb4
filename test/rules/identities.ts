// Identities that can be put after any value of a network.
import { Arithmetic } from '../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Graph, Name } from '../../src/ir/graph.js';
import { elementCount } from '../../src/ir/type.js';

export type Identity = (k: Arithmetic, x: Name) => Name;

const typeOf = ({ builder }: Arithmetic, x: Name) => builder.typeOf(x);

/** From `begin` to `end` along the last axis. */
function sliced(k: Arithmetic, x: Name, begin: number, end: number): Name {
  const { dtype, shape } = typeOf(k, x);
  const attrs = {
    begin: shape.map((_, axis) => (axis === shape.length - 1 ? begin : 0)),
    stride: shape.map(() => 1),
  };
  return k.builder.add('slice', [x], { attrs, type: { dtype, shape: [...shape.slice(0, -1), end - begin] } });
}

/** Two slices along the last axis, where it has two places. */
const joinedSlices: Identity = (k, x) => {
  const { shape } = typeOf(k, x);
  const extent = shape.at(-1) as number;
  if (extent === 1) return sliced(k, x, 0, 1);
  const parts = [sliced(k, x, 0, 1), sliced(k, x, 1, extent)];
  return k.builder.add('concat', parts, { attrs: { axis: shape.length - 1 } });
};

const thereAndBack: Identity = (k, x) => {
  const { shape } = typeOf(k, x);
  const pair = k.reshape(x, ['N', 1, elementCount(shape)]);
  return k.reshape(k.transpose(k.transpose(pair, [0, 2, 1]), [0, 2, 1]), shape);
};

const paddedAndCut: Identity = (k, x) => {
  const { shape } = typeOf(k, x);
  const last = shape.map((_, axis) => (axis === shape.length - 1 ? 1 : 0));
  const attrs = { low: last, high: last, interior: shape.map(() => 0), value: 3 };
  const extent = shape.at(-1) as number;
  return sliced(k, k.builder.add('pad', [x], { attrs }), 1, extent + 1);
};

/** Reversed, and put right by other means: two equal mistakes on the way back would not be seen. */
const reversedAndGathered: Identity = (k, x) => {
  const { shape } = typeOf(k, x);
  const axis = shape.length - 1;
  const extent = shape[axis] as number;
  const order = Array.from({ length: extent }, (_, place) => extent - 1 - place);
  const reversed = k.builder.add('reverse', [x], { attrs: { axes: [axis] } });
  const type = { dtype: 'i32', shape: [extent] } as const;
  const indices = k.builder.add('constant', [], { attrs: { value: order }, type });
  return k.builder.add('gather', [reversed, indices], { attrs: { axis } });
};

/** Pooled over windows of one place. */
const pool =
  (op: string): Identity =>
  (k, x) => {
    const { shape } = typeOf(k, x);
    const row = k.reshape(x, ['N', elementCount(shape), 1]);
    const pooled = k.builder.add(op, [row], { attrs: { window: [1], strides: [1], padding: [[0, 0]] } });
    return k.reshape(pooled, shape);
  };

/** What only moves: relevance is the same bit by bit under every preset that routes. */
export const moving: Readonly<Record<string, Identity>> = {
  'a reshape to the same shape': (k, x) => k.reshape(x, typeOf(k, x).shape),
  'a transposition and its inverse': thereAndBack,
  'a reversal undone by a gather': reversedAndGathered,
  'two slices joined again': joinedSlices,
  'a padding cut off again': paddedAndCut,
  'a broadcast of nothing': (k, x) => k.broadcast(x, [...typeOf(k, x).shape.keys()], typeOf(k, x)),
};

/** What computes, but nothing new. */
export const computing: Readonly<Record<string, Identity>> = {
  'a product with one': (k, x) => k.mul(x, k.constant(1, x)),
  'the maximum of one place': pool('max_pool'),
  'the mean of one place': pool('avg_pool'),
  'a sum with zero': (k, x) => k.add(x, k.constant(0, x)),
  'a sum with zero, before': (k, x) => k.add(k.constant(0, x), x),
};

/** The graph with an identity after `value`, which all that uses it sees in its place. */
export function withIdentity(graph: Graph, value: Name, identity: Identity): Graph {
  const builder = new GraphBuilder(graph.name, forward);
  const k = new Arithmetic(builder);
  for (const name of graph.nodes.keys()) builder.reserved.add(name);
  let same = value;
  const standIn = (name: Name) => (name === value ? same : name);
  for (const node of graph.nodes.values()) {
    builder.reserved.delete(node.name);
    builder.copy({ ...node, args: node.args.map(standIn) });
    if (node.name === value) same = identity(k, value);
  }
  const outputs = Object.entries(graph.outputs).map(([key, name]) => [key, standIn(name)] as const);
  return builder.finish(Object.fromEntries(outputs));
}
