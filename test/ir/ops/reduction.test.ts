// Reductions, softmax and batch normalization against plain formulas.
import { describe, expect, it } from 'vitest';
import {
  apply,
  counting,
  exact,
  expectClose,
  expectValues,
  failure,
  integers,
  single,
  uniform,
} from '../support.js';

describe('reductions', () => {
  const x = counting([2, 3, 2]);

  it('sum, mean and reduce_max take axes away', () => {
    expectValues(apply('sum', [x], { attrs: { axes: [1] } }), [2, 2], [6, 9, 24, 27]);
    expectValues(apply('sum', [x], { attrs: { axes: [0, 2] } }), [3], [14, 22, 30]);
    expectValues(apply('mean', [x], { attrs: { axes: [2, 0] } }), [3], [3.5, 5.5, 7.5]);
    expectValues(apply('mean', [x], { attrs: { axes: [0, 1, 2] } }), [], [5.5]);
    expectValues(
      apply('reduce_max', [exact([2, 2], [-3, -1, -2, -7])], { attrs: { axes: [1] } }),
      [2],
      [-1, -2],
    );
    expectValues(apply('sum', [x], { attrs: { axes: [] } }), [2, 3, 2], Array.from(x.data));
  });

  it('in single precision add one after the other', () => {
    const long = single([3], [2 ** 24, 1, -(2 ** 24)]);
    const attrs = { axes: [0] };
    expectValues(apply('sum', [long], { attrs, precision: 'f32' }), [], [0]);
    expectValues(apply('sum', [long], { attrs }), [], [1]);
    expectValues(apply('mean', [long], { attrs, precision: 'f32' }), [], [0]);
    const third = apply('mean', [single([3], [1, 0, 0])], { attrs, precision: 'f32' });
    expectValues(third, [], [Math.fround(1 / 3)]);
  });

  it('refuse integers', () => {
    const error = failure(() => apply('sum', [integers([2], [1, 2])], { attrs: { axes: [0] } }));
    expect([error.code, error.detail]).toEqual(['RELC1004', '%z = sum: operand 0 is i32[2], expected f32']);
  });
});

describe('softmax', () => {
  const x = uniform([2, 3, 4], 1, -3, 3);

  it.each([0, 1, 2])('along axis %i is eˣ over the sum of eˣ, and log_softmax its logarithm', (axis) => {
    const exponentials = apply('exp', [x]);
    const sums = apply('sum', [exponentials], { attrs: { axes: [axis] } });
    const strideAfter = [12, 4, 1][axis]!;
    const extent = [2, 3, 4][axis]!;
    const wanted = exponentials.data.map((value, index) => {
      const outer = Math.floor(index / (strideAfter * extent));
      return value / sums.data[outer * strideAfter + (index % strideAfter)]!;
    });
    expectClose(apply('softmax', [x], { attrs: { axis } }), { ...x, data: wanted }, 1e-14);
    expectClose(apply('log_softmax', [x], { attrs: { axis } }), { ...x, data: wanted.map(Math.log) }, 1e-14);
  });

  it.each(['f32', 'f64'] as const)('is stable for large values in %s', (precision) => {
    const large = single([3], [1e4, 1e4, -1e4]);
    const attrs = { axis: 0 };
    expectValues(apply('softmax', [large], { attrs, precision }), [3], [0.5, 0.5, 0]);
    const round = precision === 'f32' ? Math.fround : (value: number) => value;
    const wanted = [-Math.LN2, -Math.LN2, -20000 - Math.LN2].map(round);
    expectValues(apply('log_softmax', [large], { attrs, precision }), [3], wanted);
  });
});

describe('batch_norm', () => {
  it('normalises each channel of the last axis', () => {
    const x = uniform([2, 3, 2], 1);
    const statistics = [uniform([2], 2), uniform([2], 3), uniform([2], 4), uniform([2], 5, 0.5, 2)];
    const [scale, offset, mean, variance] = statistics.map(({ data }) => data);
    const wanted = x.data.map((value, index) => {
      const c = index % 2;
      return ((value - mean![c]!) / Math.sqrt(variance![c]! + 0.01)) * scale![c]! + offset![c]!;
    });
    expectClose(
      apply('batch_norm', [x, ...statistics], { attrs: { epsilon: 0.01 } }),
      { ...x, data: wanted },
      1e-14,
    );
  });

  it('refuses statistics of another length', () => {
    const two = uniform([2], 1);
    const args = [uniform([4, 2], 1), two, two, uniform([3], 1), two];
    const error = failure(() => apply('batch_norm', args, { attrs: { epsilon: 0.01 } }));
    expect([error.code, error.detail]).toEqual([
      'RELC1004',
      '%z = batch_norm: operand 3 is f32[3], expected f32[2]',
    ]);
  });
});
