// The look of an emitted module: one small one, kept in full so that every change of it is seen.
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { seedParameters } from '../../src/api/emit.js';
import { emitTypeScript } from '../../src/codegen/typescript/emit.js';
import { planOf, useBackend } from './support.js';

it('a layers model of one convolution and one dense layer, by epsilon-plus', async () => {
  await useBackend('cpu');
  const model = tf.sequential({
    name: 'small',
    layers: [
      tf.layers.conv2d({
        name: 'stem',
        inputShape: [8, 8, 1],
        filters: 4,
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        activation: 'relu',
      }),
      tf.layers.maxPooling2d({ name: 'pool', poolSize: 2 }),
      tf.layers.flatten({ name: 'flatten' }),
      tf.layers.dense({ name: 'head', units: 3, activation: 'softmax' }),
    ],
  });
  const explainer = await compile(model, { rules: 'epsilon-plus' });
  model.dispose();
  const files = await emitTypeScript(planOf(explainer.compiled.program), {
    title: 'Relevance of @small by epsilon-plus.',
    details: explainer.notes,
    parameters: seedParameters,
  });
  await expect(files['explainer.ts']).toMatchFileSnapshot('snapshots/small-explainer.txt');
});
