// What a benchmark needs of a network: how to build it, what to compile it with, and how to run it as it is.
import * as tf from '@tensorflow/tfjs';
import type { Model, TraceOptions } from '../../src/index.js';
import { RandomTensors } from './random.js';

/** A network with weights on the current backend. */
export interface Subject {
  readonly model: Model;
  readonly options: TraceOptions;
  /** What it is run on: one tensor, or tensors by name. */
  readonly input: tf.Tensor | Readonly<Record<string, tf.Tensor>>;
  /** The model as it is, on the input. */
  predict(): tf.Tensor;
  dispose(): void;
}

/** A network that has a derivative with respect to its one input. */
export interface DifferentiableSubject extends Subject {
  readonly input: tf.Tensor;
  /** The scores before a final softmax. */
  logits(x: tf.Tensor): tf.Tensor;
}

/** Before the last layer of a branch that is added to others, so that sums do not grow from block to block. */
export const damped = 'damped_';
/** Before a layer whose input was not rectified: its weights have the gain 1. */
export const linear = 'linear_';

type Draw = (random: RandomTensors, name: string, shapes: readonly number[][]) => tf.Tensor[];

const withBias =
  (inputsOf: (kernel: readonly number[]) => number): Draw =>
  (random, name, [kernel, bias]) => {
    const weights = random.kernel(kernel!, inputsOf(kernel!), name.startsWith(linear) ? 1 : 2);
    return bias === undefined ? [weights] : [weights, random.between(bias, -0.05, 0.05)];
  };

const product = (extents: readonly number[]) => extents.reduce((total, extent) => total * extent, 1);

/** Weights by the class of a layer, in the order in which the layer has them. */
const draws: Readonly<Record<string, Draw>> = {
  Conv2D: withBias((kernel) => product(kernel.slice(0, -1))),
  DepthwiseConv2D: withBias((kernel) => product(kernel.slice(0, 2))),
  Dense: withBias(([inputs]) => inputs!),
  BatchNormalization(random, name, [scale, ...rest]) {
    const [offset, mean, variance] = rest as [number[], number[], number[]];
    const factor = name.startsWith(damped) ? 0.3 : 1;
    return [
      random.between(scale!, 0.7 * factor, 1.3 * factor),
      random.between(offset, -0.2, 0.2),
      random.between(mean, -0.2, 0.2),
      random.between(variance, 0.6, 1.4),
    ];
  },
};

/** Gives every layer random weights of a scale that keeps activations of order 1. */
export function initialise(model: tf.LayersModel, seed: number): void {
  const random = new RandomTensors(seed);
  for (const layer of model.layers) {
    const shapes = layer.weights.map((weight) => weight.shape as number[]);
    if (shapes.length === 0) continue;
    const weights = draws[layer.getClassName()]!(random, layer.name, shapes);
    layer.setWeights(weights);
    tf.dispose(weights);
  }
}

/** A layers model on pictures in [−1, 1] whose layer `logits` is followed by a softmax. */
export function pictureSubject(model: tf.LayersModel, size: number): DifferentiableSubject {
  initialise(model, 7);
  const scores = tf.model({
    inputs: model.inputs,
    outputs: model.getLayer('logits').output as tf.SymbolicTensor,
  });
  const input = new RandomTensors(11).between([1, size, size, 3], -1, 1);
  return {
    model,
    options: {},
    input,
    predict: () => model.predict(input) as tf.Tensor,
    logits: (x) => scores.apply(x) as tf.Tensor,
    dispose() {
      model.dispose();
      input.dispose();
    },
  };
}

const zeros = { kernelInitializer: 'zeros' } as const;

/** A convolution whose weights are set later: to draw those of tfjs's initialisers takes long. */
export function conv(
  filters: number,
  kernelSize: number,
  name: string,
  more: Partial<Parameters<typeof tf.layers.conv2d>[0]> = {},
) {
  return tf.layers.conv2d({ filters, kernelSize, padding: 'same', name, ...zeros, ...more });
}

/** A dense layer whose weights are set later. */
export function dense(units: number, name: string, activation?: 'relu') {
  return tf.layers.dense({ units, name, ...zeros, ...(activation === undefined ? {} : { activation }) });
}

/** The layers one after the other on x. */
export function through(x: tf.SymbolicTensor, ...layers: readonly tf.layers.Layer[]): tf.SymbolicTensor {
  return layers.reduce((value, layer) => layer.apply(value) as tf.SymbolicTensor, x);
}
