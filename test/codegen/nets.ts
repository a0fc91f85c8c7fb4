// Small nets that hold what conv nets are made of, as functions on tensors with seeded weights.
import * as tf from '@tensorflow/tfjs';
import { sizeOf } from '../../src/ir/tensor.js';
import type { ModelFunction, Params } from '../../src/trace/function.js';
import { sequence } from './support.js';

/** Seeded weights between −1 and 1 over the square root of the fan-in. */
export function seededWeights<Result extends tf.Tensor>(seed: number, shape: readonly number[]): Result {
  const random = sequence(seed);
  const scale = 1 / Math.sqrt(sizeOf(shape.slice(0, -1)));
  const values = Array.from({ length: sizeOf(shape) }, () => scale * (2 * random() - 1));
  return tf.tensor(values, [...shape]) as Result;
}

interface ConvParams {
  readonly stem: { readonly kernel: tf.Tensor4D; readonly bias: tf.Tensor1D };
  readonly depthwise: { readonly kernel: tf.Tensor4D; readonly scale: tf.Tensor1D };
  readonly point: { readonly kernel: tf.Tensor4D; readonly bias: tf.Tensor1D };
  readonly dense: { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor1D };
}

export function convParams(): ConvParams {
  return {
    stem: { kernel: seededWeights(1, [3, 3, 3, 6]), bias: seededWeights(2, [6]) },
    depthwise: { kernel: seededWeights(3, [3, 3, 6, 1]), scale: seededWeights(4, [6]) },
    point: { kernel: seededWeights(5, [1, 1, 6, 6]), bias: seededWeights(6, [6]) },
    dense: { kernel: seededWeights(7, [6 * 3 * 3, 5]), bias: seededWeights(8, [5]) },
  };
}

/** Stem with stride, a residual block of a depthwise and a pointwise convolution, max and average pool, dense, softmax. */
export function convNet(x: tf.Tensor4D, { stem, depthwise, point, dense }: ConvParams): tf.Tensor {
  const h = tf.relu(tf.add(tf.conv2d(x, stem.kernel, 2, 'same'), stem.bias));
  const pooled = tf.maxPool(h as tf.Tensor4D, 2, 1, 'valid');
  const spatial = tf.mul(tf.depthwiseConv2d(pooled, depthwise.kernel, 1, 'same'), depthwise.scale);
  const block = tf.add(tf.conv2d(tf.relu(spatial) as tf.Tensor4D, point.kernel, 1, 'same'), point.bias);
  const sum = tf.relu(tf.add(block, pooled)) as tf.Tensor4D;
  const flat = tf.reshape(tf.avgPool(sum, 3, 2, 1), [-1, 6 * 3 * 3]);
  return tf.softmax(tf.add(tf.matMul(flat, dense.kernel), dense.bias));
}

/** Fifty elementwise ops in a row. */
export function chain(x: tf.Tensor): tf.Tensor {
  let h = x;
  for (let i = 0; i < 25; i++) h = tf.tanh(tf.mul(h, 1.25));
  return h;
}

export interface Net {
  readonly model: ModelFunction;
  readonly input: readonly (number | null)[];
  readonly params: Params;
  dispose(): void;
}

export function smallConvNet(): Net {
  const params = convParams();
  return {
    model: convNet as ModelFunction,
    input: [null, 12, 12, 3],
    params: params as unknown as Params,
    dispose: () => tf.dispose(params as unknown as tf.TensorContainer),
  };
}
