// Convolutions and pools: the traced graph computes what tfjs computes, whatever the window.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodesWithOp } from '../../../src/ir/graph.js';
import { traceFunction } from '../../../src/trace/function.js';
import type { InputShape } from '../../../src/trace/trace.js';
import { expectTraced, refusal, startTensorflow } from '../support.js';

beforeAll(startTensorflow);

const picture: InputShape = [null, 7, 6, 3];

interface Convolution {
  readonly name: string;
  readonly w: readonly number[];
  readonly x?: InputShape;
  run(x: tf.Tensor4D, w: tf.Tensor4D): tf.Tensor;
}

const convolutions: readonly Convolution[] = [
  { name: 'valid', w: [3, 3, 3, 4], run: (x, w) => tf.conv2d(x, w, 1, 'valid') },
  { name: 'same', w: [3, 2, 3, 4], run: (x, w) => tf.conv2d(x, w, 1, 'same') },
  { name: 'same, stride 2', w: [3, 3, 3, 4], run: (x, w) => tf.conv2d(x, w, 2, 'same') },
  { name: 'strides of two kinds', w: [2, 3, 3, 2], run: (x, w) => tf.conv2d(x, w, [3, 1], 'same') },
  { name: 'padding in numbers', w: [3, 3, 3, 4], run: (x, w) => tf.conv2d(x, w, 2, 1, 'NHWC', 1, 'floor') },
  {
    name: 'explicit padding',
    w: [3, 3, 3, 4],
    run: (x, w) =>
      tf.conv2d(x, w, 1, [
        [0, 0],
        [2, 0],
        [1, 3],
        [0, 0],
      ]),
  },
  { name: 'dilated', w: [3, 2, 3, 4], run: (x, w) => tf.conv2d(x, w, 1, 'same', 'NHWC', [2, 3]) },
  {
    name: 'rounded up',
    w: [2, 2, 3, 2],
    run: (x, w) => tf.conv2d(x, w, [2, 3], 0, 'NHWC', 1, 'ceil'),
  },
  {
    name: 'rounded to the nearest',
    w: [2, 3, 3, 2],
    run: (x, w) => tf.conv2d(x, w, [2, 2], 1, 'NHWC', 1, 'round'),
  },
  { name: '1 by 1', w: [1, 1, 3, 5], run: (x, w) => tf.conv2d(x, w, 1, 'same') },
  { name: 'depthwise', w: [3, 3, 3, 1], run: (x, w) => tf.depthwiseConv2d(x, w, 1, 'same') },
  { name: 'depthwise, multiplied', w: [3, 3, 3, 2], run: (x, w) => tf.depthwiseConv2d(x, w, 2, 'valid') },
  {
    name: 'depthwise, dilated',
    w: [3, 3, 3, 2],
    run: (x, w) => tf.depthwiseConv2d(x, w, 1, 'same', 'NHWC', 2),
  },
  {
    name: 'depthwise of one channel',
    x: [null, 5, 5, 1],
    w: [3, 3, 1, 2],
    run: (x, w) => tf.depthwiseConv2d(x, w, 1, 2),
  },
  {
    name: 'transposed, same',
    w: [3, 3, 4, 3],
    run: (x, w) => tf.conv2dTranspose(x, w, [x.shape[0], 14, 12, 4], 2, 'same'),
  },
  {
    name: 'transposed, valid',
    w: [3, 2, 2, 3],
    run: (x, w) => tf.conv2dTranspose(x, w, [x.shape[0], 9, 7, 2], 1, 'valid'),
  },
  {
    name: 'transposed, padding in numbers',
    w: [3, 3, 2, 3],
    run: (x, w) => tf.conv2dTranspose(x, w, [x.shape[0], 14, 12, 2], 2, 1, 'floor'),
  },
];

