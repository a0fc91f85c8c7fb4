// The range of the input: zB's bounds behind preprocessing in the model, and inputs that leave it.
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { compile, type Explainer, smoothGrad } from '../../src/index.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { seededWeights } from '../codegen/nets.js';
import { relativeError, useBackend } from '../codegen/support.js';

await useBackend('cpu');

type Params = Readonly<Record<'kernel' | 'dense' | 'mean', tf.Tensor>>;

const params = {
  kernel: seededWeights<tf.Tensor4D>(1, [3, 3, 3, 4]),
  dense: seededWeights<tf.Tensor2D>(2, [4 * 8 * 8, 3]),
  mean: tf.tensor1d([100, 120, 140]),
};

function network(x: tf.Tensor, { kernel, dense }: Params): tf.Tensor {
  const h = tf.relu(tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'same'));
  return tf.matMul(tf.reshape(h, [-1, 4 * 8 * 8]), dense as tf.Tensor2D);
}

/** The network on pixels: (x − mean) / 50, a mean for each channel. */
function onPixels(x: tf.Tensor, own: Params): tf.Tensor {
  return network(tf.div(tf.sub(x, own.mean), 50), own);
}

const centred = (value: number, channel: number) => (value - [100, 120, 140][channel % 3]!) / 50;
const pixels = Float32Array.from({ length: 8 * 8 * 3 }, (_, i) => (i * 97) % 256);

const boxed = (model: unknown, range: readonly [number | number[], number | number[]]): Promise<Explainer> =>
  compile(model as ModelFunction, { input: [1, 8, 8, 3], params, rules: 'epsilon-gamma-box', range });

describe('the range of the input', () => {
  it('is carried through the preprocessing that stands in the model to the layer that zB is used on', async () => {
    const inside = await boxed(onPixels, [0, 255]);
    const bounds = [0, 255].map((value) => [0, 1, 2].map((channel) => centred(value, channel)));
    const outside = await boxed(network, bounds as [number[], number[]]);
    const [got, wanted] = [
      await inside.explain(pixels),
      await outside.explain(pixels.map((value, i) => centred(value, i))),
    ];
    expect(relativeError(got.relevance.data, wanted.relevance.data)).toBeLessThan(1e-4);
    expect(inside.stages.get('relevance')!.print()).toMatch(/rule\.zBox\(%\S+, .*high=\[3\.1,2\.7,2\.3/);
    inside.dispose();
    outside.dispose();
  });

  it('RELC4002: an input that leaves it, by more than rounding, noise of a driver included', async () => {
    const explainer = await boxed(network, [0, 1]);
    const within = pixels.map((value) => value / 255);
    within[0] = 1.0005;
    await expect(explainer.explain(within)).resolves.toBeDefined();
    within[5] = 1.5;
    await expect(explainer.explain(within)).rejects.toThrow(
      /RELC4002: input x holds 1\.5 at element 5, outside of the range \[0, 1\] that zB was told\n.*--range/,
    );
    within[5] = -0.25;
    await expect(explainer.explain(within)).rejects.toThrow(
      /holds -0\.25 at element 5, outside of the range/,
    );
    within[5] = Number.NaN;
    await expect(explainer.explain(tf.tensor(within, [1, 8, 8, 3]))).rejects.toThrow(
      /RELC4002: input x holds NaN/,
    );
    await expect(
      smoothGrad(
        explainer,
        pixels.map((value) => value / 255),
      ),
    ).rejects.toMatchObject({
      code: 'RELC4002',
    });
    explainer.dispose();
  });

  it('is not held to where no rule relies on it', async () => {
    const explainer = await compile(network as ModelFunction, {
      input: [1, 8, 8, 3],
      params,
      rules: 'epsilon-plus',
      range: [0, 1],
    });
    await expect(explainer.explain(pixels)).resolves.toBeDefined();
    explainer.dispose();
  });

  it('RELC3004: a number for each of another number of channels', async () => {
    await expect(boxed(network, [[0, 0], 1])).rejects.toThrow(
      /RELC3004: the range has 2 numbers for the 3 channels of input %x/,
    );
  });

  it('is asked for at the layer that zB is used on, and by no model without one', async () => {
    const { range: _none, ...options } = {
      input: [1, 8, 8, 3],
      params,
      rules: 'epsilon-gamma-box',
      range: 0,
    };
    await expect(compile(network as ModelFunction, options)).rejects.toThrow(
      /RELC3004: line 'first convolution' of the composite: zBox on %\S+ = conv has to know/,
    );
    const dense = (x: tf.Tensor, own: Params) =>
      tf.matMul(tf.reshape(x, [-1, 192]), tf.slice(own.dense, [0, 0], [192, 3]) as tf.Tensor2D);
    (await compile(dense as ModelFunction, options)).dispose();
  });

  it('RELC3004: a layer behind an op whose bounds do not follow from it', async () => {
    const squared = (x: tf.Tensor, own: Params) => network(tf.square(x), own);
    await expect(boxed(squared, [0, 1])).rejects.toThrow(
      /RELC3004: line 'first convolution' of the composite: the smallest and the largest value of %\S+, which .* takes, do not follow/,
    );
  });
});
