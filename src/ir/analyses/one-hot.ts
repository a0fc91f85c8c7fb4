// One-hot values: which are zero but at one place along an axis, whatever the inputs.
import { type Graph, type Name, type Node, nodeOf } from '../graph.js';
import { elementCount, type Shape } from '../type.js';

/** value[…, j, …] = 0 wherever j, its place along `axis`, is not the one that `index` names. */
export interface OneHot {
  readonly axis: number;
  /** Integers, one for each element of the value without the axis, in the same order. Some may name no place. */
  readonly index: Name;
}

/** By op, the operands that are zero only where the result is too: 0·y = 0 and 0/den(z) = 0 for finite y and z. */
const zerosOf: Readonly<Record<string, readonly number[]>> = {
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
  if (node.op === 'one_hot') return { axis: node.type.shape.length - 1, index: node.args[0]! };
  if (node.op === 'reshape') {
    const [x] = node.args as [Name];
    const oneHot = found.get(x);
    return oneHot && reshaped(oneHot, nodeOf(graph, x).type.shape, node.type.shape);
  }
  const operands = Object.hasOwn(zerosOf, node.op) ? zerosOf[node.op]! : [];
  return operands.map((operand) => found.get(node.args[operand]!)).find((oneHot) => oneHot !== undefined);
}

/** The axis in another shape of the same elements, where one has the same extent and as many elements after it. */
function reshaped({ axis, index }: OneHot, from: Shape, to: Shape): OneHot | undefined {
  const inner = (shape: Shape, at: number) => elementCount(shape.slice(at + 1));
  const kept = to.findIndex((dim, at) => dim === from[axis] && inner(to, at) === inner(from, axis));
  return kept < 0 ? undefined : { axis: kept, index };
}
