// A sequential layers model as a list of steps, for relevance propagation written by hand.
import * as tf from '@tensorflow/tfjs';

export interface ConvStep {
  readonly kind: 'conv';
  readonly w: tf.Tensor4D;
  readonly b: tf.Tensor1D;
}

export interface DenseStep {
  readonly kind: 'dense';
  readonly w: tf.Tensor2D;
  readonly b: tf.Tensor1D;
  readonly relu: boolean;
}

/** Convolutions have stride 1, padding `same` and a relu; pools are of 2×2. */
export type Step = ConvStep | DenseStep | { readonly kind: 'pool' } | { readonly kind: 'flatten' };

function stepOf(layer: tf.layers.Layer): Step {
  const [w, b] = layer.getWeights();
  switch (layer.getClassName()) {
    case 'Conv2D':
      return { kind: 'conv', w: w as tf.Tensor4D, b: b as tf.Tensor1D };
    case 'Dense':
      return { kind: 'dense', w: w as tf.Tensor2D, b: b as tf.Tensor1D, relu: layer.name !== 'logits' };
    case 'MaxPooling2D':
      return { kind: 'pool' };
    case 'Flatten':
      return { kind: 'flatten' };
    default:
      throw new Error(`no step is written for ${layer.getClassName()}`);
  }
}

/** Steps up to the layer `logits`; the weights are the model's own. */
export function stepsOf(model: tf.LayersModel): readonly Step[] {
  const last = model.layers.findIndex((layer) => layer.name === 'logits');
  return model.layers.slice(0, last + 1).map(stepOf);
}

/** ε of the rules. */
export const epsilon = 1e-6;

/** Relevance starts as the largest score at its place. */
export function seedOf(scores: tf.Tensor): tf.Tensor {
  const classes = scores.shape.at(-1)!;
  return tf.mul(scores, tf.oneHot(tf.argMax(scores, -1) as tf.Tensor1D, classes));
}
