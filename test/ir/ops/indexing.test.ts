// Gather, its transpose, one-hot vectors and arg-max, by hand.
import { describe, expect, it } from 'vitest';
import { apply, counting, dot, exact, expectValues, f32, failure, integers, uniform } from '../support.js';

describe('indexing', () => {
  it('gather takes slices along an axis, for indices of any rank', () => {
    const x = counting([3, 2]);
    expectValues(apply('gather', [x, integers([2], [2, 0])], { attrs: { axis: 0 } }), [2, 2], [4, 5, 0, 1]);
    expectValues(
      apply('gather', [x, integers([1, 2], [1, 1])], { attrs: { axis: 1 } }),
      [3, 1, 2],
      [1, 1, 3, 3, 5, 5],
    );
    expectValues(apply('gather', [x, integers([], [1])], { attrs: { axis: 0 } }), [2], [2, 3]);
  });

  it('scatter_add adds up what lands on one place', () => {
    const updates = exact([3, 2], [1, 2, 10, 20, 100, 200]);
    const got = apply('scatter_add', [updates, integers([3], [2, 0, 2])], {
      attrs: { axis: 0 },
      type: f32(4, 2),
    });
    expectValues(got, [4, 2], [10, 20, 0, 0, 101, 202, 0, 0]);
  });

  it.each([0, 1, 2])('scatter_add is the adjoint of gather along axis %i', (axis) => {
    const x = uniform([3, 4, 5], 1);
    const indices = integers([2, 2], [2, 0, 2, 1]);
    const z = apply('gather', [x, indices], { attrs: { axis } });
    const y = uniform(z.shape, 2);
    const back = apply('scatter_add', [y, indices], { attrs: { axis }, type: f32(3, 4, 5) });
    expect(dot(x, back)).toBeCloseTo(dot(z, y), 12);
  });

  it.each([3, -1])('gather refuses index %i by name', (index) => {
    const error = failure(() =>
      apply('gather', [counting([3]), integers([1], [index])], { attrs: { axis: 0 } }),
    );
    expect([error.code, error.detail]).toEqual(['RELC1009', `%z = gather: index ${index} is not in 0..2`]);
  });

  it('scatter_add refuses updates of another dtype', () => {
    const [updates, indices] = [integers([1], [7]), integers([1], [0])];
    const error = failure(() =>
      apply('scatter_add', [updates, indices], { attrs: { axis: 0 }, type: f32(3) }),
    );
    expect([error.code, error.detail]).toEqual([
      'RELC1004',
      '%z = scatter_add: operand 0 is i32[1], expected f32',
    ]);
  });

  it('one_hot is all zeros where the index names no place', () => {
    const got = apply('one_hot', [integers([3], [1, -1, 2])], { attrs: { depth: 3 } });
    expectValues(got, [3, 3], [0, 1, 0, 0, 0, 0, 0, 0, 1]);
  });

  it.each([0, -2, 1.5])('one_hot refuses depth %d', (depth) => {
    const error = failure(() => apply('one_hot', [integers([1], [0])], { attrs: { depth } }));
    expect([error.code, error.detail]).toEqual([
      'RELC1004',
      `%z = one_hot: extent ${depth} of f32[1,${depth}] is not a positive integer`,
    ]);
  });

  it('argmax names the first of equals, along any axis', () => {
    const x = exact([2, 3], [1, 5, 5, 4, 4, 3]);
    expect(apply('argmax', [x], { attrs: { axis: 1 } })).toEqual(integers([2], [1, 0]));
    expect(apply('argmax', [x], { attrs: { axis: 0 } })).toEqual(integers([3], [1, 0, 0]));
  });
});
