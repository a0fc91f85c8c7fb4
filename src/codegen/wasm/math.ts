// Elementary functions on four lanes, shared by all kernels of a module as functions of their own.
import type { ScalarFunction } from '../../ir/scalar.js';
import type { Dtype } from '../../ir/type.js';
import { unsigned } from './encoder/bytes.js';
import { FunctionBuilder, type FunctionCode } from './encoder/function.js';
import type { Local, V128 } from './encoder/instructions.js';
import type { Body, Calls } from './math/body.js';
import { erf, exp, expm1, tanh } from './math/exponential.js';
import { log, log1p } from './math/logarithm.js';
import { integerDivide, integerPow, pow } from './math/power.js';
import { cos, sin } from './math/trigonometry.js';

const bodies: Readonly<Record<'f32' | 'i32', Partial<Readonly<Record<ScalarFunction, Body>>>>> = {
  f32: { exp, expm1, log, log1p, erf, tanh, sin, cos, pow },
  i32: { div: integerDivide, pow: integerPow },
};

/** The functions of a module that kernels call; each is added when it is first wanted. */
export class MathFunctions implements Calls {
  readonly functions: FunctionCode[] = [];
  private readonly indices = new Map<Body, number>();

  /** @throws Error for a function that there is none of: a defect of the compiler */
  call(fn: ScalarFunction, dtype: Dtype, args: readonly V128[]): V128 {
    const body = dtype === 'bool' ? undefined : bodies[dtype][fn];
    if (body === undefined) throw new Error(`no vector code for ${fn} of ${dtype}`);
    const index = this.indices.get(body) ?? this.define(body, args.length);
    return { type: 'v128', code: [args.map((arg) => arg.code), 0x10, ...unsigned(index)] };
  }

  private define(body: Body, count: number): number {
    const f = new FunctionBuilder(new Array<'v128'>(count).fill('v128'), 'v128');
    const result = body(f, f.parameters as readonly Local<'v128'>[], this);
    f.emit(result.code);
    const index = this.functions.push(f.build()) - 1;
    this.indices.set(body, index);
    return index;
  }
}
