// What the transformer models of the tests share: seeded weights, layers as functions, seeded inputs.
import * as tf from '@tensorflow/tfjs';
import { uniforms } from '../../../src/api/random.js';
import type { ModelFunction, Params } from '../../../src/trace/function.js';
import type { TypedInput } from '../../../src/trace/trace.js';

/** A model as a function, with all that `compile` needs: `compile(fn, { input: inputs, params })`. */
export interface Transformer<Weights extends Params> {
  readonly fn: ModelFunction;
  readonly params: Weights;
  /** The input's shape, or shapes by name. */
  readonly inputs: readonly (number | null)[] | Readonly<Record<string, TypedInput>>;
  /** Seeded inputs in the form that `fn` takes: one tensor, or tensors by name. */
  readonly sample: (batch: number, seed?: number) => tf.Tensor | Readonly<Record<string, tf.Tensor>>;
}

export interface Dense extends Readonly<Record<string, tf.Tensor>> {
  readonly kernel: tf.Tensor2D;
  readonly bias: tf.Tensor1D;
}

export interface Norm extends Readonly<Record<string, tf.Tensor>> {
  readonly gamma: tf.Tensor1D;
  readonly beta: tf.Tensor1D;
}

/** A source of seeded weights: each call gives others, the same ones for the same seed. */
export class WeightSource {
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = uniforms(seed);
  }

  /** Uniform in [low, high). */
  tensor<Result extends tf.Tensor>(shape: readonly number[], low: number, high: number): Result {
    const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
    for (let i = 0; i < values.length; i++) values[i] = low + (high - low) * this.next();
    return tf.tensor(values, [...shape], 'float32') as Result;
  }

  /** Of variance 1 / fan-in: what goes through keeps its size. */
  kernel<Result extends tf.Tensor = tf.Tensor2D>(...shape: readonly number[]): Result {
    const fanIn = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
    const bound = Math.sqrt(3 / fanIn);
    return this.tensor<Result>(shape, -bound, bound);
  }

  /** Vectors as they come out of training an embedding: of variance 1/3. */
  embedding(rows: number, width: number): tf.Tensor2D {
    return this.tensor([rows, width], -1, 1);
  }

  dense(inputs: number, outputs: number): Dense {
    return { kernel: this.kernel(inputs, outputs), bias: this.tensor([outputs], -0.2, 0.2) };
  }

  norm(width: number): Norm {
    return { gamma: this.gamma(width), beta: this.tensor([width], -0.2, 0.2) };
  }

  gamma(width: number): tf.Tensor1D {
    return this.tensor([width], 0.6, 1.4);
  }
}

/** x·W + b along the last axis of [N, T, D]. */
export const dense = (x: tf.Tensor, { kernel, bias }: Dense): tf.Tensor => tf.add(tf.matMul(x, kernel), bias);

/** (x − μ) / √(σ² + ε) · γ + β by `tf.moments`. */
export function layerNorm(x: tf.Tensor, { gamma, beta }: Norm, epsilon: number): tf.Tensor {
  const { mean, variance } = tf.moments(x, -1, true);
  const normal = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)));
  return tf.add(tf.mul(normal, gamma), beta);
}

/** x · Φ(x) */
export const gelu = (x: tf.Tensor): tf.Tensor =>
  tf.mul(tf.mul(0.5, x), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));

/** [N, T, H·d] as [N, H, T, d]. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [n, tokens, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [n, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** [N, H, T, d] as [N, T, H·d]. */
export function joinHeads(x: tf.Tensor): tf.Tensor {
  const [n, heads, tokens, depth] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [n, tokens, heads * depth]);
}

/** Seeded numbers in [−1, 1) or, of a vocabulary, integers below its size. */
export function sampleOf(shape: readonly number[], seed: number, vocabulary?: number): tf.Tensor {
  const next = uniforms(seed);
  const size = shape.reduce((product, extent) => product * extent, 1);
  const values = Array.from({ length: size }, () =>
    vocabulary === undefined ? 2 * next() - 1 : Math.floor(next() * vocabulary),
  );
  return tf.tensor(values, [...shape], vocabulary === undefined ? 'float32' : 'int32');
}
