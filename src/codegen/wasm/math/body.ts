// What elementary functions on four lanes are written with.
import type { ScalarFunction } from '../../../ir/scalar.js';
import type { Dtype } from '../../../ir/type.js';
import type { FunctionBuilder } from '../encoder/function.js';
import { f32x4, type f64x2, i32, i32x4, type Local, type V128, v128 } from '../encoder/instructions.js';

/** Calls a function of the module. */
export interface Calls {
  call(fn: ScalarFunction, dtype: Dtype, args: readonly V128[]): V128;
}

/** Writes a function's body; returns its value. */
export type Body = (f: FunctionBuilder, args: readonly Local<'v128'>[], calls: Calls) => V128;

/** ln 2 = high + low; n · high is exact for |n| < 2¹⁴. */
export const ln2High = 0.693359375;
export const ln2Low = -2.1219444005469057e-4;

/** Horner's scheme: coefficients from the highest power down. */
export function polynomial(x: Local<'v128'>, coefficients: readonly number[], lanes = f32x4 as Horner): V128 {
  const [highest, ...rest] = coefficients as [number, ...number[]];
  return rest.reduce<V128>(
    (sum, coefficient) => lanes.add(lanes.mul(sum, x), lanes.const(coefficient)),
    lanes.const(highest),
  );
}

type Horner = Pick<typeof f64x2, 'add' | 'mul' | 'const'>;

const signBit = i32x4.const(-0x80000000);

/** The magnitude of one value with the sign of another. */
export const withSign = (magnitude: V128, sign: V128): V128 => v128.select(sign, magnitude, signBit);

export const signOf = (x: V128): V128 => v128.and(x, signBit);

/** x where it is zero, so that the sign of zero stays; else the value. */
export const keepZero = (x: Local<'v128'>, value: V128): V128 =>
  v128.select(x, value, f32x4.equal(x, f32x4.const(0)));

/** value · 2ⁿ for −290 < n < 256, in two factors: each is a normal float, and only the last product is rounded. */
export function scaled(f: FunctionBuilder, value: V128, n: V128): V128 {
  const exponent = f.hold(n);
  const half = f.hold(i32x4.shiftRight(exponent, i32.const(1)));
  return f32x4.mul(f32x4.mul(value, powerOfTwo(half)), powerOfTwo(i32x4.sub(exponent, half)));
}

/** 2ⁿ for −127 < n < 128. */
export const powerOfTwo = (n: V128): V128 => i32x4.shiftLeft(i32x4.add(n, i32x4.const(127)), i32.const(23));

/** x = m · 2ᵉ with √½ ≤ m < √2, for x > 0, subnormal ones too. */
export function mantissaAndExponent(f: FunctionBuilder, x: Local<'v128'>) {
  const isTiny = f.hold(f32x4.lessThan(x, f32x4.const(2 ** -126)));
  const normal = v128.select(f32x4.mul(x, f32x4.const(2 ** 23)), x, isTiny);
  const bits = f.hold(normal);
  // The bits of √½: what is less belongs to the exponent below
  const steps = i32x4.shiftRight(i32x4.sub(bits, i32x4.const(0x3f3504f3)), i32.const(23));
  const exponent = f.hold(steps);
  const m = f.hold(i32x4.sub(bits, i32x4.shiftLeft(exponent, i32.const(23))));
  const e = f.hold(i32x4.sub(exponent, v128.and(isTiny, i32x4.const(23))));
  return { m, e };
}

/** Computes both halves of a vector in 64 bits. */
export function inHalves<T>(compute: (half: 0 | 1) => T): [T, T] {
  return [compute(0), compute(1)];
}

/** Half of the lanes, as the first two. */
export const lowOf = (x: V128, half: 0 | 1): V128 => (half === 0 ? x : v128.shuffle(x, zeros, [2, 3, 4, 4]));

/** Four lanes from two and two. */
export const joined = (low: V128, high: V128): V128 => v128.shuffle(low, high, [0, 1, 4, 5]);

const zeros = i32x4.const(0);
