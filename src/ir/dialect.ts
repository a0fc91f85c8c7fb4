// Dialects: tables of ops, passed as values. One op, one entry: all that is known of it.
import type { GraphBuilder } from './builder.js';
import type { ErrorCode } from './error.js';
import type { Attr, Attrs, Graph, Name, Node } from './graph.js';
import type { Formula } from './scalar.js';
import type { Spelling } from './spelling.js';
import type { Precision, TensorData } from './tensor.js';
import type { TensorType } from './type.js';

/** What the reference evaluator hands to an op. `graph` has every batch dimension bound. */
export interface EvaluationContext {
  readonly precision: Precision;
  readonly graph: Graph;
  /** Samples along a value's first axis; 1 where it has no batch. */
  samplesOf(name: Name): number;
}

/** What a vector-Jacobian product is built from: the node, the operand asked for, the cotangent of its result. */
export interface VjpContext {
  readonly builder: GraphBuilder;
  readonly node: Node;
  readonly operand: number;
  readonly cotangent: Name;
}

/**
 * `?` marks what may be left out. `number` and `value` take the spellings of non-finite numbers too; `numbers` and
 * `pairs` are of integers: extents, axes and steps.
 */
export type AttrKind = 'number' | 'string' | 'boolean' | 'numbers' | 'pairs' | 'value';
export type AttrSchema = Readonly<Record<string, AttrKind | `${AttrKind}?`>>;

/**
 * Whether a result is ≥ 0 in every element, by the op's attributes and by which of its float operands are. Without one
 * an op that `routes` keeps the sign of its operands, and nothing is known of any other.
 */
export type SignRule = (attrs: Attrs, operands: readonly boolean[]) => boolean;

/** For ops whose result is never negative, and for those that keep the sign of all their operands. */
export const neverNegative: SignRule = () => true;
export const keepsSign: SignRule = (_attrs, operands) => operands.every(Boolean);

export interface OpTraits {
  /** Every output element copies one input element: relevance follows it exactly. */
  readonly routes?: true;
  /** One output element from the same place of each operand; all shapes are equal. */
  readonly elementwise?: true;
  /** An elementwise non-linearity that relevance passes through. */
  readonly activation?: true;
  /** `f(x, w, b?)`, affine in x, linear in w: weight is operand 1, bias operand 2. */
  readonly affine?: true;
}

/** One op: its shape rule, evaluation, derivative, traits and spellings. */
export interface OpDefinition {
  /** One line for docs and messages. */
  readonly summary: string;
  /** Operand names in order; a trailing `?` marks an optional one, a trailing `*` any number. */
  readonly operands: readonly string[];
  readonly attrs?: AttrSchema;
  readonly traits?: OpTraits;
  readonly nonnegative?: SignRule;
  /**
   * The result's type. `declared` is the type the node states: ops whose result the operands do not determine
   * (`input`, `reshape`, `slice`, …) check it and return it; all others ignore it.
   * @throws OpProblem
   */
  infer(args: readonly TensorType[], attrs: Attrs, declared: TensorType | undefined): TensorType;
  /** The plain meaning, on dense data; sums in index order, each op rounded once in f32. */
  evaluate(args: readonly TensorData[], node: Node, context: EvaluationContext): TensorData;
  /** Adds nodes for the vector-Jacobian product with respect to one operand. @throws OpProblem if there is none */
  readonly vjp?: (context: VjpContext) => Name;
  /** tfjs kernels of the same meaning and operands, for the tracer. */
  readonly kernel?: string;
  /** The scalar expression of an elementwise op, for loop-level targets. */
  readonly formula?: Formula;
  /** How to write it with tfjs; absent for ops that never reach a target. */
  readonly tfjs?: Spelling;
}

export type Dialect = Readonly<Record<string, OpDefinition>>;

/** The union of tables with disjoint ops. @throws if two define the same op */
export function mergeDialects(...dialects: readonly Dialect[]): Dialect {
  const merged: Record<string, OpDefinition> = {};
  for (const dialect of dialects) {
    for (const [op, definition] of Object.entries(dialect)) {
      if (Object.hasOwn(merged, op)) throw new Error(`two dialects define ${op}`);
      merged[op] = definition;
    }
  }
  return merged;
}

