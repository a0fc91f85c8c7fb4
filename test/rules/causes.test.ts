// What a rule may lose, as it is listed, covers what it loses on every op that it is tried on.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/ir/builder.js';
import { expectedCauses } from '../../src/rules/account.js';
import { possibleCauses } from '../../src/rules/causes.js';
import { rulePrefix } from '../../src/rules/dialect.js';
import { causes } from '../../src/rules/leaks.js';
import { ruleTable } from '../../src/rules/rules.js';
import { dialect } from './support.js';
import { activeOperands, type Trial, trials } from './trials.js';

const quantities = ['relevance', 'gradient'] as const;

/** Causes on one op, relevance handed to all operands and to the first alone. */
function causesOn({ rule, params, single }: Trial, quantity: (typeof quantities)[number]) {
  const { graph, node } = single;
  const operands = activeOperands(single);
  return [operands, operands.slice(0, 1)].flatMap((live) => {
    const builder = GraphBuilder.extending(graph, dialect);
    const seed = builder.add('input', [], { name: 'R', type: node.type });
    for (const operand of live) {
      builder.add(`${rulePrefix}${rule}`, [...node.args, node.name, seed], {
        attrs: { ...params, of: node.op, to: operand },
      });
    }
    const found = expectedCauses(builder.finish(graph.outputs), dialect, { quantity });
    return [...found.values()].flatMap((list) => list ?? []);
  });
}

describe.each(quantities)('as %s', (quantity) => {
  it.each(Object.entries(ruleTable))('%s lists all that it loses', (name, rule) => {
    const listed = possibleCauses(rule, quantity);
    const met = trials.filter((trial) => trial.rule === name).flatMap((trial) => causesOn(trial, quantity));
    expect([...new Set(met)].filter((cause) => !listed.includes(cause))).toEqual([]);
  });
});

it('every cause is some rule’s, of relc’s or of a user’s', () => {
  const listed = quantities.flatMap((quantity) =>
    Object.values(ruleTable).flatMap((rule) => possibleCauses(rule, quantity)),
  );
  expect(new Set([...listed, 'custom rules'])).toEqual(new Set(Object.keys(causes)));
});
