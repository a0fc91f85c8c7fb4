// Epsilon-plus on VGG16 as one would naturally write it with tfjs: layer by layer, each rule as its formula reads.
import * as tf from '@tensorflow/tfjs';
import { epsilon, type Step, seedOf } from './steps.js';

/** z + ε·sign(z), with sign(0) = 1. */
export function stabilised(z: tf.Tensor): tf.Tensor {
  return tf.where(tf.greaterEqual(z, 0), tf.add(z, epsilon), tf.sub(z, epsilon));
}

function forward(step: Step, x: tf.Tensor): tf.Tensor {
  switch (step.kind) {
    case 'conv':
      return tf.relu(tf.add(tf.conv2d(x as tf.Tensor4D, step.w, 1, 'same'), step.b));
    case 'dense': {
      const z = tf.add(tf.matMul(x as tf.Tensor2D, step.w), step.b);
      return step.relu ? tf.relu(z) : z;
    }
    case 'pool':
      return tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid');
    case 'flatten':
      return tf.reshape(x, [x.shape[0]!, -1]);
  }
}

function transposed(s: tf.Tensor, w: tf.Tensor4D, x: tf.Tensor): tf.Tensor {
  return tf.conv2dTranspose(s as tf.Tensor4D, w, x.shape as tf.Tensor4D['shape'], 1, 'same');
}

/** z⁺ where x ≥ 0: after every relu. */
function plusOfRectified(x: tf.Tensor, w: tf.Tensor4D, b: tf.Tensor1D, r: tf.Tensor): tf.Tensor {
  const plus = tf.relu(w);
  const z = tf.add(tf.conv2d(x as tf.Tensor4D, plus, 1, 'same'), tf.relu(b));
  return tf.mul(x, transposed(tf.div(r, stabilised(z)), plus, x));
}

/** z⁺ where x has both signs: at the first layer. */
function plus(x: tf.Tensor, w: tf.Tensor4D, b: tf.Tensor1D, r: tf.Tensor): tf.Tensor {
  const [xPlus, xMinus] = [tf.relu(x), tf.minimum(x, 0)] as [tf.Tensor4D, tf.Tensor4D];
  const [wPlus, wMinus] = [tf.relu(w), tf.minimum(w, 0)] as [tf.Tensor4D, tf.Tensor4D];
  const z = tf.addN([
    tf.conv2d(xPlus, wPlus, 1, 'same'),
    tf.add(tf.conv2d(xMinus, wMinus, 1, 'same'), tf.relu(b)),
  ]);
  const s = tf.div(r, stabilised(z));
  return tf.add(tf.mul(xPlus, transposed(s, wPlus, xPlus)), tf.mul(xMinus, transposed(s, wMinus, xMinus)));
}

export function epsilonDense(x: tf.Tensor, w: tf.Tensor2D, b: tf.Tensor1D, r: tf.Tensor): tf.Tensor {
  const z = tf.add(tf.matMul(x as tf.Tensor2D, w), b);
  const s = tf.div(r, stabilised(z)) as tf.Tensor2D;
  return tf.mul(x, tf.matMul(s, w, false, true));
}

function back(step: Step, x: tf.Tensor, r: tf.Tensor, first: boolean): tf.Tensor {
  switch (step.kind) {
    case 'conv':
      return (first ? plus : plusOfRectified)(x, step.w, step.b, r);
    case 'dense':
      return epsilonDense(x, step.w, step.b, r);
    case 'pool':
      return tf.grad((value) => tf.maxPool(value as tf.Tensor4D, 2, 2, 'valid'))(x, r);
    case 'flatten':
      return tf.reshape(r, x.shape);
  }
}

/** R at the input. */
export function naturalVgg(steps: readonly Step[], input: tf.Tensor): tf.Tensor {
  const activations = [input];
  for (const step of steps) activations.push(forward(step, activations.at(-1)!));
  let r = seedOf(activations.at(-1)!);
  for (let index = steps.length - 1; index >= 0; index--) {
    r = back(steps[index]!, activations[index]!, r, index === 0);
  }
  return r;
}
