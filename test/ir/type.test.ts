// Tensor types: extents that scale with the batch, and how types are counted, compared and written.
import { describe, expect, it } from 'vitest';
import { addDims } from '../../src/ir/ops/shapes.js';
import {
  batchDim,
  batchMultiple,
  bindShape,
  elementCount,
  isBatched,
  parseDim,
  printType,
  rowMajorStrides,
  sameShape,
  sameType,
} from '../../src/ir/type.js';
import { f32 } from './support.js';

describe('a dimension', () => {
  it('is a number or a multiple of the batch, spelled one way', () => {
    expect([batchDim(1), batchDim(12)]).toEqual(['N', '12N']);
    expect(['N', '12N', 12].map((dim) => batchMultiple(dim as 'N'))).toEqual([1, 12, undefined]);
    expect(['4', 'N', '1N', '12N', '0N', 'M', '', '-1', '1.5'].map(parseDim)).toEqual([
      4,
      'N',
      'N',
      '12N',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('adds to another of its kind', () => {
    expect([addDims(2, 3), addDims('N', 'N'), addDims('2N', '3N')]).toEqual([5, '2N', '5N']);
    expect(() => addDims('N', 3)).toThrow('cannot join extents N and 3');
  });
});

describe('a type', () => {
  it('is bound to a batch, counted for one sample, and written as in the text', () => {
    expect(bindShape(['2N', 3], 5)).toEqual([10, 3]);
    expect([elementCount(['2N', 3]), elementCount([4, 3]), elementCount([])]).toEqual([6, 12, 1]);
    expect([isBatched(f32('N', 4)), isBatched(f32(4)), isBatched(f32())]).toEqual([true, false, false]);
    expect([printType(f32('N', 4)), printType({ dtype: 'i32', shape: [] })]).toEqual(['f32[N,4]', 'i32[]']);
  });

  it('equals another of the same dtype and extents', () => {
    expect([sameShape([1, 2], [1, 2]), sameShape([1, 2], [2, 1]), sameShape([1], [1, 1])]).toEqual([
      true,
      false,
      false,
    ]);
    expect(sameType(f32('N'), f32('N'))).toBe(true);
    expect(sameType(f32('N'), { dtype: 'i32', shape: ['N'] })).toBe(false);
    expect(sameType(f32('N'), f32('2N'))).toBe(false);
  });

  it('has row-major strides', () => {
    expect([rowMajorStrides([2, 3, 4]), rowMajorStrides([])]).toEqual([[12, 4, 1], []]);
  });
});
