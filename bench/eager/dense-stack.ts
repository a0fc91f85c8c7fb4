// Epsilon on the stack of dense layers with tfjs: as one would naturally write it, and with every care.
import * as tf from '@tensorflow/tfjs';
import { type StackParams, tokens } from '../networks/dense-stack.js';
import { backFromTarget, carefullyStabilised, type Prepared } from './careful-vgg.js';
import { epsilonDense, stabilised } from './natural-vgg.js';
import { seedOf } from './steps.js';

const flat = (x: tf.Tensor) => tf.reshape(x, [-1, x.shape.at(-1)!]) as tf.Tensor2D;

/** R at the tokens from R at their mean. */
function backFromMean(h: tf.Tensor, quotient: tf.Tensor): tf.Tensor {
  return tf.mul(h, tf.div(quotient, tokens));
}

/** R at the input, each rule as its formula reads. */
export function naturalStack({ layers, head }: StackParams, input: tf.Tensor): tf.Tensor {
  const activations: tf.Tensor2D[] = [flat(input)];
  for (const [index, { w, b }] of layers.entries()) {
    const z = tf.add(tf.matMul(activations.at(-1)!, w), b) as tf.Tensor2D;
    activations.push(index === layers.length - 1 ? z : tf.relu(z));
  }
  const h = activations.at(-1)!;
  const mean = tf.mean(h, 0, true) as tf.Tensor2D;
  const scores = tf.add(tf.matMul(mean, head.w), head.b);
  const atMean = epsilonDense(mean, head.w, head.b, seedOf(scores));
  let r = backFromMean(h, tf.div(atMean, stabilised(mean)));
  for (let index = layers.length - 1; index >= 0; index--) {
    r = epsilonDense(activations[index]!, layers[index]!.w, layers[index]!.b, r);
  }
  return tf.reshape(r, input.shape);
}

/**
 * The values that the rules need are kept from the forward pass; r is freed layer by layer. A bias is added apart:
 * fused, it costs as much and rounds z otherwise, which quotients by a z near 0 magnify.
 */
function carefulRelevance(
  { layers, head }: StackParams,
  transposed: readonly tf.Tensor2D[],
  input: tf.Tensor,
): tf.Tensor {
  const kept: { readonly x: tf.Tensor2D; readonly z: tf.Tensor2D }[] = [];
  let x = flat(input);
  for (const [index, { w, b }] of layers.entries()) {
    const z = tf.add(tf.matMul(x, w), b) as tf.Tensor2D;
    kept.push({ x, z });
    x = index === layers.length - 1 ? z : tf.relu(z);
  }
  const mean = tf.mean(x, 0, true) as tf.Tensor2D;
  const scores = tf.add(tf.matMul(mean, head.w), head.b);
  const atMean = backFromTarget(mean, scores, transposed.at(-1)!);
  let r = backFromMean(x, tf.div(atMean, carefullyStabilised(mean)));
  for (let index = layers.length - 1; index >= 0; index--) {
    const arrived = r;
    const { x: read, z } = kept[index]!;
    r = tf.tidy(() => {
      const s = tf.div(arrived, carefullyStabilised(z)) as tf.Tensor2D;
      return tf.mul(read, tf.matMul(s, transposed[index]!));
    });
    arrived.dispose();
  }
  return tf.reshape(r, input.shape);
}

/** The weights are transposed once, here. */
export function carefulStack(params: StackParams): Prepared {
  const transposed = [...params.layers, params.head].map(({ w }) => tf.transpose(w));
  return {
    relevance: (input) => carefulRelevance(params, transposed, input),
    dispose: () => tf.dispose(transposed),
  };
}
