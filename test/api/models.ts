// Models of every kind that compile takes, small and seeded.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type { ModelFunction } from '../../src/trace/function.js';
import { seededWeights } from '../codegen/nets.js';

/** relu(x·w1 + b1)·w2 + b2, then a softmax: four inputs, three classes. */
export function denseParams() {
  return {
    fc1: { kernel: seededWeights<tf.Tensor2D>(1, [4, 6]), bias: seededWeights<tf.Tensor1D>(2, [6]) },
    fc2: { kernel: seededWeights<tf.Tensor2D>(3, [6, 3]), bias: seededWeights<tf.Tensor1D>(4, [3]) },
  };
}

type DenseParams = ReturnType<typeof denseParams>;

export const denseNet = ((x: tf.Tensor2D, { fc1, fc2 }: DenseParams) => {
  const h = tf.relu(tf.add(tf.matMul(x, fc1.kernel), fc1.bias)) as tf.Tensor2D;
  return tf.softmax(tf.add(tf.matMul(h, fc2.kernel), fc2.bias));
}) as ModelFunction;

/** The same as a layers model. */
export function denseLayers(): tf.LayersModel {
  const layers = [
    tf.layers.dense({ name: 'fc1', inputShape: [4], units: 6, activation: 'relu' }),
    tf.layers.dense({ name: 'fc2', units: 3, activation: 'softmax' }),
  ];
  const model = tf.sequential({ name: 'dense', layers });
  const { fc1, fc2 } = denseParams();
  model.setWeights([fc1.kernel, fc1.bias, fc2.kernel, fc2.bias]);
  tf.dispose([fc1, fc2]);
  return model;
}

export const scratch = (name: string) => mkdtempSync(join(tmpdir(), `relc-${name}-`));

/** Saves a layers model as the converter does; returns the path of its model.json. */
export async function saveLayers(model: tf.LayersModel, folder: string): Promise<string> {
  const path = join(folder, 'model.json');
  await model.save(
    tf.io.withSaveHandler(async ({ weightData, weightSpecs, ...rest }) => {
      const parts = [weightData!].flat().map((part) => Buffer.from(part));
      writeFileSync(join(folder, 'weights.bin'), Buffer.concat(parts));
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      writeFileSync(path, JSON.stringify({ ...rest, weightsManifest }));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  return path;
}
