// One-hot values: which are zero but at one place along an axis, whatever the inputs.
import { type Graph, type Name, type Node, nodeOf } from '../graph.js';
import { elementCount, type Shape } from '../type.js';

/** A value that is zero wherever `hot`, a one-hot of integers, is zero at the same place. */
export interface OneHot {
  /** The result of `one_hot`: the same elements in the same order, its last axis as `axis`. */
  readonly hot: Name;
  readonly axis: number;
}

/** By op, the operands where the result is zero if they are: 0·y = 0 and 0/den(z) = 0, for finite y and den(z) ≠ 0. */
export const zerosOf: Readonly<Record<string, readonly number[]>> = {
  mul: [0, 1],
  neg: [0],
  quotient: [0],
};

/** The values that are zero but at one place along an axis: a one-hot seed, its products and its quotients. */
export function oneHotValues(graph: Pick<Graph, 'nodes'>): ReadonlyMap<Name, OneHot> {
  const found = new Map<Name, OneHot>();
  for (const node of graph.nodes.values()) {
    const oneHot = oneHotOf(graph, node, found);
    if (oneHot !== undefined) found.set(node.name, oneHot);
  }
  return found;
}

function oneHotOf(
  graph: Pick<Graph, 'nodes'>,
  node: Node,
  found: ReadonlyMap<Name, OneHot>,
): OneHot | undefined {
  if (node.op === 'one_hot') return { hot: node.name, axis: node.type.shape.length - 1 };
  if (node.op === 'reshape') {
    const [x] = node.args as [Name];
    const oneHot = found.get(x);
    return oneHot && reshaped(oneHot, nodeOf(graph, x).type.shape, node.type.shape);
  }
  const operands = Object.hasOwn(zerosOf, node.op) ? zerosOf[node.op]! : [];
  return operands.map((operand) => found.get(node.args[operand]!)).find((oneHot) => oneHot !== undefined);
}

/** The axis in another shape of the same elements, where one has the same extent and as many elements after it. */
function reshaped({ hot, axis }: OneHot, from: Shape, to: Shape): OneHot | undefined {
  const inner = (shape: Shape, at: number) => elementCount(shape.slice(at + 1));
  const kept = to.findIndex((dim, at) => dim === from[axis] && inner(to, at) === inner(from, axis));
  return kept < 0 ? undefined : { hot, axis: kept };
}