/** What is wrong with one application of an op; whoever knows the node adds its name and place. */
export class OpProblem extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

const nonFinite: Readonly<Record<string, number>> = {
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  nan: Number.NaN,
};

/** The number an attribute spells, non-finite ones included; undefined if it spells none. */
export function attrNumber(attr: Attr | undefined): number | undefined {
  if (typeof attr === 'number') return attr;
  return typeof attr === 'string' && Object.hasOwn(nonFinite, attr) ? nonFinite[attr] : undefined;
}

/** `value` as an attribute. */
export function numberAttr(value: number): Attr {
  if (Number.isFinite(value)) return Object.is(value, -0) ? 0 : value;
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

/** A numeric attribute that the schema has checked. */
export function numberOf(attrs: Attrs, name: string, fallback?: number): number {
  const number = attrNumber(attrs[name]) ?? fallback;
  if (number === undefined) throw new OpProblem('RELC1005', `attribute ${name} is missing`);
  return number;
}

/** An attribute that is a list of numbers, checked by the schema. */
export function numbersOf(attrs: Attrs, name: string): readonly number[] {
  return (attrs[name] ?? []) as readonly number[];
}

/** An attribute that is a list of pairs of numbers, checked by the schema. */
export function pairsOf(attrs: Attrs, name: string): readonly (readonly [number, number])[] {
  return (attrs[name] ?? []) as unknown as readonly (readonly [number, number])[];
}

function fits(kind: AttrKind, attr: Attr): boolean {
  const isNumber = (item: Attr) =>
    typeof item === 'number' ? Number.isFinite(item) : attrNumber(item) !== undefined;
  switch (kind) {
    case 'number':
      return isNumber(attr);
    case 'string':
      return typeof attr === 'string';
    case 'boolean':
      return typeof attr === 'boolean';
    case 'numbers':
      return Array.isArray(attr) && attr.every(Number.isInteger);
    case 'pairs':
      return Array.isArray(attr) && attr.every((item) => fits('numbers', item) && item.length === 2);
    case 'value':
      return isNumber(attr) || (Array.isArray(attr) && attr.every(isNumber));
  }
}

/** JSON has no non-finite numbers: such an attribute would not print. */
function spellingHint(attr: Attr): string | undefined {
  return typeof attr === 'number' && !Number.isFinite(attr) ? 'write "inf", "-inf" or "nan"' : undefined;
}

/** @throws OpProblem where attributes are missing, unknown or of the wrong kind */
export function checkAttrs(schema: AttrSchema, attrs: Attrs): void {
  for (const [name, kind] of Object.entries(schema)) {
    const attr = attrs[name];
    const optional = kind.endsWith('?');
    const plain = (optional ? kind.slice(0, -1) : kind) as AttrKind;
    if (attr === undefined) {
      if (!optional) throw new OpProblem('RELC1005', `attribute ${name} (${plain}) is missing`);
    } else if (!fits(plain, attr)) {
      const got = typeof attr === 'number' ? String(attr) : JSON.stringify(attr);
      throw new OpProblem('RELC1005', `attribute ${name} is ${got}, expected ${plain}`, spellingHint(attr));
    }
  }
  for (const name of Object.keys(attrs)) {
    if (!Object.hasOwn(schema, name)) {
      const known = Object.keys(schema).join(', ') || 'none';
      throw new OpProblem('RELC1005', `unknown attribute ${name}`, `attributes of this op: ${known}`);
    }
  }
}

/** @throws OpProblem where the number of operands does not fit */
export function checkOperandCount(definition: OpDefinition, count: number): void {
  const { operands } = definition;
  const variadic = operands.some((operand) => operand.endsWith('*'));
  const least = operands.filter((operand) => !/[?*]$/.test(operand)).length;
  if (count >= least && (variadic || count <= operands.length)) return;
  throw new OpProblem('RELC1003', `got ${count} operands, expected (${operands.join(', ')})`);
}
