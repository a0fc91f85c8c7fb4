// Logarithms on four lanes.
import { f32x4, type V128, v128 } from '../encoder/instructions.js';
import { type Body, keepZero, ln2High, ln2Low, mantissaAndExponent, polynomial } from './body.js';

/** (ln(1 + t) − t + t²/2) / t³ for √½ ≤ 1 + t < √2: Cephes, single precision (netlib.org/cephes). */
const logarithmTail = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
];

/** ln x = e · ln 2 + ln m; −∞ at 0, NaN below. */
export const log: Body = (f, [x]) => {
  const { m, e } = mantissaAndExponent(f, x!);
  const t = f.hold(f32x4.sub(m, f32x4.const(1)));
  const square = f.hold(f32x4.mul(t, t));
  const exponent = f.hold(f32x4.fromI32(e));
  const tail = f32x4.mul(f32x4.mul(polynomial(t, logarithmTail), t), square);
  const low = f32x4.add(tail, f32x4.mul(exponent, f32x4.const(ln2Low)));
  const small = f32x4.add(t, f32x4.sub(low, f32x4.mul(square, f32x4.const(0.5))));
  const value = f.hold(f32x4.add(small, f32x4.mul(exponent, f32x4.const(ln2High))));
  const isZero = f32x4.equal(x!, f32x4.const(0));
  const isInfinite = f32x4.equal(x!, f32x4.const(Number.POSITIVE_INFINITY));
  const atEdge = (result: number, otherwise: V128, mask: V128) =>
    v128.select(f32x4.const(result), otherwise, mask);
  const positive = atEdge(Number.POSITIVE_INFINITY, value, isInfinite);
  const ordinary = v128.select(positive, f32x4.const(Number.NaN), f32x4.greaterThan(x!, f32x4.const(0)));
  return atEdge(Number.NEGATIVE_INFINITY, ordinary, isZero);
};

/**
 * ln(1 + x) = ln u + (x − (u − 1)) / u with u = 1 + x rounded: the second summand is what rounding lost. It is left away
 * where u is 0 or infinite.
 */
export const log1p: Body = (f, [x], calls) => {
  const u = f.hold(f32x4.add(x!, f32x4.const(1)));
  const lost = f32x4.div(f32x4.sub(x!, f32x4.sub(u, f32x4.const(1))), u);
  const isOrdinary = v128.and(
    f32x4.greaterThan(u, f32x4.const(0)),
    f32x4.lessThan(u, f32x4.const(Number.POSITIVE_INFINITY)),
  );
  return keepZero(x!, f32x4.add(calls.call('log', 'f32', [u]), v128.and(lost, isOrdinary)));
};
