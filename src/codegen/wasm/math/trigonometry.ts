// Sine and cosine on four lanes. Polynomials: Cephes, single precision (netlib.org/cephes).
import { f32x4, f64x2, i32, i32x4, type V128, v128 } from '../encoder/instructions.js';
import { type Body, inHalves, joined, keepZero, lowOf, polynomial } from './body.js';

/**
 * π/2 in three parts, the first two of 24 bits: n times them is exact for |n| < 2²⁹, and so are the differences from x
 * (Cody and Waite's reduction).
 */
const quarter: readonly number[] = [1.570796251296997, 7.549789415861596e-8, 5.390302858158119e-15];

/**
 * x = n · π/2 + r with |r| ≤ π/4, in 64 bits: r is as accurate as x up to |x| = 8 · 10⁸. Beyond, where neighbouring floats
 * are farther apart than a period, r is some number that polynomials can take. NaN and infinities give NaN.
 */
function reduced(f: Parameters<Body>[0], x: Parameters<Body>[1][number]) {
  const halves = inHalves((half) => {
    const wide = f.hold(f64x2.promoteLow(lowOf(x, half)));
    const n = f.hold(f64x2.nearest(f64x2.mul(wide, f64x2.const(2 / Math.PI))));
    let r: V128 = wide;
    for (const part of quarter) r = f64x2.sub(r, f64x2.mul(n, f64x2.const(part)));
    const held = f64x2.pseudoMin(f64x2.pseudoMax(r, f64x2.const(-1)), f64x2.const(1));
    return { n: f.hold(i32x4.truncateF64(n)), r: f.hold(f64x2.demote(held)) };
  });
  const [low, high] = halves;
  return { n: f.hold(joined(low.n, high.n)), r: f.hold(joined(low.r, high.r)) };
}

/** sin(x + turns · π/2) = ± sin r or ± cos r, by the quarter that x lies in. */
const wave =
  (turns: 0 | 1): Body =>
  (f, [x]) => {
    const { n, r } = reduced(f, x!);
    const square = f.hold(f32x4.mul(r, r));
    const sineTail = polynomial(square, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
    const sine = f32x4.add(f32x4.mul(f32x4.mul(sineTail, square), r), r);
    const cosineTail = polynomial(
      square,
      [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2],
    );
    const half = f32x4.sub(f32x4.const(1), f32x4.mul(square, f32x4.const(0.5)));
    const cosine = f32x4.add(f32x4.mul(f32x4.mul(cosineTail, square), square), half);
    const place = f.hold(i32x4.add(n, i32x4.const(turns)));
    const isOdd = i32x4.equal(v128.and(place, i32x4.const(1)), i32x4.const(1));
    const sign = i32x4.shiftLeft(v128.and(place, i32x4.const(2)), i32.const(30));
    const value = v128.xor(v128.select(cosine, sine, isOdd), sign);
    return turns === 0 ? keepZero(x!, value) : value;
  };

export const sin = wave(0);
export const cos = wave(1);
