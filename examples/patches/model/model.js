// The trained transformer: a function on pictures and weights, the weights, and the shape of a picture.

import { readWeights } from '../files.js';
import { logits, sizes } from '../network.js';
import * as tf from '@tensorflow/tfjs';

export const input = [1, sizes.side, sizes.side, sizes.channels];
export const params = await readWeights(new URL('.', import.meta.url));

/**
 * The probability of each class [N,5] for pictures [N,64,64,3] in −1..1.
 * @param {tf.Tensor4D} pixels
 * @param {Readonly<Record<string, tf.Tensor>>} weights
 */
export default function classify(pixels, weights) {
  return tf.softmax(logits(pixels, weights));
}
