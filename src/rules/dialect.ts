// The rule dialect: one op `rule.<name>` for each rule. `%r.x = rule.epsilon(…args, %z, %r.z) {of, to, …}`.
import { type Dialect, type OpDefinition, OpProblem } from '../ir/dialect.js';
import { type Attrs, type Name, type Node, nodeOf } from '../ir/graph.js';
import { printType, sameShape } from '../ir/type.js';
import { type RuleDefinition, ruleTable } from './rules.js';

export const rulePrefix = 'rule.';

export function isRuleLine(node: Node): boolean {
  return node.op.startsWith(rulePrefix);
}

/** A rule line taken apart. */
export interface RuleLine {
  /** The ruled node's own operands. */
  readonly args: readonly Name[];
  readonly z: Name;
  readonly relevance: Name;
  readonly operand: number;
}

export function ruleLineOf(node: Node): RuleLine {
  return {
    args: node.args.slice(0, -2),
    z: node.args.at(-2)!,
    relevance: node.args.at(-1)!,
    operand: node.attrs.to as number,
  };
}

/** The rule's own parameters among a rule line's attributes. */
export function ruleParams({ of: _of, to: _to, ...params }: Attrs): Attrs {
  return params;
}

function ruleOp(rule: RuleDefinition): OpDefinition {
  return {
    summary: rule.summary,
    operands: ['arg*', 'z', 'relevance'],
    attrs: { of: 'string', to: 'number', ...rule.attrs },
    infer(types, attrs) {
      const [z, relevance] = types.slice(-2);
      const x = types[attrs.to as number];
      if (types.length < 3 || x === undefined || (attrs.to as number) >= types.length - 2) {
        throw new OpProblem('RELC1003', `to=${attrs.to} names no operand of the ruled op`);
      }
      if (!sameShape(z!.shape, relevance!.shape)) {
        throw new OpProblem('RELC1004', `R is ${printType(relevance!)}, but z is ${printType(z!)}`);
      }
      return { dtype: 'f32', shape: x.shape };
    },
    evaluate(values, node, { graph, precision, samplesOf }) {
      const line = ruleLineOf(node);
      const ruled = nodeOf(graph, line.z);
      return rule.evaluate({
        node: ruled,
        operand: line.operand,
        args: values.slice(0, -2),
        z: values.at(-2)!,
        relevance: values.at(-1)!,
        attrs: ruleParams(node.attrs),
        batch: samplesOf(line.z),
        precision,
      });
    },
  };
}

export const ruleDialect: Dialect = Object.fromEntries(
  Object.entries(ruleTable).map(([name, rule]) => [`${rulePrefix}${name}`, ruleOp(rule)]),
);
