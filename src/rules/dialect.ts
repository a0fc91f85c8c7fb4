// The rule dialect: one op `rule.<name>` for each rule. `%r.x = rule.epsilon(…args, %z, %r.z) {of, to, …}`.
import { attrNumber, type Dialect, numberOf, type OpDefinition, OpProblem } from '../ir/dialect.js';
import { type Attr, type Attrs, type Name, type Node, nodeOf } from '../ir/graph.js';
import { type DenominatorMode, denominatorModes } from '../ir/ops/quotient.js';
import { printType, sameShape } from '../ir/type.js';
import { type RuleDefinition, type RuleTable, ruleTable } from './rules.js';

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

/** No bound of zB lies above the other's. */
function checkBounds({ low, high }: Attrs): void {
  if (low === undefined || high === undefined) return;
  const [lows, highs] = [low, high].map((bound) => (Array.isArray(bound) ? bound : [bound]) as Attr[]);
  for (let channel = 0; channel < Math.max(lows!.length, highs!.length); channel++) {
    const [below, above] = [lows!, highs!].map((list) => attrNumber(list[list.length > 1 ? channel : 0]));
    if (below !== undefined && above !== undefined && below > above) {
      throw wrongParam(
        `low is ${JSON.stringify(low)} and high is ${JSON.stringify(high)}, expected low ≤ high`,
      );
    }
  }
}

/** What the schema cannot judge: the denominator's mode, its ε, α and β, γ. @throws OpProblem RELC3004 */
export function checkParams(attrs: Attrs): void {
  const mode = attrs.denominator;
  if (mode !== undefined && !denominatorModes.includes(mode as DenominatorMode)) {
    throw wrongParam(`denominator is "${mode}", expected one of ${denominatorModes.join(', ')}`);
  }
  if (mode !== undefined && mode !== 'exact' && !(numberOf(attrs, 'eps', 0) > 0)) {
    throw wrongParam(`eps is ${attrs.eps}, expected a number above 0 for the denominator "${mode}"`);
  }
  if (attrs.gamma !== undefined && !(numberOf(attrs, 'gamma') >= 0)) {
    throw wrongParam(`gamma is ${attrs.gamma}, expected a number that is not below 0`);
  }
  checkBounds(attrs);
  if (attrs.alpha === undefined) return;
  const [alpha, beta] = [numberOf(attrs, 'alpha'), numberOf(attrs, 'beta')];
  if (!(alpha >= 0 && beta >= 0 && Math.abs(alpha - beta - 1) < 1e-6)) {
    throw wrongParam(`alpha is ${alpha} and beta is ${beta}, expected α − β = 1 with neither below 0`);
  }
}

const wrongParam = (message: string) => new OpProblem('RELC3004', message);

function ruleOp(rule: RuleDefinition): OpDefinition {
  return {
    summary: rule.summary,
    operands: ['arg*', 'z', 'relevance'],
    attrs: { of: 'string', to: 'number', ...rule.attrs },
    infer(types, attrs) {
      checkParams(attrs);
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
        graph,
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

/** The ops of a table of rules. */
export const ruleDialectOf = (table: RuleTable): Dialect =>
  Object.fromEntries(Object.entries(table).map(([name, rule]) => [`${rulePrefix}${name}`, ruleOp(rule)]));

export const ruleDialect: Dialect = ruleDialectOf(ruleTable);
