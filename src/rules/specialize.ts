// Specialization: rule lines learn what is known of their operands while it is still known what they mean.
import { nonnegativeValues } from '../ir/analyses/signs.js';
import type { Dialect } from '../ir/dialect.js';
import type { Graph, Node } from '../ir/graph.js';
import { graphPass } from '../ir/passes/pass.js';
import { rulePrefix } from './dialect.js';

/** Rules that split x by sign: where x ≥ 0 its negative half is zero, and so are the two contractions it feeds. */
const splitting: ReadonlySet<string> = new Set([`${rulePrefix}zPlus`, `${rulePrefix}alphaBeta`]);

export function specializeRules(graph: Graph, dialect: Dialect): Graph {
  const nonnegative = nonnegativeValues(graph, dialect);
  const nodes = new Map<string, Node>();
  for (const node of graph.nodes.values()) {
    const known = splitting.has(node.op) && nonnegative.has(node.args[node.attrs.to as number]!);
    nodes.set(node.name, known ? { ...node, attrs: { ...node.attrs, nonnegative: true } } : node);
  }
  return { ...graph, nodes };
}

export const specialize = graphPass(
  'specialize',
  'tell rules that split their input by sign where it is never negative',
  specializeRules,
);
