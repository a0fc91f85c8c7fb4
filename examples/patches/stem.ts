// The stem of the transformer: the first convolutions of the trained network of examples/shapes.

import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { folderLoader } from '../shapes/files.js';
import { sizes } from './network.js';

const shapesModel = fileURLToPath(new URL('../shapes/model', import.meta.url));

/** The epsilon of a tfjs batch normalization that is given none. */
const epsilon = 1e-3;

/**
 * Kernels and biases, batch normalization folded in: with f = scale / √(variance + ε),
 *   (conv(x, kernel) − mean) f + offset = conv(x, kernel f) + (offset − mean f).
 */
export async function loadStem(): Promise<Record<string, tf.Tensor>> {
  const network = await tf.loadLayersModel(folderLoader(shapesModel));
  const numbers = sizes.stem.map((_, index) => index + 1);
  const entries = numbers.flatMap((number) => {
    const [kernel] = network.getLayer(`conv${number}`).getWeights() as [tf.Tensor];
    const [scale, offset, mean, variance] = network.getLayer(`norm${number}`).getWeights() as Normalization;
    const factor = tf.div(scale, tf.sqrt(tf.add(variance, epsilon)));
    return [
      [`stem${number}/kernel`, tf.mul(kernel, factor)],
      [`stem${number}/bias`, tf.sub(offset, tf.mul(mean, factor))],
    ] as const;
  });
  network.dispose();
  return Object.fromEntries(entries);
}

type Normalization = [scale: tf.Tensor, offset: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor];
