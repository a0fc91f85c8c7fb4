// A small VGG-like stack with random weights.
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
