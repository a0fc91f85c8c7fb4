// Resolution: the rules that a composite names, found in a table, with every parameter stated.

import type { Interval } from '../ir/analyses/interval.js';
import { checkAttrs, OpProblem } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
import type { Attrs, Name, Node } from '../ir/graph.js';
import type { Composite, CompositeLine } from './composite.js';
import { checkParams } from './dialect.js';
import { plainName, type RuleTable, ruleNamed } from './rules.js';

/** Names that begin or end alike, for a message. */
function nearNames(name: string, table: RuleTable): readonly string[] {
  const wanted = plainName(name);
  const near = Object.keys(table).filter((own) => {
    const plain = plainName(own);
    return plain.startsWith(wanted.slice(0, 3)) || plain.includes(wanted) || wanted.includes(plain);
  });
  return near.length > 0 ? near : Object.keys(table);
}

/** What is stated, and the defaults of the rest: an exact denominator has no ε. */
function withDefaults(defaults: Attrs, given: Attrs): Attrs {
  const { eps, ...rest } = defaults;
  const params = { ...defaults, ...given };
  return params.denominator === 'exact' && eps !== undefined ? { ...rest, ...given } : params;
}

/** A line that states all is returned as it is. */
function resolvedLine(line: CompositeLine, table: RuleTable): CompositeLine {
  const [name, match, choice] = line;
  const rule = ruleNamed(choice.rule, table);
  if (rule === undefined) {
    throw new RelcError(
      'RELC3006',
      `line '${name}' of the composite: there is no rule '${choice.rule}'`,
      `rules: ${nearNames(choice.rule, table).join(', ')}`,
    );
  }
  const { attrs, defaults = {} } = table[rule]!;
  const params = withDefaults(defaults, choice.params ?? {});
  try {
    checkAttrs(attrs, params);
    checkParams(params);
  } catch (error) {
    if (!(error instanceof OpProblem)) throw error;
    throw new RelcError(
      'RELC3004',
      `line '${name}' of the composite, rule ${rule}: ${error.message}`,
      error.hint,
    );
  }
  const { params: given } = choice;
  const isComplete = given !== undefined && Object.keys(given).length === Object.keys(params).length;
  return isComplete && rule === choice.rule ? line : [name, match, { rule, params }];
}

/**
 * The composite with every rule by its own name and every parameter stated.
 * @throws RelcError RELC3006 (no such rule), RELC3004 (a parameter it does not have, or a wrong value)
 */
export function resolved(composite: Composite, table: RuleTable): Composite {
  return composite.map((line) => resolvedLine(line, table));
}

/** Whether a line leaves the bounds of zB to the range of the input. */
export function leavesBounds([, , { rule, params = {} }]: CompositeLine): boolean {
  return rule === 'zBox' && (params.low === undefined || params.high === undefined);
}

/** What is known of the input, and of what is made of it. */
export interface KnownRange {
  /** The smallest and the largest value of the input. */
  readonly range: Interval | undefined;
  /** Those of a value, undefined where they do not follow. */
  readonly boundsOf: (value: Name, range: Interval) => Interval | undefined;
}

/**
 * The parameters of a line's rule with the bounds of zB, where the line leaves them open: those of the ruled node's
 * operand.
 * @throws RelcError RELC3004 where they are not known
 */
export function boundedParams(line: CompositeLine, node: Node, { range, boundsOf }: KnownRange): Attrs {
  const [name, , { params = {} }] = line;
  if (!leavesBounds(line)) return params;
  if (range === undefined) {
    throw new RelcError(
      'RELC3004',
      `line '${name}' of the composite: zBox on %${node.name} = ${node.op} has to know the smallest and the largest value of the input`,
      'pass range: [low, high], such as [0, 1]; on the command line --range 0,1, or state how pixels enter with --scale',
    );
  }
  const [x] = node.args as [Name];
  const bounds = boundsOf(x, range);
  if (bounds !== undefined) return { low: bounds[0], high: bounds[1], ...params };
  throw new RelcError(
    'RELC3004',
    `line '${name}' of the composite: the smallest and the largest value of %${x}, which %${node.name} = ${node.op} takes, do not follow from those of the input`,
    'state low and high of zBox in the line, for that value',
  );
}
