// Gradients that the wasm backend of TensorFlow.js lacks or is slow at: of embeddings and of layer normalization.

import * as tf from '@tensorflow/tfjs';

/**
 * Adds the gradient of an embedding. With s the place in the table that each row n is of:
 *   d table[v, c] = sum over n of [s[n] = v] gradient[n, c],
 * a product of the transposed one-hot of s with the gradient. The table of an embedding is read by rows, s has one axis.
 */
export function registerEmbeddingGradient(): void {
  tf.registerKernel({
    kernelName: 'UnsortedSegmentSum',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => {
      const rows = inputs.x as tf.Tensor2D | undefined;
      const places = inputs.segmentIds as tf.Tensor1D | undefined;
      if (rows?.shape.length !== 2 || places?.shape.length !== 1) {
        throw new Error('embedding gradient: expected rows [n, c] and places [n]');
      }
      const count = attrs?.numSegments as number;
      return tf.tidy(() => tf.matMul(tf.transpose(tf.oneHot(places, count).toFloat()), rows));
    },
  });
}

/**
 * Replaces the tiling that repeats the moments and the scale of a layer normalization to the size of the batch, and its
 * gradient, which cuts a slice for each repetition. Only axes of size 1 are repeated, the first ones or the last:
 *   tiled[r, c] = x[r] · 1[c] or 1[r] · x[c]        d x = the sum of the gradient over the repeated axes.
 */
export function registerTiling(): void {
  tf.unregisterKernel('Tile', 'wasm');
  tf.registerKernel({
    kernelName: 'Tile',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => tiled(inputs.x as tf.Tensor, attrs?.reps as number[]),
  });
  tf.unregisterGradient('Tile');
  tf.registerGradient({
    kernelName: 'Tile',
    inputsToSave: ['x'],
    gradFunc: (outputGradient, [x], attributes) => {
      const repeated = repeatedAxes(x!, attributes.reps as number[]);
      return { x: () => tf.sum(outputGradient as tf.Tensor, repeated, true) };
    },
  });
}

function tiled(x: tf.Tensor, repetitions: readonly number[]): tf.Tensor {
  const shape = x.shape.map((size, axis) => size * repetitions[axis]!);
  const count = repetitions.reduce((product, repetition) => product * repetition, 1);
  const last = repeatedAxes(x, repetitions).at(-1) === x.rank - 1;
  return tf.tidy(() => {
    const product = last
      ? tf.matMul(x.reshape([-1, 1]), tf.ones([1, count]))
      : tf.matMul(tf.ones([count, 1]), x.reshape([1, -1]));
    return product.reshape(shape);
  });
}

/** @throws Error where an axis is repeated that is not of size 1, or axes that neither begin nor end the shape */
function repeatedAxes(x: tf.Tensor, repetitions: readonly number[]): number[] {
  const repeated = [...repetitions.keys()].filter((axis) => repetitions[axis] !== 1);
  const kept = [...x.shape.keys()].filter((axis) => x.shape[axis] !== 1);
  const apart = Math.max(...repeated) < Math.min(...kept) || Math.max(...kept) < Math.min(...repeated);
  if (!apart)
    throw new Error(`tiling: shape [${x.shape}] is not repeated [${repetitions}] times in products`);
  return repeated;
}