describe('a convolution', () => {
  it.each(convolutions)('$name', ({ run, x = picture, w }) => {
    expectTraced((input: tf.Tensor4D, { kernel }: { kernel: tf.Tensor4D }) => run(input, kernel), {
      input: x,
      weights: { kernel: w },
    });
  });

  it('separable', () => {
    const model = (x: tf.Tensor4D, p: { deep: tf.Tensor4D; wide: tf.Tensor4D }) =>
      tf.separableConv2d(x, p.deep, p.wide, 1, 'same');
    const weights = { deep: [3, 3, 3, 2], wide: [1, 1, 6, 4] };
    const { graph } = expectTraced(model, { input: picture, weights });
    expect(nodesWithOp(graph, 'conv').map((node) => node.attrs.groups ?? 1)).toEqual([3, 1]);
  });

  it('one-dimensional', () => {
    const model = (x: tf.Tensor3D, p: { w: tf.Tensor3D }) => tf.conv1d(x, p.w, 2, 'same');
    expectTraced(model, { input: [null, 9, 3], weights: { w: [3, 3, 4] } });
  });
});

const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const;

describe('a fused convolution', () => {
  it.each(activations)('with bias and %s', (activation) => {
    const model = (x: tf.Tensor4D, p: { w: tf.Tensor4D; b: tf.Tensor1D; slopes: tf.Tensor4D }) =>
      tf.fused.conv2d({
        x,
        filter: p.w,
        strides: 1,
        pad: 'same',
        bias: p.b,
        activation,
        leakyreluAlpha: 0.3,
        ...(activation === 'prelu' ? { preluActivationWeights: p.slopes } : {}),
      });
    const weights = { w: [3, 3, 3, 4], b: [4], slopes: [1, 1, 4] };
    const { graph } = expectTraced(model, { input: picture, weights });
    expect(nodesWithOp(graph, 'conv')[0]!.args[2]).toBe('b');
  });

  it('depthwise, with bias and activation', () => {
    const model = (x: tf.Tensor4D, p: { w: tf.Tensor4D; b: tf.Tensor1D }) =>
      tf.fused.depthwiseConv2d({
        x,
        filter: p.w,
        strides: 2,
        pad: 'same',
        bias: p.b,
        activation: 'relu6',
      });
    expectTraced(model, { input: picture, weights: { w: [3, 3, 3, 2], b: [6] } });
  });
});

interface Pool {
  readonly name: string;
  run(x: tf.Tensor4D): tf.Tensor;
}

const pools: readonly Pool[] = [
  { name: 'max, valid', run: (x) => tf.maxPool(x, 2, 2, 'valid') },
  { name: 'max, same, overlapping', run: (x) => tf.maxPool(x, 3, 2, 'same') },
  { name: 'max, padding in numbers', run: (x) => tf.maxPool(x, 3, 2, 1) },
  { name: 'max, rounded up', run: (x) => tf.maxPool(x, 2, 2, 0, 'ceil') },
  { name: 'average, valid', run: (x) => tf.avgPool(x, 2, 2, 'valid') },
  { name: 'average, same, overlapping', run: (x) => tf.avgPool(x, 3, 2, 'same') },
  { name: 'average, padding in numbers', run: (x) => tf.avgPool(x, 3, 1, 1) },
  {
    name: 'average, explicit padding',
    run: (x) =>
      tf.avgPool(x, 3, 1, [
        [0, 0],
        [1, 0],
        [2, 1],
        [0, 0],
      ] as unknown as 'same'),
  },
  { name: 'average, rounded up', run: (x) => tf.avgPool(x, [2, 3], 2, 0, 'ceil') },
  { name: 'max, by tf.pool', run: (x) => tf.pool(x, 2, 'max', 'same', 1, 2) },
  { name: 'global, by mean', run: (x) => tf.mean(x, [1, 2]) },
  { name: 'global, by max, axes kept', run: (x) => tf.max(x, [1, 2], true) },
];

describe('a pool', () => {
  it.each(pools)('$name', ({ run }) => {
    expectTraced(run, { input: picture });
  });

  it('is refused where tfjs takes the height for the width: it would cut off the picture', () => {
    const model = (x: tf.Tensor4D) => tf.maxPool(x, [3, 2], [2, 1], 1);
    const { message } = refusal(() => traceFunction(model, { input: picture }), 'RELC2001');
    expect(message).toMatch(/^RELC2001: MaxPool \(at test.*: tfjs applies a padding in numbers/);
  });

  it('is refused where a window holds no element', () => {
    const model = (x: tf.Tensor4D) => tf.maxPool(x, 2, 3, 0, 'ceil');
    const { message } = refusal(() => traceFunction(model, { input: picture }), 'RELC2001');
    expect(message).toContain('holds no element of the picture');
  });
});
