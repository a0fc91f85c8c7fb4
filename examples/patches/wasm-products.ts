// Kernels of the wasm backend of TensorFlow.js, replaced by compositions of others at which it is fast.

import * as tf from '@tensorflow/tfjs';

/** A plain product of two matrices is ten times as fast as one that transposes a factor: transposes it beforehand. */
export function registerProducts(): void {
  wrapKernel('BatchMatMul', (plain, parameters) => {
    const { a, b } = parameters.inputs as { a: tf.Tensor; b: tf.Tensor };
    const { transposeA, transposeB } = parameters.attrs as { transposeA: boolean; transposeB: boolean };
    const isMatrix = (factor: tf.Tensor) => factor.shape.slice(0, -2).every((size) => size === 1);
    if (!isMatrix(a) || !isMatrix(b) || !(transposeA || transposeB)) return plain(parameters);
    return tf.tidy(() => {
      const inputs = { a: transposeA ? exchanged(a) : a, b: transposeB ? exchanged(b) : b };
      const attrs = { transposeA: false, transposeB: false };
      return plain({ ...parameters, inputs, attrs }) as tf.Tensor;
    });
  });
}

/** Its last two axes, exchanged. */
function exchanged(factor: tf.Tensor): tf.Tensor {
  const last = factor.rank - 1;
  return tf.transpose(factor, [...factor.shape.keys()].slice(0, -2).concat(last, last - 1));
}

/** tanh(x) = 2 σ(2x) − 1, for the backend has a vectorized logistic function. */
export function registerTanh(): void {
  wrapKernel('Tanh', (_, { inputs }) =>
    tf.tidy(() => tf.sub(tf.mul(tf.sigmoid(tf.mul(inputs.x as tf.Tensor, 2)), 2), 1)),
  );
}

function wrapKernel(
  kernelName: string,
  wrapped: (
    plain: tf.KernelFunc,
    parameters: Parameters<tf.KernelFunc>[0],
  ) => tf.TensorInfo | tf.TensorInfo[],
): void {
  const kernel = tf.getKernel(kernelName, 'wasm');
  tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({ ...kernel, kernelFunc: (parameters) => wrapped(kernel.kernelFunc, parameters) });
}
