// Scalar expressions: what an elementwise op does to one element of each operand, for targets that write loops.
import { erf } from './erf.js';
import type { Attrs } from './graph.js';
import type { Dtype, TensorType } from './type.js';

/**
 * The primitives. They mean what JavaScript's operators and `Math` say, rounded to their dtype. What a target is held to
 * beyond that:
 *
 * - A NaN stays: `max` and `min` of a NaN are NaN. Of a value and a number the value stands first, and a target may
 *   write `max(x, c)` as `x < c ? c : x` and `min(x, c)` as `c < x ? c : x`, which are x where x is NaN. Which zero
 *   comes of two zeros of different sign is left open.
 * - On i32 `add`, `sub` and `mul` wrap, `div` truncates towards zero, and x / 0 is 0.
 * - `to_i32` truncates towards zero, NaN to 0; what lies beyond 32 bits is left open. `to_bool` is x ≠ 0.
 * - `select(condition, y, z)` may compute both y and z: nothing traps.
 */
export type ScalarFunction =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'max'
  | 'min'
  | 'neg'
  | 'abs'
  | 'sqrt'
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'erf'
  | 'tanh'
  | 'sin'
  | 'cos'
  | 'pow'
  | 'greater'
  | 'greater_equal'
  | 'equal'
  | 'and'
  | 'or'
  | 'not'
  | 'select'
  | 'to_f32'
  | 'to_i32'
  | 'to_bool';

/** An expression. What is used twice is one object, so a target computes it once: it keys on identity. */
export type Scalar =
  /** An element of an operand. */
  | { readonly kind: 'operand'; readonly index: number; readonly dtype: Dtype }
  | { readonly kind: 'number'; readonly value: number; readonly dtype: Dtype }
  | {
      readonly kind: 'apply';
      readonly fn: ScalarFunction;
      readonly args: readonly Scalar[];
      readonly dtype: Dtype;
    };

/** What a formula may ask of its node; `type` is the result's. */
export interface FormulaContext {
  readonly attrs: Attrs;
  readonly type: TensorType;
}

/** An element of the result from an element of each operand. */
export type Formula = (operands: readonly Scalar[], context: FormulaContext) => Scalar;

/** An element of the operand `index`. */
export const operand = (index: number, dtype: Dtype): Scalar => ({ kind: 'operand', index, dtype });

const number = (value: number, dtype: Dtype = 'f32'): Scalar => ({ kind: 'number', value, dtype });

const apply = (fn: ScalarFunction, dtype: Dtype, ...args: readonly Scalar[]): Scalar => ({
  kind: 'apply',
  fn,
  args,
  dtype,
});

const unary = (fn: ScalarFunction) => (x: Scalar) => apply(fn, x.dtype, x);
const binary = (fn: ScalarFunction) => (x: Scalar, y: Scalar) => apply(fn, x.dtype, x, y);
const test = (fn: ScalarFunction) => (x: Scalar, y: Scalar) => apply(fn, 'bool', x, y);

/** What formulas are written with. Each gives the dtype of its operands but comparisons and `cast`. */
export const scalar = {
  /** A number, f32 unless said otherwise. */
  number,
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  div: binary('div'),
  max: binary('max'),
  min: binary('min'),
  /** −x; of a number at once. */
  neg: (x: Scalar) => (x.kind === 'number' ? number(-x.value, x.dtype) : apply('neg', x.dtype, x)),
  abs: unary('abs'),
  sqrt: unary('sqrt'),
  exp: unary('exp'),
  expm1: unary('expm1'),
  log: unary('log'),
  log1p: unary('log1p'),
  erf: unary('erf'),
  tanh: unary('tanh'),
  sin: unary('sin'),
  cos: unary('cos'),
  pow: binary('pow'),
  greater: test('greater'),
  greaterEqual: test('greater_equal'),
  equal: test('equal'),
  and: test('and'),
  or: test('or'),
  not: unary('not'),
  /** y where the condition holds, else z. */
  select: (condition: Scalar, y: Scalar, z: Scalar) => apply('select', y.dtype, condition, y, z),
  /** x in another dtype; x itself where it has it. */
  cast: (x: Scalar, dtype: Dtype) => (x.dtype === dtype ? x : apply(`to_${dtype}`, dtype, x)),
};

const functions: Readonly<Record<ScalarFunction, (...args: number[]) => number>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  max: Math.max,
  min: Math.min,
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  erf,
  tanh: Math.tanh,
  sin: Math.sin,
  cos: Math.cos,
  pow: (x, y) => x ** y,
  greater: (x, y) => Number(x > y),
  greater_equal: (x, y) => Number(x >= y),
  equal: (x, y) => Number(x === y),
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  not: (x) => 1 - x,
  select: (condition, y, z) => (condition ? y : z),
  to_f32: (x) => x,
  to_i32: Math.trunc,
  to_bool: (x) => Number(x !== 0),
};

/** The least that a target does for `max` and `min` of a value and a number. */
const bounding = {
  max: (x: number, c: number) => (x < c ? c : x),
  min: (x: number, c: number) => (c < x ? c : x),
};

/**
 * The plain value of an expression, given one element of each operand; `round` rounds floats, and is applied to each
 * number and each step.
 */
export function evaluateScalar(
  expression: Scalar,
  operands: readonly number[],
  round: (value: number) => number,
): number {
  const rounded = (value: number) => {
    if (expression.dtype === 'i32') return value | 0;
    return expression.dtype === 'f32' ? round(value) : value;
  };
  if (expression.kind === 'operand') return operands[expression.index]!;
  if (expression.kind === 'number') return rounded(expression.value);
  const { fn, args } = expression;
  const values = args.map((arg) => evaluateScalar(arg, operands, round));
  if ((fn === 'max' || fn === 'min') && args[1]!.kind === 'number') {
    return rounded(bounding[fn](values[0]!, values[1]!));
  }
  return rounded(functions[fn](...values));
}
