// Resolution: the rules that a composite names, found in a table, with every parameter stated.
import { checkAttrs, OpProblem } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
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
  const params = { ...defaults, ...choice.params };
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

/** Bounds of an input: numbers, or one a channel. */
export type Range = readonly [low: number | readonly number[], high: number | readonly number[]];

/**
 * The composite with the bounds of zB stated, where its lines leave them to the input.
 * @throws RelcError RELC3004 where they are left to an input of unknown range
 */
export function withRange(composite: Composite, range: Range | undefined): Composite {
  return composite.map((line): CompositeLine => {
    const [name, match, { rule, params = {} }] = line;
    if (rule !== 'zBox' || (params.low !== undefined && params.high !== undefined)) return line;
    if (range === undefined) {
      throw new RelcError(
        'RELC3004',
        `line '${name}' of the composite: zBox has to know the smallest and the largest value of the input`,
        'pass range: [low, high], such as [0, 1]; on the command line --range 0,1, or state how pixels enter with --scale',
      );
    }
    return [name, match, { rule, params: { low: range[0], high: range[1], ...params } }];
  });
}
