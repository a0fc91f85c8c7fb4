// eˣ, eˣ − 1, tanh and erf on four lanes. The polynomials are those of S. L. Moshier's Cephes library, single precision
// (netlib.org/cephes), but for the tail of erf.
import type { FunctionBuilder } from '../encoder/function.js';
import { f32x4, i32, i32x4, type Local, type V128, v128 } from '../encoder/instructions.js';
import {
  type Body,
  keepZero,
  ln2High,
  ln2Low,
  polynomial,
  powerOfTwo,
  scaled,
  signOf,
  withSign,
} from './body.js';

/** (e^r − 1 − r) / r² for |r| ≤ ln 2 / 2. */
const exponentialTail = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
];

/** n = round(x / ln 2) and r = x − n · ln 2, of x held between bounds; a NaN stays in r. */
function reduced(f: FunctionBuilder, x: V128, lowest: number, highest: number) {
  const held = f32x4.pseudoMin(f32x4.pseudoMax(x, f32x4.const(lowest)), f32x4.const(highest));
  return parted(f, f.hold(held));
}

/** n = round(x / ln 2) and r = x − n · ln 2 */
function parted(f: FunctionBuilder, held: Local<'v128'>) {
  const n = f.hold(f32x4.nearest(f32x4.mul(held, f32x4.const(Math.LOG2E))));
  const less = f32x4.sub(held, f32x4.mul(n, f32x4.const(ln2High)));
  const r = f.hold(f32x4.sub(less, f32x4.mul(n, f32x4.const(ln2Low))));
  return { n: f.hold(i32x4.truncateF32(n)), r };
}

/** e^r for |r| ≤ ln 2 / 2. */
function exponential(r: Local<'v128'>): V128 {
  const tail = f32x4.mul(polynomial(r, exponentialTail), f32x4.mul(r, r));
  return f32x4.add(f32x4.add(tail, r), f32x4.const(1));
}

/** eˣ = 2ⁿ · e^r; 0 below −104, ∞ above 88.73. */
export const exp: Body = (f, [x]) => {
  const { n, r } = reduced(f, x!, -104, 89);
  return scaled(f, exponential(r), n);
};

/** eˣ − 1 = 2ⁿ · ((e^r − 1) + (1 − 2⁻ⁿ)): for n = 0 nothing is lost, and 2⁻ⁿ says nothing above n = 126. */
export const expm1: Body = (f, [x]) => {
  const { n, r } = reduced(f, x!, -30, 89);
  const small = f32x4.mul(r, f32x4.add(f32x4.mul(polynomial(r, exponentialTail), r), f32x4.const(1)));
  const inverse = i32x4.shiftLeft(i32x4.max(i32x4.sub(i32x4.const(127), n), i32x4.const(0)), i32.const(23));
  const sum = f32x4.add(small, f32x4.sub(f32x4.const(1), inverse));
  return keepZero(x!, scaled(f, sum, n));
};

/** x · (1 + x² · P(x²)) for |x| < 0.625, else 1 − 2 / (e^2x + 1). */
export const tanh: Body = (f, [x], calls) => {
  const square = f.hold(f32x4.mul(x!, x!));
  const correction = polynomial(
    square,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  const small = f32x4.mul(x!, f32x4.add(f32x4.mul(correction, square), f32x4.const(1)));
  const size = f.hold(f32x4.abs(x!));
  const power = calls.call('exp', 'f32', [f32x4.add(size, size)]);
  const quotient = f32x4.div(f32x4.const(2), f32x4.add(power, f32x4.const(1)));
  const large = withSign(f32x4.sub(f32x4.const(1), quotient), signOf(x!));
  return v128.select(small, large, f32x4.lessThan(size, f32x4.const(0.625)));
};

/** erf(x) / x in x², for |x| ≤ 1. */
const erfCore = [
  7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2,
  1.128358514861418e-1, -3.7612625824233e-1, 1.12837916572671,
];

/**
 * −ln(1 − erf x) for 1 ≤ x ≤ 4: fitted so that the largest error of erf is least (Lawson's iteration of weighted least
 * squares at 400 Chebyshev points).
 */
const erfTail: readonly number[] = [
  0.00115722907, -0.0148319053, 0.0887999013, 0.654239833, 1.11762142, 0.00261912495,
];

/** x · P(x²) for |x| ≤ 1, else 1 − e^−Q(|x|), which is 1 from 4 on. The power is never small: 2ⁿ is a normal float. */
export const erf: Body = (f, [x]) => {
  const square = f.hold(f32x4.mul(x!, x!));
  const small = f32x4.mul(x!, polynomial(square, erfCore));
  const size: Local<'v128'> = f.hold(f32x4.abs(x!));
  const held = f.hold(f32x4.pseudoMin(size, f32x4.const(4)));
  const { n, r } = parted(f, f.hold(f32x4.neg(polynomial(held, erfTail))));
  const complement = f32x4.mul(exponential(r), powerOfTwo(n));
  const large = withSign(f32x4.sub(f32x4.const(1), complement), signOf(x!));
  return v128.select(small, large, f32x4.lessEqual(size, f32x4.const(1)));
};
