// Powers of floats on four lanes, in 64 bits at their heart: an exponent of 128 · ln 2 leaves seven digits of eˣ to keep.
import type { FunctionBuilder } from '../encoder/function.js';
import { f32x4, f64x2, i32, i32x4, type Local, type V128, v128 } from '../encoder/instructions.js';
import {
  type Body,
  inHalves,
  joined,
  lowOf,
  mantissaAndExponent,
  polynomial,
  scaled,
  signOf,
} from './body.js';

/** atanh(s) / s = Σ s²ᵏ / (2k + 1): s² < 0.0295, so what is left away is below 10⁻¹¹. */
const arctangentSeries = [15, 13, 11, 9, 7, 5, 3, 1].map((odd) => 1 / odd);

/** e^r = Σ rᵏ / k!: |r| < 0.347, so what is left away is below 10⁻¹⁰. */
const exponentialSeries = [40320, 5040, 720, 120, 24, 6, 2, 1, 1].map((factorial) => 1 / factorial);

interface Parts {
  readonly m: Local<'v128'>;
  readonly e: Local<'v128'>;
  /** Where |x| is 0 or ∞, and what the logarithm is there. */
  readonly isEdge: Local<'v128'>;
  readonly edge: Local<'v128'>;
  readonly y: Local<'v128'>;
}

/** y · ln(m · 2ᵉ) = n · ln 2 + r of two lanes: ln m = 2 atanh((m − 1) / (m + 1)). */
function halfOf(f: FunctionBuilder, { m, e, isEdge, edge, y }: Parts, half: 0 | 1) {
  const wide = f.hold(f64x2.promoteLow(lowOf(m, half)));
  const s = f.hold(f64x2.div(f64x2.sub(wide, f64x2.const(1)), f64x2.add(wide, f64x2.const(1))));
  const square = f.hold(f64x2.mul(s, s));
  const logarithm = f64x2.mul(polynomial(square, arctangentSeries, f64x2), f64x2.add(s, s));
  const powers = f64x2.mul(f64x2.fromLowI32(lowOf(e, half)), f64x2.const(Math.LN2));
  const twice = half === 0 ? ([0, 0, 1, 1] as const) : ([2, 2, 3, 3] as const);
  const whole = v128.select(
    f64x2.promoteLow(lowOf(edge, half)),
    f64x2.add(powers, logarithm),
    v128.shuffle(isEdge, isEdge, twice),
  );
  const exponent = f64x2.mul(whole, f64x2.promoteLow(lowOf(y, half)));
  const held = f.hold(f64x2.pseudoMin(f64x2.pseudoMax(exponent, f64x2.const(-104)), f64x2.const(89)));
  const n = f.hold(f64x2.nearest(f64x2.mul(held, f64x2.const(Math.LOG2E))));
  const r = f.hold(f64x2.sub(held, f64x2.mul(n, f64x2.const(Math.LN2))));
  return {
    value: f.hold(f64x2.demote(polynomial(r, exponentialSeries, f64x2))),
    n: f.hold(i32x4.truncateF64(n)),
  };
}

/** |x|^y, infinities and zeros by their logarithms. */
function magnitude(f: FunctionBuilder, x: V128, y: Local<'v128'>): V128 {
  const size = f.hold(f32x4.abs(x));
  const isZero = f.hold(f32x4.equal(size, f32x4.const(0)));
  const isEdge = f.hold(v128.or(isZero, f32x4.equal(size, f32x4.const(Number.POSITIVE_INFINITY))));
  const [below, above] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY].map((each) =>
    f32x4.const(each),
  );
  const edge = f.hold(v128.select(below!, above!, isZero));
  const { m, e } = mantissaAndExponent(f, size);
  const [low, high] = inHalves((half) => halfOf(f, { m, e, isEdge, edge, y }, half));
  return scaled(f, joined(low.value, high.value), joined(low.n, high.n));
}

/**
 * x^y as JavaScript has it: x⁰ = 1 also of NaN; (±1)^±∞ is NaN; of a negative x, whole y give ± |x|^y and others NaN.
 */
export const pow: Body = (f, [x, y]) => {
  const value = f.hold(magnitude(f, x!, y!));
  const isWhole = f.hold(f32x4.equal(y!, f32x4.truncate(y!)));
  const half = f.hold(f32x4.mul(y!, f32x4.const(0.5)));
  const isOdd = v128.and(isWhole, f32x4.notEqual(half, f32x4.truncate(half)));
  const signed = v128.xor(value, v128.and(signOf(x!), isOdd));
  const isNegative = v128.and(
    f32x4.lessThan(x!, f32x4.const(0)),
    f32x4.greaterThan(x!, f32x4.const(Number.NEGATIVE_INFINITY)),
  );
  const isNone = v128.or(v128.andNot(isNegative, isWhole), f32x4.notEqual(x!, x!));
  const known = v128.select(f32x4.const(Number.NaN), signed, isNone);
  return v128.select(f32x4.const(1), known, f32x4.equal(y!, f32x4.const(0)));
};

/**
 * x^y of integers, which wraps: the product of x^(2ᵏ) over the bits k of y. Of a negative y only ±1 have powers that are
 * not cut off to 0.
 */
export const integerPow: Body = (f, [x, y]) => {
  const [zero, one] = [i32x4.const(0), i32x4.const(1)];
  const oddOf = (value: V128) => i32x4.equal(v128.and(value, one), one);
  const isNegative = f.hold(i32x4.lessThan(y!, zero));
  const base = f.hold(x! as V128);
  const rest = f.hold(v128.andNot(y!, isNegative));
  const product = f.hold(one);
  f.repeat(() => {
    f.set(product, v128.select(i32x4.mul(product, base), product, oddOf(rest)));
    f.set(base, i32x4.mul(base, base));
    f.set(rest, i32x4.shiftRightUnsigned(rest, i32.const(1)));
    return v128.anyTrue(rest);
  });
  const isUnit = i32x4.equal(i32x4.abs(x!), one);
  const inverse = v128.and(isUnit, v128.select(x!, one, oddOf(y!)));
  return v128.select(inverse, product, isNegative);
};

/** x / y of integers, cut off towards 0: x / 0 = 0, and x / −1 = −x wraps; neither is divided, for it would trap. */
export const integerDivide: Body = (f, [x, y]) => {
  const isZero = f.hold(i32x4.equal(y!, i32x4.const(0)));
  const isMinusOne = f.hold(i32x4.equal(y!, i32x4.const(-1)));
  const divisor = f.hold(v128.select(i32x4.const(1), y!, v128.or(isZero, isMinusOne)));
  const quotient = [0, 1, 2, 3].reduce<V128>(
    (vector, lane) =>
      i32x4.replaceLane(vector, lane, i32.divideSigned(i32.ofLane(x!, lane), i32.ofLane(divisor, lane))),
    x!,
  );
  return v128.andNot(v128.select(i32x4.neg(x!), quotient, isMinusOne), isZero);
};
