// Constants: the values of nodes that no input leads to.
import type { Dialect } from '../dialect.js';
import { evaluateAll } from '../evaluate.js';
import { type Name, type Node, nodeOf } from '../graph.js';
import type { TensorData, Weights } from '../tensor.js';

/** The nodes that `name` is computed from, itself included, operands first. */
export function coneOf(nodes: ReadonlyMap<Name, Node>, name: Name): ReadonlyMap<Name, Node> {
  const cone = new Map<Name, Node>();
  const pending = [name];
  for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
    const node = nodeOf({ nodes }, next);
    const missing = node.args.filter((arg) => !cone.has(arg));
    pending.push(...missing);
    if (missing.length > 0) continue;
    cone.set(next, node);
    pending.pop();
  }
  return cone;
}

/**
 * The value of a constant in f64.
 * @throws RelcError RELC1009 where a weight is missing or of the wrong type
 */
export function evaluateConstant(
  nodes: ReadonlyMap<Name, Node>,
  constant: Name,
  dialect: Dialect,
  weights: Weights,
): TensorData {
  const graph = { name: constant, nodes: coneOf(nodes, constant), outputs: {}, aliases: new Map() };
  return evaluateAll(graph, dialect, {}, weights).get(constant)!;
}
