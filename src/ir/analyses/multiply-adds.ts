// Multiply–adds: what the contractions of a graph cost for one sample.
import { activeValues, type Graph, type Node, nodeOf } from '../graph.js';
import { parseEquation } from '../ops/einsum.js';
import { bindDim, elementCount, isBatched, type TensorType } from '../type.js';

/** A contraction that runs once for every explanation. */
export interface Contraction {
  readonly node: Node;
  /** For one sample: N = 1. */
  readonly multiplyAdds: number;
}

type Cost = (node: Node, args: readonly TensorType[]) => number;

/** The product of the extents of all indices. */
const einsumCost: Cost = (node, args) => {
  const { left, right } = parseEquation(node.attrs.eq as string);
  const extents = new Map(
    [left, right].flatMap((indices, operand) =>
      [...indices].map((index, axis) => [index, bindDim(args[operand]!.shape[axis]!, 1)] as const),
    ),
  );
  return [...extents.values()].reduce((product, extent) => product * extent, 1);
};

/** Elements of the narrow side × taps of the window × input channels of one group; taps in the padding count. */
const windowCost = (narrow: TensorType, kernel: TensorType) =>
  elementCount(narrow.shape) * elementCount(kernel.shape.slice(0, -1));

const costs: Readonly<Record<string, Cost>> = {
  einsum: einsumCost,
  conv: (node, [, w]) => windowCost(node.type, w!),
  // As the convolution that it transposes: its operand is that one's result
  conv_transpose: (_node, [z, w]) => windowCost(z!, w!),
};

/** Multiply–adds of a node for one sample; 0 for what is no contraction. */
export function multiplyAdds(graph: Pick<Graph, 'nodes'>, node: Node): number {
  if (!Object.hasOwn(costs, node.op)) return 0;
  return costs[node.op]!(
    node,
    node.args.map((arg) => nodeOf(graph, arg).type),
  );
}

/**
 * The contractions that run for every explanation, in order: those that depend on a graph input or have a batch. The
 * others are constants, computed once when the weights are loaded.
 */
export function contractions(graph: Pick<Graph, 'nodes'>): Contraction[] {
  const active = activeValues(graph);
  return [...graph.nodes.values()]
    .filter((node) => Object.hasOwn(costs, node.op) && (active.has(node.name) || isBatched(node.type)))
    .map((node) => ({ node, multiplyAdds: multiplyAdds(graph, node) }));
}
