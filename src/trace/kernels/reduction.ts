// Kernels that reduce: sums, means, maxima, softmax, pools, and resizing.
import * as tf from '@tensorflow/tfjs';
import { OpProblem } from '../../ir/dialect.js';
import type { Attrs, Name } from '../../ir/graph.js';
import { type Window, windowAttrs } from '../../ir/ops/window.js';
import type { Dtype } from '../../ir/type.js';
import type { Recorder } from '../recorder.js';
import { windowFrom } from './contraction.js';
import { axesOf, type KernelCall, need, numberAttr, numbersAttr, type TranslationTable } from './kernel.js';

/** Whole numbers are reduced as f32, exactly up to 2²⁴. */
function cast(r: Recorder, x: Name, dtype: Dtype): Name {
  return r.typeOf(x).dtype === dtype ? x : r.add('cast', [x], {}, { dtype, shape: r.shapeOf(x) });
}

/** A reduction whose axes tfjs states under `key`; kept axes come back as extents of 1. */
function reduction(op: string, key: string) {
  return (call: KernelCall): Name => {
    const { r } = call;
    const x = need(call, 'x');
    const shape = r.shapeOf(x);
    const axes = axesOf(call.attrs[key], shape.length);
    const { dtype } = r.typeOf(x);
    const total = axes.length === 0 ? x : r.add(op, [cast(r, x, 'f32')], { axes });
    const reduced = cast(r, total, op === 'mean' ? 'f32' : dtype);
    if (call.attrs.keepDims !== true) return reduced;
    return r.k.reshape(
      reduced,
      shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)),
    );
  };
}

/** min x = −max(−x) */
function minimum(call: KernelCall): Name {
  const { r } = call;
  const negated = r.add('neg', [need(call, 'x')]);
  const inputs = { ...call.inputs, x: { name: negated, type: r.typeOf(negated) } };
  return r.add('neg', [reduction('reduce_max', 'axis')({ ...call, inputs })]);
}

function pool(op: string) {
  return (call: KernelCall): Name => {
    const { r } = call;
    const x = need(call, 'x');
    const size = numbersAttr(call, 'filterSize', 2) as [number, number];
    const info = tf.backend_util.computePool2DInfo(
      r.shapeOf(x) as [number, number, number, number],
      size,
      numbersAttr(call, 'strides', 2) as [number, number],
      1,
      call.attrs.pad as 'valid',
      call.attrs.dimRoundingMode as 'floor' | undefined,
    );
    const window = windowFrom(info, size);
    checkLast(window, [info.inHeight, info.inWidth], [info.outHeight, info.outWidth]);
    return r.add(op, [x], { window: size, ...windowAttrs(window) });
  };
}

/** Rounding up may put the last window beyond the picture, where there is nothing to pool. */
function checkLast(
  { strides, padding }: Window,
  extents: readonly number[],
  outputs: readonly number[],
): void {
  const starts = outputs.map((count, axis) => (count - 1) * strides[axis]! - padding[axis]![0]);
  if (starts.some((start, axis) => start >= extents[axis]!)) {
    throw new OpProblem('RELC2001', 'the last window of the pool holds no element of the picture');
  }
}

function resize(mode: 'bilinear' | 'nearest') {
  return (call: KernelCall): Name => {
    const { r } = call;
    const images = need(call, 'images');
    const [n, h, w, c] = r.shapeOf(images) as [number, number, number, number];
    const [height, width] = call.attrs.size as [number, number];
    if (height === h && width === w) return images;
    const attrs: Attrs = {
      mode,
      ...(call.attrs.alignCorners ? { align_corners: true } : {}),
      ...(call.attrs.halfPixelCenters ? { half_pixel: true } : {}),
    };
    return r.add('resize', [images], attrs, { dtype: 'f32', shape: [n, height, width, c] });
  };
}

export const reductions: TranslationTable = {
  Sum: reduction('sum', 'axis'),
  Mean: reduction('mean', 'axis'),
  Max: reduction('reduce_max', 'reductionIndices'),
  Min: minimum,
  ArgMax(call) {
    const x = need(call, 'x');
    return call.r.add('argmax', [x], {
      axis: axesOf(numberAttr(call, 'axis', 0), call.r.shapeOf(x).length)[0]!,
    });
  },
  Softmax(call) {
    const logits = need(call, 'logits');
    const rank = call.r.shapeOf(logits).length;
    return call.r.add('softmax', [logits], { axis: axesOf(numberAttr(call, 'dim', -1), rank)[0]! });
  },
  LogSoftmax(call) {
    const logits = need(call, 'logits');
    const rank = call.r.shapeOf(logits).length;
    return call.r.add('log_softmax', [logits], { axis: axesOf(numberAttr(call, 'axis', -1), rank)[0]! });
  },
  MaxPool: pool('max_pool'),
  AvgPool: pool('avg_pool'),
  ResizeBilinear: resize('bilinear'),
  ResizeNearestNeighbor: resize('nearest'),
};
