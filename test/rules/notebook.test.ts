// The notebook's relevance layers: every recorded op and Dense case, in f32 as it was computed there.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { denseCases, notebook, printedDense, type Recorded } from '../fixtures/notebook.js';
import {
  cell244,
  chefer,
  data,
  denseRelevance,
  fanOutSum,
  feeds,
  graphFor,
  isForward,
  kindOf,
  quotientOf,
  relpropOf,
  relprops,
  title,
} from './notebook-layers.js';
import { dialect, noWeights, relativeError, ulpDistance } from './support.js';

/** Farthest distance in units of the last place. */
function farthest(got: TensorData, wanted: Recorded): number {
  expect(got.shape).toEqual(wanted.shape);
  return wanted.data.reduce((far, value, i) => Math.max(far, ulpDistance(got.data[i]!, value)), 0);
}

describe('safe_divide', () => {
  const rows = notebook.safe_divide.rows;

  it.each(rows)('%s / %s = %s', (...row) => {
    const { recorded, ours } = quotientOf(row);
    expect(ulpDistance(ours, recorded)).toBe(0);
  });

  it('has 110 rows', () => expect(rows).toHaveLength(110));
});

describe('forward', () => {
  const cases = notebook.ops.filter((op) => isForward(op) && kindOf(op) !== 'Clone');

  it.each(cases.map((op) => [title(op), op] as const))('%s', (_title, op) => {
    const { z } = evaluate(graphFor(op), dialect, feeds(op.inputs), noWeights, 'f32');
    expect(farthest(z!, op.outputs[0]!)).toBe(0);
  });
});

/** Largest difference, in units of the last place of the largest value. */
function errorInUlps(got: TensorData, { data: wanted }: Recorded): number {
  const largest = Math.fround(Math.max(...wanted.map(Math.abs)));
  const ulp = 2 ** (Math.floor(Math.log2(largest)) - 23);
  return Math.max(...wanted.map((value, i) => Math.abs(got.data[i]! - value))) / ulp;
}

/** To four decimals as the notebook prints, without the sign of zero. */
const rounded = (values: ArrayLike<number>) =>
  Array.from(values, (value) => (Math.abs(value) < 5e-5 ? 0 : Number(value.toFixed(4))));

describe('relprop by the preset chefer', () => {
  const cases = relprops.filter((op) => kindOf(op) !== 'Clone');

  it.each(cases.map((op) => [title(op), op] as const))('%s', (_title, op) => {
    const found = relpropOf(op);
    for (const [i, wanted] of op.outputs.entries()) {
      const got = found[`x${i}`]!;
      if (op.printed !== undefined) {
        expect(rounded(got.data)).toEqual(rounded(op.printed[i]!));
        expect(farthest(got, wanted)).toBe(0);
      } else if (wanted.shape[0] === op.relevance![0]!.shape[0])
        expect(farthest(got, wanted)).toBeLessThanOrEqual(2);
      // A broadcast operand: there Σ s comes before the products with x, here R passes the sum first
      else expect(errorInUlps(got, wanted)).toBeLessThanOrEqual(2);
    }
  });
});

describe('Clone, which is a fan-out here', () => {
  const cases = relprops.filter((op) => kindOf(op) === 'Clone');

  it.each(cases.map((op) => [title(op), op] as const))('%s: Σ Rᵢ but for exact zeros of x', (_title, op) => {
    const [x] = op.inputs as [Recorded];
    const sum = fanOutSum(x, op.relevance!);
    for (const [i, value] of x.data.entries()) {
      const plain = op.relevance!.reduce((so, part) => Math.fround(so + data(part).data[i]!), 0);
      expect(sum.data[i]).toBe(plain);
      if (value === 0) expect(op.outputs[0]!.data[i]).toBeCloseTo(0, 30);
      // There: x · Σ Rᵢ/x, whose roundings are of the size of the parts
      else expect(Math.abs(op.outputs[0]!.data[i]! - plain)).toBeLessThan(1e-6);
    }
    if (op.printed !== undefined) expect(farthest(sum, op.outputs[0]!)).toBe(0);
  });

  it('x = (0, 1, −2) and R = 3, 4: (0, 7, 7) there, (7, 7, 7) here', () => {
    const x = { shape: [3], data: [0, 1, -2] };
    const [three, four] = [3, 4].map((value) => ({ shape: [3], data: [value, value, value] }));
    expect([...fanOutSum(x, [three!, four!]).data]).toEqual([7, 7, 7]);
    // Their rule for concatenation divides by the values, as their Clone does
    expect([...fanOutSum(x, [three!, four!], chefer).data]).toEqual([0, 7, 7]);
  });

  it('forward: the value itself, as often as it is used', () => {
    const clone = notebook.ops.find((op) => op.op === 'Clone.forward')!;
    for (const output of clone.outputs) expect(output).toMatchObject(clone.inputs[0]!);
  });
});

describe('Dense(α), β = α − 1', () => {
  it('cell 244: the printed relevances, to the last digit', () => {
    const found = denseRelevance(cell244, 'f32');
    expect(printedDense.kernel_known).toHaveLength(36);
    expect(farthest(found, { shape: [1, 20], data: printedDense.printed })).toBe(0);
  });

  it.each(denseCases.map((dense) => [dense.what, dense] as const))('%s', (_what, dense) => {
    const double = denseRelevance(dense, 'f64');
    expect(relativeError(double.data, dense.out_f64.data)).toBeLessThan(1e-15);
    // Sums there are in the order of a matrix library, and αR⁺ − βR⁻ cancels
    const single = denseRelevance(dense, 'f32');
    expect(errorInUlps(single, dense.out)).toBeLessThanOrEqual(dense.alpha);
  });
});

it('every recorded op and Dense case is one of the above', () => {
  expect(new Set(notebook.ops.map(kindOf))).toEqual(new Set(['MatMul', 'Add', 'IndexSelect', 'Clone']));
  expect([notebook.ops.length, denseCases.length]).toEqual([13, 6]);
});
