// Movement against index arithmetic written out: each output element names the input element it copies.
import { describe, expect, it } from 'vitest';
import { apply, booleans, counting, exact, expectValues, f32, failure, integers } from '../support.js';

describe('movement', () => {
  it('reshape keeps the elements in row-major order', () => {
    expectValues(apply('reshape', [counting([2, 3])], { type: f32(3, 1, 2) }), [3, 1, 2], [0, 1, 2, 3, 4, 5]);
  });

  it('transpose puts axis perm[i] at place i', () => {
    const x = counting([2, 3, 4]);
    const got = apply('transpose', [x], { attrs: { perm: [2, 0, 1] } });
    const wanted: number[] = [];
    for (let c = 0; c < 4; c++)
      for (let a = 0; a < 2; a++) for (let b = 0; b < 3; b++) wanted.push((a * 3 + b) * 4 + c);
    expectValues(got, [4, 2, 3], wanted);
  });

  it('broadcast repeats along new axes and along axes of extent 1', () => {
    expectValues(
      apply('broadcast', [exact([2], [7, 8])], { attrs: { axes: [1] }, type: f32(3, 2) }),
      [3, 2],
      [7, 8, 7, 8, 7, 8],
    );
    expectValues(
      apply('broadcast', [exact([2], [7, 8])], { attrs: { axes: [0] }, type: f32(2, 3) }),
      [2, 3],
      [7, 7, 7, 8, 8, 8],
    );
    expectValues(
      apply('broadcast', [exact([1, 2], [7, 8])], { attrs: { axes: [0, 1] }, type: f32(2, 2) }),
      [2, 2],
      [7, 8, 7, 8],
    );
    expectValues(apply('broadcast', [exact([], [5])], { attrs: { axes: [] }, type: f32(2) }), [2], [5, 5]);
  });

  it('slice takes every stride-th element of a box', () => {
    const x = counting([4, 5]);
    expectValues(
      apply('slice', [x], { attrs: { begin: [1, 2] }, type: f32(2, 3) }),
      [2, 3],
      [7, 8, 9, 12, 13, 14],
    );
    expectValues(
      apply('slice', [x], { attrs: { begin: [0, 1], stride: [3, 2] }, type: f32(2, 2) }),
      [2, 2],
      [1, 3, 16, 18],
    );
  });

  it('pad puts its value around and between', () => {
    const x = exact([2, 2], [1, 2, 3, 4]);
    expectValues(
      apply('pad', [x], { attrs: { low: [1, 0], high: [0, 2] } }),
      [3, 4],
      [0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0],
    );
    expectValues(
      apply('pad', [x], { attrs: { low: [0, 1], high: [1, 0], interior: [1, 2], value: -1 } }),
      [4, 5],
      [-1, 1, -1, -1, 2, -1, -1, -1, -1, -1, -1, 3, -1, -1, 4, -1, -1, -1, -1, -1],
    );
    const low = apply('pad', [exact([1], [3])], { attrs: { low: [1], high: [0], value: '-inf' } });
    expectValues(low, [2], [Number.NEGATIVE_INFINITY, 3]);
  });

  it('concat joins along any axis, in order', () => {
    const [a, b] = [exact([2, 1], [1, 2]), exact([2, 2], [3, 4, 5, 6])];
    expectValues(apply('concat', [a, b, a], { attrs: { axis: 1 } }), [2, 4], [1, 3, 4, 1, 2, 5, 6, 2]);
    expectValues(apply('concat', [a, a], { attrs: { axis: 0 } }), [4, 1], [1, 2, 1, 2]);
  });

  it('reverse runs the given axes backwards', () => {
    const x = counting([2, 3]);
    expectValues(apply('reverse', [x], { attrs: { axes: [1] } }), [2, 3], [2, 1, 0, 5, 4, 3]);
    expectValues(apply('reverse', [x], { attrs: { axes: [1, 0] } }), [2, 3], [5, 4, 3, 2, 1, 0]);
  });

  it('moves integers and truth values as they are', () => {
    const got = apply('slice', [integers([3], [4, 5, 6])], {
      attrs: { begin: [1] },
      type: { dtype: 'i32', shape: [2] },
    });
    expect(got).toEqual(integers([2], [5, 6]));
    expect(apply('reverse', [booleans([2], [0, 1])], { attrs: { axes: [0] } })).toEqual(
      booleans([2], [1, 0]),
    );
  });
});

describe('movement refuses', () => {
  const x = counting([2, 3]);
  it.each([
    ['reshape', {}, f32(4), 'RELC1004', 'f32[2,3] cannot be reshaped to f32[4]'],
    ['transpose', { perm: [0] }, undefined, 'RELC1005', 'perm [0] is not a permutation of 2 axes'],
    ['transpose', { perm: [0, 0] }, undefined, 'RELC1005', 'axes [0,0] name one axis twice'],
    [
      'broadcast',
      { axes: [1, 0] },
      f32(3, 2),
      'RELC1004',
      'f32[2,3] along axes [1,0] does not fill f32[3,2]',
    ],
    [
      'broadcast',
      { axes: [0, 1] },
      f32(2, 4),
      'RELC1004',
      'f32[2,3] along axes [0,1] does not fill f32[2,4]',
    ],
    ['slice', { begin: [0, 2] }, f32(2, 2), 'RELC1004', 'axis 1: [2, 3] leaves the extent 3'],
    ['slice', { begin: [0, -1] }, f32(2, 2), 'RELC1004', 'axis 1: [-1, 0] leaves the extent 3'],
    ['slice', { begin: [0] }, f32(2, 2), 'RELC1005', 'begin has 1 entries for rank 2'],
    ['slice', { begin: [0, 0.5] }, f32(2, 2), 'RELC1005', 'attribute begin is [0,0.5], expected numbers'],
    ['pad', { low: [0, -1], high: [0, 0] }, undefined, 'RELC1005', 'padding cannot be negative'],
    [
      'pad',
      { low: [0, 0], high: [0, 0], interior: [-1, 0] },
      undefined,
      'RELC1005',
      'padding cannot be negative',
    ],
    ['reverse', { axes: [2] }, undefined, 'RELC1005', 'axis 2 is not an axis of a rank-2 tensor'],
    ['concat', { axis: -1 }, undefined, 'RELC1005', 'axis -1 is not an axis of a rank-2 tensor'],
  ])('%s %o', (op, attrs, type, code, message) => {
    const error = failure(() => apply(op, [x], { attrs, ...(type === undefined ? {} : { type }) }));
    expect([error.code, error.detail]).toEqual([code, `%z = ${op}: ${message}`]);
  });
});
