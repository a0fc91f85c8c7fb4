// A small residual network with batch normalization and random weights.
import * as tf from '@tensorflow/tfjs';

/** A stem and four residual blocks with batch normalization, one of them with stride 2. */
export function residual(size: number): tf.LayersModel {
  const input = tf.input({ shape: [size, size, 3] });
  const normalized = (x: tf.SymbolicTensor, filters: number, strides: number, name: string) => {
    const convolved = tf.layers
      .conv2d({ filters, kernelSize: 3, strides, padding: 'same', useBias: false, name })
      .apply(x) as tf.SymbolicTensor;
    return tf.layers.batchNormalization({ name: `${name}_norm` }).apply(convolved) as tf.SymbolicTensor;
  };
  const relu = (x: tf.SymbolicTensor) => tf.layers.reLU().apply(x) as tf.SymbolicTensor;
  let x = relu(normalized(input, 32, 2, 'stem'));
  for (const [index, filters] of [32, 64, 64, 64].entries()) {
    const strides = index === 1 ? 2 : 1;
    const inner = normalized(
      relu(normalized(x, filters, strides, `block${index}a`)),
      filters,
      1,
      `block${index}b`,
    );
    const shortcut = x.shape[3] === filters ? x : normalized(x, filters, strides, `block${index}s`);
    x = relu(tf.layers.add().apply([inner, shortcut]) as tf.SymbolicTensor);
  }
  const mean = tf.layers.globalAveragePooling2d({ name: 'mean' }).apply(x);
  const output = tf.layers
    .dense({ units: 10, activation: 'softmax', name: 'fc' })
    .apply(mean) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: output, name: 'residual' });
}
