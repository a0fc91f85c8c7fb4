// Elementary functions on four lanes: polynomials, shared by all kernels of a module as functions of their own.
import type { ScalarFunction } from '../../ir/scalar.js';
import type { Dtype } from '../../ir/type.js';
import { unsigned } from './encoder/bytes.js';
import { FunctionBuilder, type FunctionCode } from './encoder/function.js';
import { f32x4, i32, i32x4, type Local, type V128 } from './encoder/instructions.js';

type Body = (f: FunctionBuilder, args: readonly Local<'v128'>[], math: MathFunctions) => V128;

/** Horner's scheme: coefficients from the highest power down. */
function polynomial(f: FunctionBuilder, x: V128, coefficients: readonly number[]): V128 {
  let sum: V128 = f32x4.const(coefficients[0]!);
  for (const coefficient of coefficients.slice(1)) {
    sum = f32x4.add(f32x4.mul(sum, x), f32x4.const(coefficient));
  }
  return f.hold(sum);
}

/** eˣ = 2ⁿ · e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2; 2ⁿ in two factors, so that results may be subnormal. */
const exp: Body = (f, [x]) => {
  const held = f.hold(f32x4.pseudoMin(f32x4.pseudoMax(x!, f32x4.const(-104)), f32x4.const(89)));
  const n = f.hold(f32x4.nearest(f32x4.mul(held, f32x4.const(Math.LOG2E))));
  const high = 0.693359375;
  const low = -2.1219444e-4;
  const r = f.hold(
    f32x4.sub(f32x4.sub(held, f32x4.mul(n, f32x4.const(high))), f32x4.mul(n, f32x4.const(low))),
  );
  const tail = polynomial(
    f,
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  );
  const value = f32x4.add(f32x4.add(f32x4.mul(tail, f32x4.mul(r, r)), r), f32x4.const(1));
  const exponent = f.hold(i32x4.truncateF32(n));
  const half = f.hold(i32x4.shiftRight(exponent, i32.const(1)));
  const power = (count: V128) => i32x4.shiftLeft(i32x4.add(count, i32x4.const(127)), i32.const(23));
  return f32x4.mul(f32x4.mul(value, power(half)), power(i32x4.sub(exponent, half)));
};

const bodies: Partial<Readonly<Record<ScalarFunction, Body>>> = { exp };

/** The functions of a module that kernels call; each is added when it is first wanted. */
export class MathFunctions {
  readonly functions: FunctionCode[] = [];
  private readonly indices = new Map<string, number>();

  /** @throws Error for a function that there is none of: a defect of the compiler */
  call(fn: ScalarFunction, _dtype: Dtype, args: readonly V128[]): V128 {
    const index = this.indices.get(fn) ?? this.define(fn);
    return { type: 'v128', code: [args.map((arg) => arg.code), 0x10, ...unsigned(index)] };
  }

  private define(fn: ScalarFunction): number {
    const body = bodies[fn];
    if (body === undefined) throw new Error(`no vector code for ${fn}`);
    const f = new FunctionBuilder(fn === 'pow' ? ['v128', 'v128'] : ['v128'], 'v128');
    const result = body(f, f.parameters as readonly Local<'v128'>[], this);
    f.emit(result.code);
    const index = this.functions.push(f.build()) - 1;
    this.indices.set(fn, index);
    return index;
  }
}
