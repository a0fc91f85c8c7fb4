// Layer norm and RMS norm against their formulas, in both precisions, and what they refuse.
import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/ir/tensor.js';
import { apply, exact, expectClose, expectValues, failure, single, uniform } from '../support.js';

const rows = 6;
const extent = 5;
const x = uniform([2, 3, extent], 1, -2, 3);
const scale = uniform([extent], 2, 0.5, 2);
const offset = uniform([extent], 3);
const epsilon = 0.125;

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** `(row − centre) / √(mean (row − centre)² + ε) · scale + offset`, row by row. */
function byFormula(centred: boolean, scaling?: TensorData, shift?: TensorData): TensorData {
  const wanted = Array.from({ length: rows }, (_, index) => {
    const row = Array.from(x.data.slice(index * extent, (index + 1) * extent));
    const centre = centred ? mean(row) : 0;
    const deviation = Math.sqrt(mean(row.map((value) => (value - centre) ** 2)) + epsilon);
    return row.map(
      (value, i) => ((value - centre) / deviation) * (scaling?.data[i] ?? 1) + (shift?.data[i] ?? 0),
    );
  });
  return exact(x.shape, wanted.flat());
}

const applications = [
  { op: 'layer_norm', args: [x], wanted: byFormula(true) },
  { op: 'layer_norm', args: [x, scale], wanted: byFormula(true, scale) },
  { op: 'layer_norm', args: [x, scale, offset], wanted: byFormula(true, scale, offset) },
  { op: 'rms_norm', args: [x], wanted: byFormula(false) },
  { op: 'rms_norm', args: [x, scale], wanted: byFormula(false, scale) },
];

describe.each(applications)('$op of $args.length operands', ({ op, args, wanted }) => {
  it('is the formula over the last axis', () => {
    expectClose(apply(op, args, { attrs: { epsilon } }), wanted, 1e-14);
  });

  it('is the formula up to rounding in f32', () => {
    const rounded = args.map(({ shape, data }) => single(shape, Float32Array.from(data)));
    const got = apply(op, rounded, { attrs: { epsilon }, precision: 'f32' });
    expect(got.data).toBeInstanceOf(Float32Array);
    expectClose(got, wanted, 2e-6);
  });
});

describe('each step in f32', () => {
  it('is rounded: a sum of 2²⁴ and 1 loses the 1', () => {
    const long = single([1, 4], [2 ** 24, 1, -(2 ** 24), 0]);
    const attrs = { epsilon: 0 };
    const [first] = apply('layer_norm', [long], { attrs, precision: 'f32' }).data;
    const variance = 2 ** 47;
    expect(first).toBe(Math.fround(2 ** 24 / Math.fround(Math.sqrt(variance))));
  });

  it('takes rows of equal elements to the offset, and rows of zeros to zero', () => {
    const same = single([1, 2], [3, 3]);
    const attrs = { epsilon: 1e-3 };
    const args = [same, single([2], [5, 7]), single([2], [1, -1])];
    expectValues(apply('layer_norm', args, { attrs, precision: 'f32' }), [1, 2], [1, -1]);
    expectValues(apply('rms_norm', [single([1, 2], [0, 0])], { attrs }), [1, 2], [0, 0]);
  });
});

describe('what is refused', () => {
  const detailOf = (op: string, args: readonly TensorData[]) => {
    const { code, detail } = failure(() => apply(op, args, { attrs: { epsilon } }));
    return [code, detail];
  };

  it('vectors of another length', () => {
    expect(detailOf('layer_norm', [x, uniform([3], 1)])).toEqual([
      'RELC1004',
      '%z = layer_norm: operand 1 is f32[3], expected f32[5]',
    ]);
    expect(detailOf('rms_norm', [x, uniform([1, extent], 1)])[0]).toBe('RELC1004');
  });

  it.each(['layer_norm', 'rms_norm'])('%s of a scalar', (op) => {
    expect(detailOf(op, [single([], [1])])).toEqual([
      'RELC1004',
      `%z = ${op}: operand 0 is f32[], expected an axis to normalize over`,
    ]);
  });
});
