// Elementary functions of WebAssembly against JavaScript's, over all magnitudes and at every special value.
import { describe, expect, it } from 'vitest';
import { FunctionBuilder } from '../../../src/codegen/wasm/encoder/function.js';
import { i32, type Local, statement, v128 } from '../../../src/codegen/wasm/encoder/instructions.js';
import { encodeModule } from '../../../src/codegen/wasm/encoder/module.js';
import { MathFunctions } from '../../../src/codegen/wasm/math.js';
import { erf } from '../../../src/ir/erf.js';
import type { ScalarFunction } from '../../../src/ir/scalar.js';

type Words = Float32Array | Int32Array;

/** A function on arrays: what a module with it alone computes, four lanes at a time. */
function compiled(fn: ScalarFunction, dtype: 'f32' | 'i32', count: number) {
  const math = new MathFunctions();
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32']);
  const [result, x, y, end] = f.parameters as [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>];
  f.loop({ from: i32.const(0), until: end, step: 16 }, (offset) => {
    const args = [x, y].slice(0, count).map((address) => v128.load(i32.add(address, offset)));
    f.emit(statement.storeV128(i32.add(result, offset), math.call(fn, dtype, args)));
  });
  const functions = [...math.functions, f.build()];
  const parts = { pages: 512, functions, globals: {}, data: [] };
  const { bytes } = encodeModule({ ...parts, exports: { apply: functions.length - 1 } });
  const memory = new WebAssembly.Memory({ initial: 512, maximum: 512, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const apply = instance.exports.apply as (result: number, x: number, y: number, end: number) => void;
  return (...args: readonly Words[]): Words => {
    const buffer = memory.buffer as ArrayBuffer;
    const View = dtype === 'f32' ? Float32Array : Int32Array;
    const { length } = args[0]!;
    const padded = Math.ceil(length / 4) * 16;
    for (const [index, words] of args.entries()) new View(buffer, (index + 1) * padded, length).set(words);
    apply(0, padded, 2 * padded, padded);
    return new View(buffer, 0, length).slice();
  };
}

const specials = [
  ...[0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[2 ** -149, -(2 ** -149), 2 ** -126, -(2 ** -126), 3.4028234663852886e38, -3.4028234663852886e38],
  ...[1, -1, 0.5, -0.5, 2, -2, 3, -3, 88.72, 88.73, -87.4, -103.9, -104.5, 16777216, -16777217],
];

/** Every float whose bits are a multiple of `step`: all signs and magnitudes. */
function floats(step: number): Float32Array {
  const bits = Uint32Array.from({ length: Math.floor(2 ** 32 / step) }, (_, index) => index * step);
  return Float32Array.from([...new Float32Array(bits.buffer), ...specials]);
}

/** Numbers close together in a range. */
const range = (from: number, to: number, count: number) =>
  Float32Array.from({ length: count }, (_, index) => from + ((to - from) * index) / (count - 1));

/**
 * The largest relative error, where the exact result is a normal float; a subnormal one may be off by a unit in its last
 * place. Infinity where one side is NaN or infinite and the other is not, and where zeros differ in sign.
 */
function worst(got: Words, exact: (index: number) => number): { error: number; at: number } {
  const result = { error: 0, at: -1 };
  for (const [index, value] of got.entries()) {
    const wanted = exact(index);
    const rounded = Math.fround(wanted);
    const difference = Math.abs(value - wanted);
    let error = difference / Math.abs(wanted);
    if (Object.is(value, rounded)) error = 0;
    else if (wanted === 0 || !Number.isFinite(rounded) || !Number.isFinite(value))
      error = Number.POSITIVE_INFINITY;
    else if (Math.abs(wanted) < 2 ** -126) error = difference <= 2 ** -149 ? 0 : Number.POSITIVE_INFINITY;
    if (error > result.error) Object.assign(result, { error, at: index });
  }
  return result;
}

const functions: readonly (readonly [ScalarFunction, (x: number) => number, number, number])[] = [
  ['exp', Math.exp, -105, 90],
  ['expm1', Math.expm1, -20, 90],
  ['log', Math.log, 0, 4],
  ['log1p', Math.log1p, -1, 3],
  ['tanh', Math.tanh, -10, 10],
  ['erf', erf, -5, 5],
];

describe.each(functions)('%s', (fn, exact, from, to) => {
  const compute = compiled(fn, 'f32', 1);

  it('is accurate at all magnitudes', () => {
    for (const x of [floats(4099), range(from, to, 400_000)]) {
      const { error, at } = worst(compute(x), (index) => exact(x[index]!));
      expect({ error, x: x[at] }).toEqual({ error: expect.toSatisfy((e: number) => e <= 3e-7), x: x[at] });
    }
  });

  it('is what JavaScript says at special values', () => {
    const x = Float32Array.from(specials);
    for (const [index, value] of compute(x).entries()) {
      const wanted = Math.fround(exact(x[index]!));
      if (Math.abs(wanted) < 2 ** -126 || !Number.isFinite(wanted))
        expect([x[index], value]).toEqual([x[index], wanted]);
      else expect(Math.abs(value / wanted - 1)).toBeLessThan(3e-7);
    }
  });
});

describe.each([
  ['sin', Math.sin],
  ['cos', Math.cos],
] as const)('%s', (fn, exact) => {
  const compute = compiled(fn, 'f32', 1);

  it('is accurate, near its zeros too', () => {
    const zeros = range(0, 6000, 6001).map((n) => (n * Math.PI) / 2);
    for (const x of [range(-10, 10, 400_000), range(-20_000, 20_000, 400_000), zeros]) {
      const { error, at } = worst(compute(x), (index) => exact(x[index]!));
      expect({ error, x: x[at] }).toEqual({ error: expect.toSatisfy((e: number) => e <= 3e-7), x: x[at] });
    }
  });

  it('is accurate up to 8 · 10⁸, small beyond, and NaN of what is no number', () => {
    const x = floats(4099);
    const got = compute(x);
    expect(got.filter((_, index) => !Number.isFinite(x[index]!))).toSatisfy((all: Words) =>
      all.every((value) => Number.isNaN(value)),
    );
    expect(got.filter((_, index) => Math.abs(x[index]!) > 8e8 && Number.isFinite(x[index]!))).toSatisfy(
      (all: Words) => all.every((value) => Math.abs(value) <= 1),
    );
    const inside = x.filter((at) => Math.abs(at) <= 8e8);
    expect(worst(compute(inside), (index) => exact(inside[index]!)).error).toBeLessThan(3e-7);
  });
});

/** Every pair of some numbers. */
function pairs(
  left: readonly number[],
  right: readonly number[],
  View: typeof Float32Array | typeof Int32Array,
) {
  const all = left.flatMap((x) => right.map((y) => [x, y] as const));
  return [View.from(all.map(([x]) => x)), View.from(all.map(([, y]) => y))] as const;
}

describe('pow', () => {
  const compute = compiled('pow', 'f32', 2);

  it('is accurate at all magnitudes', () => {
    const bases = [...floats(2 ** 20 + 7), ...range(0.5, 2, 1000)];
    const exponents = [-30.5, -3, -1, -0.5, -1e-3, 1e-3, 1 / 3, 0.5, 1, 1.7, 2, 3, 9.25, 40];
    const [x, y] = pairs(bases, exponents, Float32Array);
    const { error, at } = worst(compute(x, y), (index) => x[index]! ** y[index]!);
    expect({ error, x: x[at], y: y[at] }).toEqual({
      ...{ error: expect.toSatisfy((e: number) => e <= 1e-6), x: x[at], y: y[at] },
    });
  });

  it('is accurate where large exponents meet bases near 1', () => {
    const [x, y] = pairs([...range(0.9, 1.1, 2001)], [1000, -1000, 5000.5, 1e6, -1e9], Float32Array);
    expect(worst(compute(x, y), (index) => x[index]! ** y[index]!).error).toBeLessThan(1e-6);
  });

  it('is what JavaScript says at special values', () => {
    const [x, y] = pairs(specials, specials, Float32Array);
    const got = compute(x, y);
    for (const [index, value] of got.entries()) {
      const wanted = Math.fround(x[index]! ** y[index]!);
      const at = { x: x[index], y: y[index] };
      if (wanted === 0 || !Number.isFinite(wanted))
        expect({ ...at, value }).toEqual({ ...at, value: wanted });
      else
        expect({ ...at, error: Math.abs(value - wanted) < 1e-6 * Math.abs(wanted) + 2 ** -149 }).toEqual({
          ...at,
          error: true,
        });
    }
  });
});

describe('integers', () => {
  const some = [0, 1, -1, 2, -2, 3, 7, -7, 12, 31, 33, 46341, -46341, 2147483647, -2147483648];

  it('divides towards zero, by zero to zero', () => {
    const [x, y] = pairs(some, some, Int32Array);
    const wanted = Int32Array.from(x, (value, index) => (value / y[index]!) | 0);
    expect([...compiled('div', 'i32', 2)(x, y)]).toEqual([...wanted]);
  });

  it('takes powers that wrap', () => {
    const [x, y] = pairs(some, [...some, 4, 5, 62], Int32Array);
    const wanted = Int32Array.from(x, (value, index) => {
      const exponent = y[index]!;
      if (exponent < 0) return Math.trunc(value ** exponent) | 0;
      let product = 1;
      // Powers of two wrap to a cycle of at most 2³⁰, and so do those of odd numbers
      for (let left = exponent, base = value; left > 0; left = Math.floor(left / 2)) {
        if (left % 2 === 1) product = Math.imul(product, base);
        base = Math.imul(base, base);
      }
      return product;
    });
    expect([...compiled('pow', 'i32', 2)(x, y)]).toEqual([...wanted]);
  });
});
