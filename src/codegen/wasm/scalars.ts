// Scalar expressions on four lanes at once.
import type { Scalar, ScalarFunction } from '../../ir/scalar.js';
import type { Dtype } from '../../ir/type.js';
import type { FunctionBuilder } from './encoder/function.js';
import { f32x4, i32x4, type V128, v128 } from './encoder/instructions.js';
import type { MathFunctions } from './math.js';

/** How an operand of an expression is read; called once for each. */
export type ReadOperand = (index: number) => V128;

type Vector = (args: readonly V128[], scalar: Extract<Scalar, { kind: 'apply' }>) => V128;

const isNumber = (scalar: Scalar | undefined) => scalar?.kind === 'number';

type Lanes = (a: V128, b: V128) => V128;

/** Code by a dtype; bools are masks, of which that of true is −1: their order is the reverse of that of integers. */
const chosen = (dtype: Dtype, floats: Lanes, integers: Lanes, bools: Lanes): Lanes =>
  dtype === 'f32' ? floats : dtype === 'i32' ? integers : bools;

/** A test on lanes, by the dtype of what is compared. */
const compare =
  (floats: Lanes, integers: Lanes, bools: Lanes): Vector =>
  ([a, b], { args }) =>
    chosen(args[0]!.dtype, floats, integers, bools)(a!, b!);

const byDtype =
  (floats: Lanes, integers: Lanes, bools = integers): Vector =>
  ([a, b], { dtype }) =>
    chosen(dtype, floats, integers, bools)(a!, b!);

/** `ofNumber` takes a value and a number, in one instruction where `floats` takes several. */
const bound =
  (ofNumber: Lanes, floats: Lanes, integers: Lanes, bools: Lanes): Vector =>
  ([a, b], { dtype, args }) =>
    chosen(dtype, isNumber(args[1]) ? ofNumber : floats, integers, bools)(a!, b!);

const bothZero = v128.words(0, 0, 0, 0);

/** In memory and in lanes a bool is a mask: all bits or none. */
const vectors: Partial<Readonly<Record<ScalarFunction, Vector>>> = {
  add: byDtype(f32x4.add, i32x4.add),
  sub: byDtype(f32x4.sub, i32x4.sub),
  mul: byDtype(f32x4.mul, i32x4.mul, v128.and),
  div: ([a, b]) => f32x4.div(a!, b!),
  max: bound(f32x4.pseudoMax, f32x4.max, i32x4.max, v128.or),
  min: bound(f32x4.pseudoMin, f32x4.min, i32x4.min, v128.and),
  neg: ([a], { dtype }) => (dtype === 'f32' ? f32x4.neg(a!) : i32x4.neg(a!)),
  abs: ([a], { dtype }) => (dtype === 'f32' ? f32x4.abs(a!) : i32x4.abs(a!)),
  sqrt: ([a]) => f32x4.sqrt(a!),
  greater: compare(f32x4.greaterThan, i32x4.greaterThan, i32x4.lessThan),
  greater_equal: compare(f32x4.greaterEqual, i32x4.greaterEqual, i32x4.lessEqual),
  equal: compare(f32x4.equal, i32x4.equal, i32x4.equal),
  and: ([a, b]) => v128.and(a!, b!),
  or: ([a, b]) => v128.or(a!, b!),
  not: ([a]) => v128.not(a!),
  select: ([condition, a, b]) => v128.select(a!, b!, condition!),
  to_f32: ([a], { args }) => (args[0]!.dtype === 'bool' ? v128.and(a!, f32x4.const(1)) : f32x4.fromI32(a!)),
  to_i32: ([a], { args }) =>
    args[0]!.dtype === 'bool' ? v128.and(a!, i32x4.const(1)) : i32x4.truncateF32(a!),
  to_bool: ([a], { args }) =>
    args[0]!.dtype === 'f32' ? f32x4.notEqual(a!, bothZero) : v128.not(i32x4.equal(a!, bothZero)),
};

function numberVector({ value, dtype }: Extract<Scalar, { kind: 'number' }>): V128 {
  if (dtype === 'f32') return f32x4.const(value);
  return i32x4.const(dtype === 'bool' && value !== 0 ? -1 : value);
}

/** How often each part of some expressions is used. */
function countUses(values: readonly Scalar[], counts = new Map<Scalar, number>()): Map<Scalar, number> {
  for (const value of values) {
    const known = counts.get(value) ?? 0;
    counts.set(value, known + 1);
    if (known === 0 && value.kind === 'apply') countUses(value.args, counts);
  }
  return counts;
}

/** Computes expressions on four lanes; what they share is computed once. */
export function vectorsOf(
  f: FunctionBuilder,
  values: readonly Scalar[],
  read: ReadOperand,
  math: MathFunctions,
): V128[] {
  const counts = countUses(values);
  const operands = new Map<number, V128>();
  const known = new Map<Scalar, V128>();
  const compute = (value: Scalar): V128 => {
    if (value.kind === 'number') return f.constant(numberVector(value));
    if (value.kind === 'operand') {
      const held = operands.get(value.index) ?? f.hold(read(value.index));
      operands.set(value.index, held);
      return held;
    }
    const args = value.args.map(evaluate);
    const vector = vectors[value.fn];
    const inLine = vector !== undefined && !(value.fn === 'div' && value.dtype !== 'f32');
    return inLine ? vector(args, value) : math.call(value.fn, value.dtype, args);
  };
  const evaluate = (value: Scalar): V128 => {
    const seen = known.get(value);
    if (seen !== undefined) return seen;
    const computed = compute(value);
    const shared = value.kind === 'apply' && counts.get(value)! > 1;
    const result = shared ? f.hold(computed) : computed;
    known.set(value, result);
    return result;
  };
  return values.map(evaluate);
}

/** Applications in an expression, each once: what code for it grows with. */
export function sizeOf(values: readonly Scalar[]): number {
  return [...countUses(values).keys()].filter(({ kind }) => kind === 'apply').length;
}
