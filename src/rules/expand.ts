// Expansion: every rule line becomes the graph ops of its formula.
import { Arithmetic } from '../ir/arithmetic.js';
import { blaming } from '../ir/check.js';
import type { Dialect } from '../ir/dialect.js';
import type { Graph, Name } from '../ir/graph.js';
import { graphPass } from '../ir/passes/pass.js';
import { rewrite } from '../ir/passes/rewrite.js';
import { isRuleLine, ruleLineOf, ruleParams, rulePrefix } from './dialect.js';
import { type RuleTable, ruleTable } from './rules.js';

export function expandRules(graph: Graph, dialect: Dialect, table: RuleTable = ruleTable): Graph {
  return rewrite(graph, dialect, (node, { builder }) => {
    if (!isRuleLine(node)) return undefined;
    const line = ruleLineOf(node);
    const rule = table[node.op.slice(rulePrefix.length)]!;
    // What is added here is named after the ruled value: its cost is found by that name.
    builder.scope = temporariesOf(line.z);
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

/** The prefix of the temporaries that the rule on a value adds. */
export const temporariesOf = (ruled: Name) => `t.${ruled}.`;

/** The value whose rule, or which itself, computes `name`: `conv1` for `conv1`, `t.conv1.conv` and `r.conv1`. */
export function servedValue(name: Name): Name {
  return name.replace(/^t\.(.+)\.[^.]*$/, '$1');
}

/** Expansion by a table of rules. */
export const expandBy = (table: RuleTable) =>
  graphPass('expand', 'write every rule as graph ops', (graph, dialect) =>
    expandRules(graph, dialect, table),
  );

export const expand = expandBy(ruleTable);
