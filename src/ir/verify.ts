// The verifier: every invariant a graph keeps, checked after every pass.
import { inferType } from './check.js';
import type { Dialect } from './dialect.js';
import { RelcError } from './error.js';
import { type Graph, namePattern, resolveAlias } from './graph.js';
import { printType, sameType, type TensorType } from './type.js';

/**
 * Checks that each node's op is known, its operands stand before it, its attributes fit, and its type is what the op
 * infers; that names are well formed and outputs and aliases lead to values.
 * @throws RelcError RELC1002..RELC1007
 */
export function verify(graph: Graph, dialect: Dialect): void {
  if (!namePattern.test(graph.name)) throw new RelcError('RELC1006', `'${graph.name}' cannot name a graph`);
  const seen = new Map<string, TensorType>();
  for (const [name, node] of graph.nodes) {
    if (name !== node.name || !namePattern.test(name)) {
      throw new RelcError('RELC1006', `'${name}' is not the name of %${node.name}`);
    }
    const type = inferType(dialect, node, (arg) => seen.get(arg), node.type);
    if (!sameType(type, node.type)) {
      throw new RelcError(
        'RELC1004',
        `%${name} = ${node.op} states ${printType(node.type)}, but its op gives ${printType(type)}`,
      );
    }
    seen.set(name, node.type);
  }
  for (const [key, name] of Object.entries(graph.outputs)) {
    if (!seen.has(name)) throw new RelcError('RELC1006', `output ${key} is %${name}, which is not defined`);
  }
  for (const [alias, target] of graph.aliases) {
    if (seen.has(alias)) throw new RelcError('RELC1006', `%${alias} is a value and an alias of %${target}`);
    if (resolveAlias(graph, target) === undefined) {
      throw new RelcError('RELC1006', `%${alias} is an alias of %${target}, which leads to no value`);
    }
  }
}
