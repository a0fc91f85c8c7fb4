// Consecutive places: what picks constant places that follow one another is a slice, and its transpose a pad.
//
//   x[…, i, i+1, …, j, …] = slice(x)        Σ over updates at i, i+1, …, j = pad(updates)
import type { GraphBuilder } from '../builder.js';
import { attrNumber, numberOf } from '../dialect.js';
import type { Name, Node } from '../graph.js';
import { padAttrs } from '../ops/movement.js';
import { elementCount, type Shape } from '../type.js';

/** The first of the places that a constant lists, where they follow one another within the extent of an axis. */
function firstPlace(builder: GraphBuilder, indices: Name, extent: number): number | undefined {
  const { op, attrs, type } = builder.node(indices);
  const count = elementCount(type.shape);
  if (op !== 'constant' || (count > 1 && !Array.isArray(attrs.value))) return undefined;
  const places = (Array.isArray(attrs.value) ? attrs.value : [attrs.value]).map(attrNumber) as number[];
  const [first] = places as [number, ...number[]];
  const isRun = places.every((place, index) => place === first + index);
  return isRun && first >= 0 && first + count <= extent ? first : undefined;
}

/** The places of an axis that a node picks, or adds to, one after another. */
interface Run {
  readonly axis: number;
  readonly first: number;
  readonly count: number;
}

function runOf(builder: GraphBuilder, node: Node, picked: Shape): Run | undefined {
  const axis = numberOf(node.attrs, 'axis');
  const [, indices] = node.args as [Name, Name];
  const first = firstPlace(builder, indices, picked[axis] as number);
  return first === undefined
    ? undefined
    : { axis, first, count: elementCount(builder.typeOf(indices).shape) };
}

const withExtent = (shape: Shape, axis: number, extent: number): Shape =>
  shape.map((dim, at) => (at === axis ? extent : dim));

function sliceFor(builder: GraphBuilder, node: Node): Name | undefined {
  const [x] = node.args as [Name];
  const { dtype, shape } = builder.typeOf(x);
  const run = runOf(builder, node, shape);
  if (run === undefined) return undefined;
  const { axis, first, count } = run;
  const part = builder.add('slice', [x], {
    attrs: { begin: shape.map((_, at) => (at === axis ? first : 0)) },
    type: { dtype, shape: withExtent(shape, axis, count) },
  });
  return builder.add('reshape', [part], { type: node.type, name: node.name });
}

function padFor(builder: GraphBuilder, node: Node): Name | undefined {
  const { dtype, shape } = node.type;
  const run = runOf(builder, node, shape);
  if (run === undefined) return undefined;
  const { axis, first, count } = run;
  const type = { dtype, shape: withExtent(shape, axis, count) };
  const rows = builder.add('reshape', [node.args[0]!], { type });
  const widths = (own: number) => shape.map((_, at) => (at === axis ? own : 0));
  const after = (shape[axis] as number) - first - count;
  return builder.add('pad', [rows], { attrs: padAttrs(widths(first), widths(after), []), name: node.name });
}

/** The slice or the pad that a gather or its transpose is, if it is one. */
export function decomposeIndexing(builder: GraphBuilder, node: Node): Name | undefined {
  return node.op === 'gather' ? sliceFor(builder, node) : padFor(builder, node);
}
