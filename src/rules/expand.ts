// Expansion: every rule line becomes the graph ops of its formula.
import { Arithmetic } from '../ir/arithmetic.js';
import { blaming } from '../ir/check.js';
import type { Dialect } from '../ir/dialect.js';
import type { Graph } from '../ir/graph.js';
import { graphPass } from '../ir/passes/pass.js';
import { rewrite } from '../ir/passes/rewrite.js';
import { isRuleLine, ruleLineOf, ruleParams, rulePrefix } from './dialect.js';
import { type RuleName, ruleTable } from './rules.js';

export function expandRules(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => {
    if (!isRuleLine(node)) return undefined;
    const line = ruleLineOf(node);
    const rule = ruleTable[node.op.slice(rulePrefix.length) as RuleName];
    return blaming(node, () =>
      rule.expand({
        builder,
        k: new Arithmetic(builder),
        node: builder.node(line.z),
        operand: line.operand,
        relevance: line.relevance,
        attrs: ruleParams(node.attrs),
        name: node.name,
      }),
    );
  });
}

export const expand = graphPass('expand', 'write every rule as graph ops', expandRules);
