// Elementwise ops against Math and against definitions written another way.
import { describe, expect, it } from 'vitest';
import { erf } from '../../../src/ir/erf.js';
import { apply, booleans, exact, expectClose, expectValues, failure, integers, single } from '../support.js';

const points = [-2.5, -1, -0.3, 0, 0.4, 1, 3];
const positive = [0.1, 0.5, 1, 2, 7];

type Scalar = (x: number) => number;

/** Φ(x) by Simpson's rule from −12, where it is 0. */
function normalDistribution(x: number): number {
  const density: Scalar = (t) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  const steps = 4000;
  const h = (x + 12) / steps;
  let sum = density(-12) + density(x);
  for (let i = 1; i < steps; i++) sum += density(-12 + i * h) * (i % 2 === 1 ? 4 : 2);
  return (sum * h) / 3;
}

const unaries: Readonly<
  Record<string, { f: Scalar; at?: readonly number[]; attrs?: Record<string, number> }>
> = {
  neg: { f: (x) => 0 - x },
  abs: { f: (x) => Math.sqrt(x * x) },
  sign: { f: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0) },
  square: { f: (x) => x ** 2 },
  sqrt: { f: (x) => x ** 0.5, at: positive },
  rsqrt: { f: (x) => x ** -0.5, at: positive },
  reciprocal: { f: (x) => x ** -1, at: positive },
  exp: { f: (x) => Math.E ** x },
  log: { f: (x) => Math.log2(x) * Math.LN2, at: positive },
  erf: { f: (x) => 2 * normalDistribution(x * Math.SQRT2) - 1 },
  sin: { f: (x) => Math.cos(x - Math.PI / 2) },
  cos: { f: (x) => Math.sin(x + Math.PI / 2) },
  step: { f: (x) => (x > 0 ? 1 : 0) },
  negative_part: { f: (x) => (x - Math.abs(x)) / 2 },
  relu: { f: (x) => (x + Math.abs(x)) / 2 },
  clip: { f: (x) => Math.max(-1, Math.min(0.75, x)), attrs: { min: -1, max: 0.75 } },
  leaky_relu: { f: (x) => Math.max(x, 0.125 * x), attrs: { alpha: 0.125 } },
  elu: { f: (x) => (x > 0 ? x : Math.exp(x) - 1) },
  selu: { f: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * (Math.exp(x) - 1)) },
  sigmoid: { f: (x) => (1 + Math.tanh(x / 2)) / 2 },
  tanh: { f: (x) => 1 - 2 / (Math.exp(2 * x) + 1) },
  softplus: { f: (x) => Math.log(1 + Math.exp(x)) },
  gelu: { f: (x) => x * normalDistribution(x) },
};

describe.each(Object.entries(unaries))('%s', (op, { f, at = points, attrs = {} }) => {
  const x = exact([at.length], at);

  it('is its definition', () => {
    expectClose(apply(op, [x], { attrs }), exact([at.length], at.map(f)), 1e-11);
  });

  it('in single precision is the exact value, rounded once', () => {
    const rounded = single([at.length], at);
    const wide = apply(op, [exact([at.length], Array.from(rounded.data))], { attrs });
    const got = apply(op, [rounded], { attrs, precision: 'f32' });
    expectValues(got, [at.length], Array.from(Float32Array.from(wide.data)));
  });
});

describe('functions of large arguments', () => {
  it('do not overflow', () => {
    const x = exact([2], [1e3, -1e3]);
    expectValues(apply('sigmoid', [x]), [2], [1, 0]);
    expectValues(apply('softplus', [x]), [2], [1e3, 0]);
    expectValues(apply('tanh', [x]), [2], [1, -1]);
    expectValues(apply('erf', [x]), [2], [1, -1]);
    expectValues(apply('gelu', [x]), [2], [1e3, -0]);
  });

  it('erf has its tabulated values', () => {
    for (const [x, wanted] of [
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3.5, 0.9999992569016276],
    ] as const) {
      expect(Math.abs(erf(x) - wanted)).toBeLessThan(1e-15);
      expect(erf(-x)).toBe(-erf(x));
    }
  });
});

