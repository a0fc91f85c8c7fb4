// Signs: which values are ≥ 0 in every element, whatever the inputs.
import type { Dialect } from '../dialect.js';
import { keepsSign } from '../dialect.js';
import { type Graph, type Name, type Node, nodeOf } from '../graph.js';

/** The values that cannot be negative: after a relu or a softmax, and what only moves, sums or scales such. */
export function nonnegativeValues(graph: Pick<Graph, 'nodes'>, dialect: Dialect): ReadonlySet<Name> {
  const nonnegative = new Set<Name>();
  const holds = (node: Node): boolean => {
    const definition = dialect[node.op];
    const rule = definition?.nonnegative ?? (definition?.traits?.routes ? keepsSign : undefined);
    if (rule === undefined || node.type.dtype !== 'f32') return false;
    const operands = node.args.filter((arg) => nodeOf(graph, arg).type.dtype === 'f32');
    return rule(
      node.attrs,
      operands.map((arg) => nonnegative.has(arg)),
    );
  };
  for (const node of graph.nodes.values()) if (holds(node)) nonnegative.add(node.name);
  return nonnegative;
}
