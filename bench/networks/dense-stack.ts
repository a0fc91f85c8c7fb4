// Twelve dense layers of the size of ViT-B's: 768 → 3072 and 3072 → 768 in turn on 197 tokens, then a classifier.
import * as tf from '@tensorflow/tfjs';
import type { DifferentiableSubject } from './network.js';
import { RandomTensors } from './random.js';

export const tokens = 197;
const widths = [768, 3072];
export const layerCount = 12;

export interface Layer {
  readonly w: tf.Tensor2D;
  readonly b: tf.Tensor1D;
}

export interface StackParams {
  readonly layers: readonly Layer[];
  /** 768 → 1000, on the mean over all tokens. */
  readonly head: Layer;
}

function layer(random: RandomTensors, inputs: number, outputs: number, gain: number): Layer {
  return {
    w: random.kernel([inputs, outputs], inputs, gain) as tf.Tensor2D,
    b: random.between([outputs], -0.05, 0.05) as tf.Tensor1D,
  };
}

/** Weights; only the first layer and the head read values that were not rectified. */
function stackParams(seed: number): StackParams {
  const random = new RandomTensors(seed);
  const layers = Array.from({ length: layerCount }, (_, index) =>
    layer(random, widths[index % 2]!, widths[(index + 1) % 2]!, index === 0 ? 1 : 2),
  );
  return { layers, head: layer(random, widths[0]!, 1000, 1) };
}

/**
 * x: [N, 197, 768]. Twelve dense layers, relu between them and none after the last; the mean over the 197 tokens; a
 * dense layer 768 → 1000, whose results are the scores. All products have rank 2.
 */
function denseStack(x: tf.Tensor3D, { layers, head }: StackParams): tf.Tensor {
  let h: tf.Tensor = tf.reshape(x, [-1, widths[0]!]);
  for (const [index, { w, b }] of layers.entries()) {
    const z = tf.add(tf.matMul(h as tf.Tensor2D, w), b);
    h = index === layers.length - 1 ? z : tf.relu(z);
  }
  const mean = tf.mean(tf.reshape(h, [-1, tokens, widths[0]!]), 1);
  return tf.add(tf.matMul(mean as tf.Tensor2D, head.w), head.b);
}

export interface StackSubject extends DifferentiableSubject {
  readonly params: StackParams;
}

export function denseStackSubject(): StackSubject {
  const params = stackParams(7);
  const input = new RandomTensors(11).between([1, tokens, widths[0]!], -1.7, 1.7);
  const run = (x: tf.Tensor) => denseStack(x as tf.Tensor3D, params);
  return {
    params,
    model: denseStack,
    options: { input: [1, tokens, widths[0]!], params: { ...params } as never },
    input,
    predict: () => tf.tidy(() => run(input)),
    logits: run,
    dispose: () => tf.dispose([input, params as never]),
  };
}
