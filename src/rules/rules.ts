// The rules: for each, its formula as a slow reference and as graph ops, the ops it suits, and what it loses.
import type { Arithmetic } from '../ir/arithmetic.js';
import type { GraphBuilder } from '../ir/builder.js';
import type { AttrSchema } from '../ir/dialect.js';
import type { Attrs, Graph, Name, Node } from '../ir/graph.js';
import type { TensorData } from '../ir/tensor.js';
import { alphaBetaRules } from './formulas/alpha-beta.js';
import { cheferAddRules } from './formulas/chefer-add.js';
import { firstLayerRules } from './formulas/first-layer.js';
import { gammaRules } from './formulas/gamma.js';
import { gradientRules } from './formulas/gradients.js';
import { normalizationRules } from './formulas/normalization.js';
import { productRules } from './formulas/products.js';
import { proportionalRules } from './formulas/proportional.js';
import type { Reference } from './formulas/reference.js';
import { softmaxRules } from './formulas/softmax.js';
import { structuralRules } from './formulas/structural.js';
import type { Leak, Loss } from './leaks.js';

/** A rule on a node of a graph that is being built. */
export interface Application {
  readonly builder: GraphBuilder;
  readonly k: Arithmetic;
  /** The ruled node. */
  readonly node: Node;
  /** R at the node's result. */
  readonly relevance: Name;
  readonly attrs: Attrs;
}

/** One application of a rule to one operand, to be written as graph ops. */
export interface Expansion extends Application {
  /** `node.args[operand]` is x. */
  readonly operand: number;
  /** The name that the result takes. */
  readonly name: Name;
}

/** One application of a rule to one operand, where R may be known to be z ⊙ q. */
export interface GradientExpansion extends Omit<Expansion, 'name'> {
  /** q; undefined where R is known alone. R itself is written out when it is asked for. */
  readonly gradient: Name | undefined;
}

/** Who else names rules. */
export const vocabularies = [
  'literature',
  'zennit',
  'captum',
  'iNNvestigate',
  'RelevancePropagation.jl',
  'Transformer-Explainability',
  'lxt',
] as const;

/** What else the rule is called, by whom. Stabilisers and the treatment of biases may differ: docs/rules.md says where. */
export type OtherNames = Readonly<Partial<Record<(typeof vocabularies)[number], readonly string[]>>>;

export interface RuleDefinition {
  readonly summary: string;
  readonly equation: string;
  readonly source: string;
  readonly knownAs?: OtherNames;
  readonly attrs: AttrSchema;
  /** What parameters are where a composite leaves them out. */
  readonly defaults?: Attrs;
  /** Why the rule cannot be applied to this operand, or undefined if it can. */
  unsuited(node: Node, operand: number): string | undefined;
  /** Whether an operand receives anything; all that the rule suits do where this is left out. */
  receives?(graph: Pick<Graph, 'nodes'>, node: Node, operand: number): boolean;
  /** Nothing is handed on: what leads to the node alone needs no rules, and its lines stand for the account alone. */
  readonly stops?: true;
  /** The paper's formula on dense data. */
  evaluate(reference: Reference): TensorData;
  /** The same as graph ops: modified forwards, a quotient, transposes, a product with the inputs. */
  expand(expansion: Expansion): Name;
  /**
   * q with x ⊙ q = what the operand receives, to rounding; undefined where the rule has no such form here: none where
   * R is known alone, say, or where a stabiliser is added to z.
   */
  gradientForm?(expansion: GradientExpansion): Name | undefined;
  /**
   * Where relevance goes that no operand receives, each cause with its own formula; undefined where there is no
   * formula for this op. ΣR at the result = Σ over the live operands of what they receive + Σ of all leaks.
   */
  leaks(loss: Loss): readonly Leak[] | undefined;
  /** The graph that a custom rule is at a node of a graph; relc's own rules are written out instead. */
  graphAt?(graph: Pick<Graph, 'nodes'>, node: Node): Graph;
}

/** Rules by name: what composites, the relevance pass, the dialect and the expansion look rules up in. */
export type RuleTable = Readonly<Record<string, RuleDefinition>>;

const rules = {
  ...proportionalRules,
  ...alphaBetaRules,
  ...gammaRules,
  ...firstLayerRules,
  ...structuralRules,
  ...gradientRules,
  ...cheferAddRules,
  ...softmaxRules,
  ...normalizationRules,
  ...productRules,
};

export type RuleName = keyof typeof rules;

export const ruleTable: Readonly<Record<RuleName, RuleDefinition>> = rules;

/** `alphaBeta`, `AlphaBeta`, `alpha_beta` and `alpha-beta` are one name. */
export const plainName = (name: string): string => name.replace(/[^\p{L}\p{N}.]/gu, '').toLowerCase();

/** All names that a rule goes by, its own first. */
export const namesOf = (own: string, { knownAs = {} }: RuleDefinition): readonly string[] => [
  own,
  ...vocabularies.flatMap((whose) => knownAs[whose] ?? []),
];

/**
 * The rule's own name for any name it is known by: as it is written, else in its plain form; undefined if no rule, or
 * more than one, is known by it.
 */
export function ruleNamed(name: string, table: RuleTable = ruleTable): string | undefined {
  if (Object.hasOwn(table, name)) return name;
  const known = (same: (other: string) => boolean) =>
    Object.keys(table).filter((own) => namesOf(own, table[own]!).some(same));
  const wanted = plainName(name);
  const found = [known((other) => other === name), known((other) => plainName(other) === wanted)];
  return found.find((rules) => rules.length === 1)?.[0];
}
