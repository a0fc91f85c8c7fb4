// The weights as files: their names and shapes as JSON, their numbers one after another.

import { readFile, writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';

/**
 * The weights of a folder, by name.
 * @param {URL} folder
 * @returns {Promise<Record<string, tf.Tensor>>}
 */
export async function readWeights(folder) {
  const specs = JSON.parse(await readFile(new URL('weights.json', folder), 'utf8'));
  const bytes = new Uint8Array(await readFile(new URL('weights.bin', folder)));
  return tf.io.decodeWeights(bytes.buffer, specs);
}

/**
 * @param {URL} folder
 * @param {Record<string, tf.Tensor>} weights
 */
export async function writeWeights(folder, weights) {
  const { data, specs } = await tf.io.encodeWeights(weights);
  await writeFile(new URL('weights.json', folder), `${JSON.stringify(specs)}\n`);
  await writeFile(new URL('weights.bin', folder), new Uint8Array(data));
}
