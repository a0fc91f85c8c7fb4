// Pools against a direct loop: padding is left out of the mean, and the first of equal maxima wins.
import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/ir/tensor.js';
import { apply, dot, exact, expectClose, expectValues, failure, single, uniform } from '../support.js';

type Pair = readonly [number, number];
interface Geometry {
  readonly name: string;
  readonly x: readonly [number, number, number, number];
  readonly window: Pair;
  readonly strides: Pair;
  readonly padding: readonly [Pair, Pair];
}

const none: readonly [Pair, Pair] = [
  [0, 0],
  [0, 0],
];

const geometries: readonly Geometry[] = [
  { name: 'tiling', x: [2, 4, 6, 3], window: [2, 3], strides: [2, 3], padding: none },
  { name: 'overlapping', x: [1, 5, 6, 2], window: [3, 3], strides: [1, 2], padding: none },
  {
    name: 'padded on one side',
    x: [1, 5, 5, 2],
    window: [3, 3],
    strides: [2, 2],
    padding: [
      [0, 1],
      [1, 0],
    ],
  },
  {
    name: 'padded all round',
    x: [2, 4, 3, 1],
    window: [3, 2],
    strides: [1, 1],
    padding: [
      [2, 2],
      [1, 1],
    ],
  },
  { name: 'leaving a rest', x: [1, 8, 7, 1], window: [2, 2], strides: [3, 4], padding: none },
  { name: 'of the whole picture', x: [2, 3, 3, 2], window: [3, 3], strides: [1, 1], padding: none },
];

const attrsOf = ({ window, strides, padding }: Geometry) => ({ window, strides, padding });

/** The elements of each window that lie inside the picture, row by row, for each output element in order. */
function windowsOf(x: TensorData, { x: shape, window, strides, padding }: Geometry) {
  const [batch, height, width, channels] = shape;
  const extent = (axis: 0 | 1) =>
    Math.floor((shape[axis + 1]! + padding[axis][0] + padding[axis][1] - window[axis]) / strides[axis]) + 1;
  const pooled = [batch, extent(0), extent(1), channels] as const;
  const windows: number[][] = [];
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < pooled[1]; p++)
      for (let q = 0; q < pooled[2]; q++)
        for (let c = 0; c < channels; c++) {
          const places: number[] = [];
          for (let i = 0; i < window[0]; i++)
            for (let j = 0; j < window[1]; j++) {
              const [row, column] = [p * strides[0] + i - padding[0][0], q * strides[1] + j - padding[1][0]];
              if (row < 0 || column < 0 || row >= height || column >= width) continue;
              places.push(((n * height + row) * width + column) * channels + c);
            }
          windows.push(places);
        }
  expect(x.shape).toEqual(shape);
  return { pooled, windows };
}

describe.each(geometries)('a pool $name', (geometry) => {
  const attrs = attrsOf(geometry);
  const x = uniform(geometry.x, 7);
  const { pooled, windows } = windowsOf(x, geometry);

  it('takes the maximum of each window', () => {
    const wanted = windows.map((places) => Math.max(...places.map((place) => x.data[place]!)));
    expectClose(apply('max_pool', [x], { attrs }), exact(pooled, wanted), 0);
  });

  it('takes the mean of what lies inside the picture', () => {
    const mean = (places: readonly number[]) =>
      places.reduce((sum, place) => sum + x.data[place]!, 0) / places.length;
    expectClose(apply('avg_pool', [x], { attrs }), exact(pooled, windows.map(mean)), 1e-15);
  });

  it('sends each element back to the place that won', () => {
    const r = uniform(pooled, 8);
    const wanted = new Float64Array(x.data.length);
    for (const [index, places] of windows.entries()) {
      const winner = places.reduce((best, place) => (x.data[place]! > x.data[best]! ? place : best));
      wanted[winner]! += r.data[index]!;
    }
    const back = apply('max_unpool', [x, r], { attrs });
    expectClose(back, exact(geometry.x, wanted), 1e-15);
    expect(dot(x, back)).toBeCloseTo(dot(apply('max_pool', [x], { attrs }), r), 12);
  });
});

describe('pooling', () => {
  const twoByTwo = {
    window: [2, 2],
    strides: [2, 2],
    padding: [
      [0, 0],
      [0, 0],
    ],
  };

  it('lets the first of equal maxima win, by row and then by column', () => {
    const unpooled = (x: readonly number[]) =>
      apply('max_unpool', [exact([1, 2, 2, 1], x), exact([1, 1, 1, 1], [5])], { attrs: twoByTwo });
    expectValues(unpooled([1, 1, 1, 1]), [1, 2, 2, 1], [5, 0, 0, 0]);
    expectValues(unpooled([0, 3, 3, 3]), [1, 2, 2, 1], [0, 5, 0, 0]);
    expectValues(unpooled([0, 2, 3, 3]), [1, 2, 2, 1], [0, 0, 5, 0]);
  });

  it('lets a negative maximum win over padding', () => {
    const attrs = { window: [2], strides: [1], padding: [[1, 1]] };
    expectValues(apply('max_pool', [exact([1, 2, 1], [-3, -5])], { attrs }), [1, 3, 1], [-3, -3, -5]);
    expectValues(apply('avg_pool', [exact([1, 2, 1], [-3, -5])], { attrs }), [1, 3, 1], [-3, -4, -5]);
  });

  it('in single precision sums in index order', () => {
    const attrs = { window: [3], strides: [3], padding: [[0, 0]] };
    const x = single([1, 3, 1], [2 ** 24, 1, -(2 ** 24)]);
    expectValues(apply('avg_pool', [x], { attrs, precision: 'f32' }), [1, 1, 1], [0]);
    expectValues(apply('avg_pool', [x], { attrs }), [1, 1, 1], [1 / 3]);
  });

  it.each([
    ['before', [[2, 0]], 'axis 1: a window of 2 would lie in the padding alone'],
    ['behind', [[0, 3]], 'axis 1: a window of 2 would lie in the padding alone'],
  ])('refuses a window that lies in the padding %s the picture', (_, padding, message) => {
    for (const op of ['max_pool', 'avg_pool']) {
      const attrs = { window: [2], strides: [1], padding };
      const error = failure(() => apply(op, [exact([1, 3, 1], [1, 2, 3])], { attrs }));
      expect([error.code, error.detail]).toEqual(['RELC1004', `%z = ${op}: ${message}`]);
    }
  });
});
