// The rules: for each, its formula as a slow reference and as graph ops, and the ops it suits.
import type { Arithmetic } from '../ir/arithmetic.js';
import type { GraphBuilder } from '../ir/builder.js';
import type { AttrSchema } from '../ir/dialect.js';
import type { Attrs, Name, Node } from '../ir/graph.js';
import type { TensorData } from '../ir/tensor.js';
import { affineRules } from './affine.js';
import { plainRules } from './plain.js';
import type { Reference } from './reference.js';

/** One application of a rule, to be written as graph ops. */
export interface Expansion {
  readonly builder: GraphBuilder;
  readonly k: Arithmetic;
  /** The ruled node; `node.args[operand]` is x. */
  readonly node: Node;
  readonly operand: number;
  readonly relevance: Name;
  readonly attrs: Attrs;
  /** The name that the result takes. */
  readonly name: Name;
}

export interface RuleDefinition {
  readonly summary: string;
  readonly equation: string;
  readonly source: string;
  readonly attrs: AttrSchema;
  /** Why the rule cannot be applied to this operand, or undefined if it can. */
  unsuited(node: Node, operand: number): string | undefined;
  /** The paper's formula on dense data. */
  evaluate(reference: Reference): TensorData;
  /** The same as graph ops: modified forwards, a quotient, transposes, a product with the inputs. */
  expand(expansion: Expansion): Name;
}

const rules = { ...affineRules, ...plainRules };

export type RuleName = keyof typeof rules;

export const ruleTable: Readonly<Record<RuleName, RuleDefinition>> = rules;
