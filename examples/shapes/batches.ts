// Batches of freshly drawn pictures as tensors.

import * as tf from '@tensorflow/tfjs';
import { drawPicture, labels, type Picture } from './draw.js';

/** A pixel p of 0..255 enters the network as p * scale[0] + scale[1], which lies in -1..1. */
export const scale: readonly [factor: number, offset: number] = [2 / 255, -1];

export interface Batch {
  inputs: tf.Tensor4D;
  targets: tf.Tensor2D;
}

/** The pictures of `count` seeds, from `firstSeed` on. */
export function drawBatch(firstSeed: number, count: number, clutter = 1): Batch {
  const pictures = Array.from({ length: count }, (_, index) => drawPicture(firstSeed + index, clutter));
  const targets = tf.tidy(() => {
    const indices = tf.tensor1d(
      pictures.map((picture) => picture.label),
      'int32',
    );
    return tf.oneHot(indices, labels.length).toFloat() as tf.Tensor2D;
  });
  return { inputs: toInputs(pictures), targets };
}

export function toInputs(pictures: readonly Picture[]): tf.Tensor4D {
  const size = 64 * 64 * 3;
  const [factor, offset] = scale;
  const values = new Float32Array(pictures.length * size);
  pictures.forEach(({ pixels }, index) => {
    for (let place = 0; place < size; place++)
      values[index * size + place] = pixels[place]! * factor + offset;
  });
  return tf.tensor4d(values, [pictures.length, 64, 64, 3]);
}

/** The share of the pictures of `count` seeds, from `firstSeed` on, whose own class `scoresOf` scores highest. */
export function accuracyOf(
  scoresOf: (inputs: tf.Tensor4D) => tf.Tensor,
  firstSeed: number,
  count: number,
): number {
  let hits = 0;
  for (let start = 0; start < count; start += 64) {
    hits += tf.tidy(() => {
      const { inputs, targets } = drawBatch(firstSeed + start, Math.min(64, count - start));
      return scoresOf(inputs).argMax(-1).equal(targets.argMax(-1)).sum().dataSync()[0]!;
    });
  }
  return hits / count;
}
