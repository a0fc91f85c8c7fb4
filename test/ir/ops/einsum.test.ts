// einsum against a loop over all indices, in many layouts, with and without a bias.
import { describe, expect, it } from 'vitest';
import { parseEquation } from '../../../src/ir/ops/einsum.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { apply, exact, expectClose, expectValues, failure, single, uniform } from '../support.js';

const extents: Readonly<Record<string, number>> = { a: 2, b: 3, c: 4, d: 2, e: 3 };
const shapeOf = (indices: string) => [...indices].map((index) => extents[index]!);

/** Where the value with these indices stands in a tensor written with `own`. */
function place(own: string, at: Readonly<Record<string, number>>): number {
  return [...own].reduce((offset, index) => offset * extents[index]! + at[index]!, 0);
}

/** Σ over every combination of indices of left·right, then the bias. */
function direct(eq: string, left: TensorData, right: TensorData, bias?: TensorData): TensorData {
  const equation = parseEquation(eq);
  const result = exact(
    shapeOf(equation.out),
    new Float64Array(shapeOf(equation.out).reduce((a, b) => a * b, 1)),
  );
  const indices = [...new Set(equation.left + equation.right)];
  const visit = (depth: number, at: Record<string, number>): void => {
    if (depth < indices.length) {
      const index = indices[depth]!;
      for (let value = 0; value < extents[index]!; value++) visit(depth + 1, { ...at, [index]: value });
      return;
    }
    result.data[place(equation.out, at)]! +=
      left.data[place(equation.left, at)]! * right.data[place(equation.right, at)]!;
  };
  visit(0, {});
  if (bias === undefined) return result;
  const spread = (depth: number, at: Record<string, number>): void => {
    const index = equation.out[depth];
    if (index === undefined)
      result.data[place(equation.out, at)]! += bias.data[place(equation.rightOnly, at)]!;
    else for (let value = 0; value < extents[index]!; value++) spread(depth + 1, { ...at, [index]: value });
  };
  spread(0, {});
  return result;
}

const layouts = [
  'ab,bc->ac',
  'ab,cb->ac',
  'ab,bc->ca',
  'abc,cd->abd',
  'abc,cde->abde',
  'abc,dce->aebd',
  'abc,acd->abd',
  'abcd,abed->abce',
  'a,b->ab',
  'ab,ab->a',
  'abc,abc->',
  'ab,b->a',
  'ab,a->ab',
  'ba,ca->bc',
];

describe.each(layouts)('einsum %s', (eq) => {
  const { left, right, rightOnly } = parseEquation(eq);
  const x = uniform(shapeOf(left), 1);
  const w = uniform(shapeOf(right), 2);
  const bias = uniform(shapeOf(rightOnly), 3);

  it('equals the loop over all indices', () => {
    expectClose(apply('einsum', [x, w], { attrs: { eq } }), direct(eq, x, w), 1e-14);
  });

  it('adds a bias along the indices of the right factor alone', () => {
    expectClose(apply('einsum', [x, w, bias], { attrs: { eq } }), direct(eq, x, w, bias), 1e-14);
  });
});

describe('einsum', () => {
  it('takes an equation apart', () => {
    expect(parseEquation('bhi,hij->bhj')).toEqual({
      left: 'bhi',
      right: 'hij',
      out: 'bhj',
      contracted: 'i',
      rightOnly: 'j',
      leftOnly: 'b',
      shared: 'h',
    });
  });

  it('multiplies by hand', () => {
    const x = exact([2, 2], [1, 2, 3, 4]);
    const w = exact([2, 2], [10, 100, 1, 2]);
    expectValues(
      apply('einsum', [x, w, exact([2], [0.5, -0.5])], { attrs: { eq: 'bi,ij->bj' } }),
      [2, 2],
      [12.5, 103.5, 34.5, 307.5],
    );
  });

  it('in single precision rounds each product and each sum, in index order', () => {
    const x = single([1, 3], [2 ** 24, 1, -(2 ** 24)]);
    const w = single([3, 1], [1, 1, 1]);
    const attrs = { eq: 'bi,ij->bj' };
    expectValues(apply('einsum', [x, w], { attrs, precision: 'f32' }), [1, 1], [0]);
    expectValues(apply('einsum', [x, w], { attrs, precision: 'f64' }), [1, 1], [1]);
  });

  it.each([
    ['ab->ab', 'RELC1005', 'eq "ab->ab" is not of the form "ab,bc->ac"'],
    ['aa,ab->ab', 'RELC1005', 'eq "aa,ab->ab" repeats an index within one operand'],
    ['ab,bc->a', 'RELC1005', 'eq "ab,bc->a" has index c in one place only'],
    ['abc,cd->abd', 'RELC1004', 'operand 0 is f32[2,3], expected rank 3 ("abc")'],
    ['ab,cb->ac', 'RELC1004', 'operand 1 is f32[3,4], expected dim b = 3 to match operand 0 f32[2,3]'],
  ])('refuses %s on f32[2,3] and f32[3,4]', (eq, code, message) => {
    const error = failure(() => apply('einsum', [uniform([2, 3], 1), uniform([3, 4], 2)], { attrs: { eq } }));
    expect([error.code, error.detail]).toEqual([code, `%z = einsum: ${message}`]);
  });
});