describe('binary ops', () => {
  const x = exact([4], [3, -2, 0.5, 2]);
  const y = exact([4], [2, -2, 4, -1]);
  it.each([
    ['add', [5, -4, 4.5, 1]],
    ['sub', [1, 0, -3.5, 3]],
    ['mul', [6, 4, 2, -2]],
    ['div', [1.5, 1, 0.125, -2]],
    ['maximum', [3, -2, 4, 2]],
    ['minimum', [2, -2, 0.5, -1]],
    ['pow', [9, 0.25, 0.0625, 0.5]],
    ['prelu', [3, 4, 0.5, 2]],
  ])('%s', (op, wanted) => {
    expectValues(apply(op, [x, y]), [4], wanted);
  });

  it.each(['add', 'sub', 'mul', 'div'])('%s rounds its result in single precision', (op) => {
    const [a, b] = [single([1], [0.1]), single([1], [0.3])];
    const wide = apply(op, [exact([1], Array.from(a.data)), exact([1], Array.from(b.data))]).data[0]!;
    expect(Math.fround(wide)).not.toBe(wide);
    expectValues(apply(op, [a, b], { precision: 'f32' }), [1], [Math.fround(wide)]);
  });

  it('works on integers', () => {
    expect(apply('add', [integers([2], [1, 2]), integers([2], [3, -4])])).toEqual(integers([2], [4, -2]));
  });
});

describe('logic', () => {
  const [x, y] = [exact([3], [1, 2, 3]), exact([3], [2, 2, 2])];
  it.each([
    ['greater', [0, 0, 1]],
    ['greater_equal', [0, 1, 1]],
    ['equal', [0, 1, 0]],
  ])('%s compares', (op, wanted) => {
    expect(apply(op, [x, y])).toEqual(booleans([3], wanted));
  });

  it('combines truth values', () => {
    const [a, b] = [booleans([4], [0, 0, 1, 1]), booleans([4], [0, 1, 0, 1])];
    expect(apply('logical_and', [a, b])).toEqual(booleans([4], [0, 0, 0, 1]));
    expect(apply('logical_or', [a, b])).toEqual(booleans([4], [0, 1, 1, 1]));
    expect(apply('logical_not', [a])).toEqual(booleans([4], [1, 1, 0, 0]));
  });

  it('select takes y where the condition holds', () => {
    expectValues(apply('select', [booleans([3], [1, 0, 1]), x, y]), [3], [1, 2, 3]);
    expectValues(apply('select', [booleans([3], [0, 1, 0]), x, y]), [3], [2, 2, 2]);
  });

  it('cast truncates to integers and tests for zero', () => {
    const values = exact([4], [-1.7, 0, 0.3, 2.9]);
    expect(apply('cast', [values], { type: { dtype: 'i32', shape: [4] } })).toEqual(
      integers([4], [-1, 0, 0, 2]),
    );
    expect(apply('cast', [values], { type: { dtype: 'bool', shape: [4] } })).toEqual(
      booleans([4], [1, 0, 1, 1]),
    );
    expectValues(
      apply('cast', [integers([2], [3, -4])], { type: { dtype: 'f32', shape: [2] } }),
      [2],
      [3, -4],
    );
  });
});

describe('elementwise ops refuse', () => {
  it.each([
    [
      'add',
      [exact([2], [1, 2]), exact([1], [1])],
      'operand 1 is f32[1], expected the shape of operand 0, f32[2]',
    ],
    ['add', [exact([1], [1]), integers([1], [1])], 'operand 1 is i32[1], expected f32'],
    ['relu', [integers([1], [1])], 'operand 0 is i32[1], expected f32'],
    ['logical_and', [exact([1], [1]), exact([1], [1])], 'operand 0 is f32[1], expected bool'],
    ['select', [exact([1], [1]), exact([1], [1]), exact([1], [1])], 'operand 0 is f32[1], expected bool'],
    ['select', [booleans([1], [1]), exact([1], [1]), integers([1], [1])], 'operands 1 and 2 differ in dtype'],
  ])('%s of other shapes and dtypes', (op, args, message) => {
    const error = failure(() => apply(op, args));
    expect([error.code, error.detail]).toEqual(['RELC1004', `%z = ${op}: ${message}`]);
  });
});
