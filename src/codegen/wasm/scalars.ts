// Scalar expressions on four lanes at once.
import type { Scalar, ScalarFunction } from '../../ir/scalar.js';
import type { FunctionBuilder } from './encoder/function.js';
import { f32x4, i32x4, type V128, v128 } from './encoder/instructions.js';
import type { MathFunctions } from './math.js';

/** How an operand of an expression is read; called once for each. */
export type ReadOperand = (index: number) => V128;

type Vector = (args: readonly V128[], scalar: Extract<Scalar, { kind: 'apply' }>) => V128;

const isNumber = (scalar: Scalar | undefined) => scalar?.kind === 'number';

/** A test on lanes by the dtype of what is compared: masks of bools are compared as integers. */
const compare =
  (floats: (a: V128, b: V128) => V128, integers: (a: V128, b: V128) => V128): Vector =>
  ([a, b], { args }) =>
    args[0]!.dtype === 'f32' ? floats(a!, b!) : integers(a!, b!);

const byDtype =
  (floats: (a: V128, b: V128) => V128, integers: (a: V128, b: V128) => V128): Vector =>
  ([a, b], { dtype }) =>
    dtype === 'f32' ? floats(a!, b!) : integers(a!, b!);

const bothZero = v128.words(0, 0, 0, 0);

/** In memory and in lanes a bool is a mask: all bits or none. */
const vectors: Partial<Readonly<Record<ScalarFunction, Vector>>> = {
  add: byDtype(f32x4.add, i32x4.add),
  sub: byDtype(f32x4.sub, i32x4.sub),
  mul: byDtype(f32x4.mul, i32x4.mul),
  div: ([a, b]) => f32x4.div(a!, b!),
  max: ([a, b], { dtype, args }) =>
    dtype !== 'f32' ? i32x4.max(a!, b!) : isNumber(args[1]) ? f32x4.pseudoMax(a!, b!) : f32x4.max(a!, b!),
  min: ([a, b], { dtype, args }) =>
    dtype !== 'f32' ? i32x4.min(a!, b!) : isNumber(args[1]) ? f32x4.pseudoMin(a!, b!) : f32x4.min(a!, b!),
  neg: ([a], { dtype }) => (dtype === 'f32' ? f32x4.neg(a!) : i32x4.neg(a!)),
  abs: ([a], { dtype }) => (dtype === 'f32' ? f32x4.abs(a!) : i32x4.abs(a!)),
  sqrt: ([a]) => f32x4.sqrt(a!),
  greater: compare(f32x4.greaterThan, i32x4.greaterThan),
  greater_equal: compare(f32x4.greaterEqual, i32x4.greaterEqual),
  equal: compare(f32x4.equal, i32x4.equal),
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
