// Networks with random weights for benchmarks: a VGG-like stack and a residual one.
import * as tf from '@tensorflow/tfjs';

const conv = (filters: number, name: string, extra: object = {}) =>
  tf.layers.conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu', name, ...extra });

/** Six 3×3 convolutions with max pools and two dense layers, on size × size × 3. */
export function stack(size: number): tf.LayersModel {
  const model = tf.sequential({ name: 'stack' });
  model.add(conv(32, 'conv1', { inputShape: [size, size, 3] }));
  model.add(conv(32, 'conv2'));
  model.add(tf.layers.maxPooling2d({ poolSize: 2, name: 'pool1' }));
  model.add(conv(64, 'conv3'));
  model.add(conv(64, 'conv4'));
  model.add(tf.layers.maxPooling2d({ poolSize: 2, name: 'pool2' }));
  model.add(conv(128, 'conv5'));
  model.add(conv(128, 'conv6'));
  model.add(tf.layers.globalAveragePooling2d({ name: 'mean' }));
  model.add(tf.layers.dense({ units: 256, activation: 'relu', name: 'fc1' }));
  model.add(tf.layers.dense({ units: 10, activation: 'softmax', name: 'fc2' }));
  return model;
}

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
