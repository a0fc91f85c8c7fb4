// Uses: how often each value is read.
import type { Graph, Name } from '../graph.js';

/** Uses of every value that has one, an operand slot each, with one more for each output it is. */
export function countUses(graph: Graph): Map<Name, number> {
  const uses = new Map<Name, number>();
  const count = (name: Name) => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const node of graph.nodes.values()) node.args.forEach(count);
  Object.values(graph.outputs).forEach(count);
  return uses;
}
