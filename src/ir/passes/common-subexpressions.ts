// Common subexpressions: of equal computations the first stays.

import type { Dialect } from '../dialect.js';
import type { Graph, Name, Node } from '../graph.js';
import { printType } from '../type.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';

/** What a node computes, as a text: equal for equal op, operands, attributes and type. */
export function computationKey(node: Node): string {
  const attrs = Object.keys(node.attrs)
    .sort()
    .map((name) => [name, node.attrs[name]]);
  return JSON.stringify([node.op, node.args, attrs, printType(node.type)]);
}

export function mergeCommonSubexpressions(graph: Graph, dialect: Dialect): Graph {
  const first = new Map<string, Name>();
  return rewrite(graph, dialect, (node) => {
    if (node.op === 'input') return undefined;
    const key = computationKey(node);
    const known = first.get(key);
    if (known === undefined) first.set(key, node.name);
    return known;
  });
}

export const commonSubexpressions = graphPass(
  'common-subexpressions',
  'compute equal values once',
  mergeCommonSubexpressions,
);
