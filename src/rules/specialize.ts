// Specialization: rule lines learn what is known of their operands while it is still known what they mean.
import { nonnegativeValues } from '../ir/analyses/signs.js';
import type { Dialect } from '../ir/dialect.js';
import { type Graph, type Name, type Node, nodeOf } from '../ir/graph.js';
import { graphPass } from '../ir/passes/pass.js';
import { vanishingRelevances } from './analyses/vanishing.js';
import { isRuleLine, ruleLineOf } from './dialect.js';
import { contributing } from './formulas/linear.js';

/**
 * Rules that split x by sign ask by an attribute whether it is `nonnegative`: its negative half is zero then, and so are
 * the contractions it feeds. Rules with a branch for z ≤ 0 ask whether R is `vanishing` there.
 */
const asks = (dialect: Dialect, { op }: Node, attr: 'nonnegative' | 'vanishing'): boolean =>
  dialect[op]?.attrs?.[attr] !== undefined;

export function specializeRules(graph: Graph, dialect: Dialect): Graph {
  const nonnegative = nonnegativeValues(graph, dialect);
  const vanishing = vanishingRelevances(graph, nonnegative);
  const known = (node: Node) => {
    const { z, relevance } = ruleLineOf(node);
    const splits = asks(dialect, node, 'nonnegative');
    const inputs: readonly Name[] = splits
      ? contributing(nodeOf(graph, z)).map((slot) => node.args[slot]!)
      : [];
    return {
      ...(splits && inputs.every((input) => nonnegative.has(input)) ? { nonnegative: true } : {}),
      ...(asks(dialect, node, 'vanishing') && vanishing.has(relevance) ? { vanishing: true } : {}),
    };
  };
  const nodes = new Map<string, Node>();
  for (const node of graph.nodes.values()) {
    nodes.set(node.name, isRuleLine(node) ? { ...node, attrs: { ...node.attrs, ...known(node) } } : node);
  }
  return { ...graph, nodes };
}

export const specialize = graphPass(
  'specialize',
  'tell rules what is known of signs, and where relevance vanishes',
  specializeRules,
);
