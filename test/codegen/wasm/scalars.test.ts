// Elementwise ops on every dtype, as WebAssembly against the evaluator at values that are special to them.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';
import { type TensorData, tensor } from '../../../src/ir/tensor.js';
import type { Dtype } from '../../../src/ir/type.js';
import { runOnWasm } from './support-special.js';

const values: Readonly<Record<Dtype, readonly number[]>> = {
  f32: [
    0,
    1,
    -1,
    0.5,
    -2.75,
    3e38,
    -1e-40,
    7,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ],
  i32: [0, 1, -1, 2, -7, 12, 40000, -40001, 2147483647, -2147483648],
  bool: [0, 1],
};

/** Every pair of values. */
function pairs(dtype: Dtype): { x: TensorData; y: TensorData } {
  const all = values[dtype].flatMap((x) => values[dtype].map((y) => [x, y] as const));
  const side = (place: 0 | 1) =>
    tensor(
      [all.length],
      all.map((pair) => pair[place]),
      dtype,
    );
  return { x: side(0), y: side(1) };
}

/** Numbers without the sign of zero, which is left open. */
const plain = (data: ArrayLike<number>) => Array.from(data, (value) => value + 0);

function expectSame(text: string, inputs: Readonly<Record<string, TensorData>>): void {
  const graph = parse(text, forward);
  const expected = evaluate(graph, forward, inputs, new Map(), 'f32');
  const { outputs } = runOnWasm(graph, inputs);
  expect(plain(outputs.o!.data)).toEqual(plain(expected.o!.data));
}

const arithmetic = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'];
const tests = ['greater', 'greater_equal', 'equal'];
const binaries: readonly (readonly [Dtype, readonly string[]])[] = [
  ['f32', arithmetic],
  // Products of large integers are rounded by the evaluator
  ['i32', arithmetic.filter((op) => op !== 'mul')],
  ['bool', ['mul', 'maximum', 'minimum', 'logical_and', 'logical_or']],
];

describe.each(
  binaries.flatMap(([dtype, ops]) => [
    ...ops.map((op) => [op, dtype, dtype] as const),
    ...tests.map((op) => [op, dtype, 'bool'] as const),
  ]),
)('%s of %s', (op, dtype, result) => {
  const { x, y } = pairs(dtype);
  const size = x.shape[0]!;

  it('is that of JavaScript', () => {
    const text = `graph @g {
      %x = input() : ${dtype}[${size}]
      %y = input() : ${dtype}[${size}]
      %o = ${op}(%x, %y) : ${result}[${size}]
      return o=%o
    }`;
    expectSame(text, { x, y });
  });

  it('of a value and a number, too', () => {
    for (const number of values[dtype].filter(Number.isFinite)) {
      const text = `graph @g {
        %x = input() : ${dtype}[${size}]
        %c = constant() {value=${number}} : ${dtype}[${size}]
        %o = ${op}(%x, %c) : ${result}[${size}]
        return o=%o
      }`;
      expectSame(text, { x });
    }
  });
});

const dtypes: readonly Dtype[] = ['f32', 'i32', 'bool'];

describe('other ops', () => {
  it.each(dtypes.flatMap((from) => dtypes.map((to) => [from, to] as const)))('cast %s to %s', (from, to) => {
    // What lies beyond 32 bits is left open, and so is whether NaN is true
    const isStated = (value: number) =>
      to === 'i32' ? !(Math.abs(value) > 2 ** 31) : to === 'f32' || !Number.isNaN(value);
    const x = values[from].filter(isStated);
    const text = `graph @g {
      %x = input() : ${from}[${x.length}]
      %y = reshape(%x) : ${from}[${x.length},1]
      %o = cast(%y) : ${to}[${x.length},1]
      return o=%o
    }`;
    expectSame(text, { x: tensor([x.length], x, from) });
  });

  it.each(dtypes)('select of %s', (dtype) => {
    const { x, y } = pairs(dtype);
    const size = x.shape[0]!;
    const conditions = Array.from({ length: size }, (_, index) => index % 2);
    const text = `graph @g {
      %c = input() : bool[${size}]
      %n = logical_not(%c) : bool[${size}]
      %x = input() : ${dtype}[${size}]
      %y = input() : ${dtype}[${size}]
      %o = select(%n, %x, %y) : ${dtype}[${size}]
      return o=%o
    }`;
    expectSame(text, { x, y, c: tensor([size], conditions, 'bool') });
  });

  it.each(['neg', 'abs', 'sign', 'square', 'step', 'relu'])('%s of floats', (op) => {
    const x = tensor([values.f32.length], values.f32);
    const type = `f32[${values.f32.length}]`;
    expectSame(`graph @g {\n  %x = input() : ${type}\n  %o = ${op}(%x) : ${type}\n  return o=%o\n}`, { x });
  });
});
