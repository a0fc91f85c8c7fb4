// How an elementwise op's whole entry is made from its scalar function and its derivatives.
import { Arithmetic } from '../arithmetic.js';
import {
  type AttrSchema,
  type OpDefinition,
  OpProblem,
  type OpTraits,
  type SignRule,
  type VjpContext,
} from '../dialect.js';
import type { Attrs, Name } from '../graph.js';
import type { Formula, FormulaContext, Scalar } from '../scalar.js';
import { type Spelling, spelled } from '../spelling.js';
import { allocate } from '../tensor.js';
import { concreteShape, type Dtype, type TensorType } from '../type.js';
import { expectDtype, expectSameShape } from './shapes.js';

/** What a derivative is written with: g is the cotangent, x and y the operands, z the result. */
export interface Chain {
  readonly k: Arithmetic;
  readonly g: Name;
  readonly x: Name;
  readonly y: Name;
  readonly z: Name;
  readonly attrs: Attrs;
}
export type Derivative = (chain: Chain) => Name;

export interface Elementwise {
  readonly summary: string;
  readonly operands: readonly string[];
  readonly attrs?: AttrSchema;
  readonly traits?: OpTraits;
  readonly nonnegative?: SignRule;
  /** The scalar function; `round` rounds to f32 in single precision and is for functions of several steps. */
  readonly scalar: (x: number, y: number, z: number, attrs: Attrs, round: (v: number) => number) => number;
  /** The same function as an expression; null where the op never reaches a target. */
  readonly formula: Formula | null;
  /** g · ∂f/∂operand, one for each operand; null where there is none. */
  readonly derivatives?: readonly (Derivative | null)[];
  readonly result?: Dtype;
  readonly operand?: Dtype;
  readonly kernel?: string;
  /** null where the op never reaches a target. */
  readonly tfjs: string | Spelling | null;
}

const identity = (v: number) => v;

function inferElementwise(spec: Elementwise, args: readonly TensorType[]): TensorType {
  expectSameShape(args);
  const dtype = spec.operand ?? args[0]!.dtype;
  for (const [index] of args.entries()) expectDtype(args[index]!, index, dtype);
  return { dtype: spec.result ?? dtype, shape: args[0]!.shape };
}

function spellingOf({ tfjs, attrs = {} }: Elementwise): Pick<OpDefinition, 'tfjs'> {
  if (tfjs === null) return {};
  return { tfjs: typeof tfjs === 'string' ? spelled(tfjs, ...Object.keys(attrs)) : tfjs };
}

/** The entry of an op that works on one element of each operand. */
export function elementwise(spec: Elementwise): OpDefinition {
  const { scalar, formula, derivatives, kernel } = spec;
  return {
    summary: spec.summary,
    operands: spec.operands,
    ...(spec.attrs ? { attrs: spec.attrs } : {}),
    traits: { elementwise: true, ...spec.traits },
    ...(spec.nonnegative ? { nonnegative: spec.nonnegative } : {}),
    infer: (args) => inferElementwise(spec, args),
    evaluate(args, node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      const round = context.precision === 'f32' ? Math.fround : identity;
      const [x, y, z] = args.map((arg) => arg.data);
      for (let i = 0; i < result.data.length; i++) {
        result.data[i] = scalar(x![i]!, y?.[i] ?? 0, z?.[i] ?? 0, node.attrs, round);
      }
      return result;
    },
    ...(derivatives ? { vjp: (context) => chainRule(derivatives, context) } : {}),
    ...(kernel ? { kernel } : {}),
    ...(formula ? { formula } : {}),
    ...spellingOf(spec),
  };
}

function chainRule(derivatives: readonly (Derivative | null)[], context: VjpContext): Name {
  const { builder, node, operand, cotangent } = context;
  const derivative = derivatives[operand];
  if (!derivative) throw new OpProblem('RELC1008', `no derivative with respect to operand ${operand}`);
  return derivative({
    k: new Arithmetic(builder),
    g: cotangent,
    x: node.args[0]!,
    y: node.args[1] ?? node.args[0]!,
    z: node.name,
    attrs: node.attrs,
  });
}

export type Extra = Partial<Omit<Elementwise, 'summary' | 'scalar' | 'formula' | 'derivatives'>>;

export function unary(
  summary: string,
  kernel: string | null,
  tfjs: string | Spelling,
  scalar: Elementwise['scalar'],
  formula: (x: Scalar, context: FormulaContext) => Scalar,
  derivative: Derivative | null,
  extra: Extra = {},
): OpDefinition {
  const derivatives = derivative ? { derivatives: [derivative] } : {};
  return elementwise({
    summary,
    operands: ['x'],
    operand: 'f32',
    scalar,
    formula: ([x], context) => formula(x!, context),
    ...(kernel ? { kernel } : {}),
    tfjs,
    ...derivatives,
    ...extra,
  });
}

/** An elementwise non-linearity that relevance passes through. */
export function activation(
  summary: string,
  kernel: string | null,
  tfjs: string | Spelling,
  scalar: Elementwise['scalar'],
  formula: (x: Scalar, context: FormulaContext) => Scalar,
  derivative: Derivative,
  extra: Extra = {},
): OpDefinition {
  return unary(summary, kernel, tfjs, scalar, formula, derivative, {
    traits: { activation: true },
    ...extra,
  });
}

export function binary(
  summary: string,
  kernel: string | null,
  tfjs: string,
  scalar: Elementwise['scalar'],
  formula: (x: Scalar, y: Scalar) => Scalar,
  derivatives: readonly (Derivative | null)[] | null,
  extra: Extra = {},
): OpDefinition {
  const operands = ['x', 'y'];
  return elementwise({
    summary,
    operands,
    scalar,
    formula: ([x, y]) => formula(x!, y!),
    ...(kernel ? { kernel } : {}),
    tfjs,
    ...(derivatives ? { derivatives } : {}),
    ...extra,
  });
}

export function comparison(
  summary: string,
  kernel: string | null,
  tfjs: string,
  test: (x: number, y: number) => boolean,
  formula: (x: Scalar, y: Scalar) => Scalar,
) {
  return binary(summary, kernel, tfjs, (x, y) => (test(x, y) ? 1 : 0), formula, null, { result: 'bool' });
}

/** `above` where x > 0, `below` elsewhere. */
export const whereAboveZero = ({ k, x }: Pick<Chain, 'k' | 'x'>, above: Name, below: Name): Name =>
  k.builder.add('select', [k.binary('greater', x, k.constant(0, x)), above, below]);
