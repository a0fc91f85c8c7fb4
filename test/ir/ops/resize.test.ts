// Resizing against values that TensorFlow gives and against tfjs, and its transpose as the adjoint.
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { Attrs } from '../../../src/ir/graph.js';
import { apply, counting, dot, exact, expectClose, f32, failure, single, uniform } from '../support.js';

const conventions: readonly { name: string; attrs: Attrs }[] = ['bilinear', 'nearest'].flatMap((mode) => [
  { name: mode, attrs: { mode } },
  { name: `${mode}, aligned corners`, attrs: { mode, align_corners: true } },
  { name: `${mode}, half-pixel centres`, attrs: { mode, half_pixel: true } },
]);

const sizes = [
  [2, 2, 4, 4],
  [3, 3, 4, 4],
  [4, 4, 3, 3],
  [5, 2, 2, 2],
  [2, 3, 5, 7],
  [6, 5, 1, 1],
  [1, 1, 3, 2],
  [4, 3, 4, 6],
] as const;

describe.each(conventions)('resize, $name', ({ attrs }) => {
  it.each(sizes)('of %i×%i to %i×%i is what tfjs computes', async (height, width, toHeight, toWidth) => {
    await tf.setBackend('cpu');
    const x = uniform([2, height, width, 3], 1);
    const resized = tf.tidy(() => {
      const images = tf.tensor4d(Float32Array.from(x.data), [2, height, width, 3]);
      const resize = attrs.mode === 'bilinear' ? tf.image.resizeBilinear : tf.image.resizeNearestNeighbor;
      return resize(
        images,
        [toHeight, toWidth],
        attrs.align_corners === true,
        attrs.half_pixel === true,
      ).dataSync();
    });
    const type = f32(2, toHeight, toWidth, 3);
    expectClose(apply('resize', [x], { attrs, type }), exact([2, toHeight, toWidth, 3], resized), 1e-6);
  });

  it.each(sizes)('of %i×%i to %i×%i has its transpose as adjoint', (height, width, toHeight, toWidth) => {
    const x = uniform([2, height, width, 2], 2);
    const y = uniform([2, toHeight, toWidth, 2], 3);
    const z = apply('resize', [x], { attrs, type: f32(2, toHeight, toWidth, 2) });
    const back = apply('resize_transpose', [y], { attrs, type: f32(2, height, width, 2) });
    expect(dot(x, back)).toBeCloseTo(dot(z, y), 12);
  });
});

describe('resize gives the values of TensorFlow’s own tests', () => {
  const picture = (rows: number, columns: number) => {
    const zeroBased = counting([1, rows, columns, 1]);
    return { ...zeroBased, data: zeroBased.data.map((value) => value + 1) };
  };
  it.each([
    ['bilinear', {}, [2, 2], [3, 3], [1, 5 / 3, 2, 7 / 3, 3, 10 / 3, 3, 11 / 3, 4]],
    ['bilinear', { align_corners: true }, [2, 2], [3, 3], [1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4]],
    [
      'bilinear',
      { half_pixel: true },
      [2, 2],
      [4, 4],
      [1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4],
    ],
    ['nearest', {}, [4, 4], [3, 3], [1, 2, 3, 5, 6, 7, 9, 10, 11]],
    ['nearest', { align_corners: true }, [4, 4], [3, 3], [1, 3, 4, 9, 11, 12, 13, 15, 16]],
    ['nearest', { half_pixel: true }, [5, 2], [2, 2], [3, 4, 7, 8]],
  ])('%s %o from %o to %o', (mode, flags, [h, w], [toH, toW], values) => {
    const got = apply('resize', [picture(h!, w!)], {
      attrs: { mode, ...flags },
      type: f32(1, toH!, toW!, 1),
    });
    expectClose(got, exact([1, toH!, toW!, 1], values), 1e-15);
  });
});

describe('resize refuses', () => {
  it.each([
    [
      'an unknown mode',
      { mode: 'cubic' },
      f32(1, 4, 4, 1),
      'RELC1005',
      'mode is "cubic", expected "bilinear" or "nearest"',
    ],
    [
      'two conventions at once',
      { mode: 'nearest', align_corners: true, half_pixel: true },
      f32(1, 4, 4, 1),
      'RELC1005',
      'align_corners and half_pixel exclude each other',
    ],
    [
      'other channels',
      { mode: 'nearest' },
      f32(1, 4, 4, 2),
      'RELC1004',
      'f32[1,2,2,1] cannot be resized to f32[1,4,4,2]',
    ],
  ])('%s', (_, attrs, type, code, message) => {
    const error = failure(() => apply('resize', [single([1, 2, 2, 1], [1, 2, 3, 4])], { attrs, type }));
    expect([error.code, error.detail]).toEqual([code, `%z = resize: ${message}`]);
  });
});
