// VGG16 (Simonyan and Zisserman, 2015): thirteen 3×3 convolutions and three dense layers, 138 million weights.
import * as tf from '@tensorflow/tfjs';
import { conv, dense } from './network.js';

const blocks = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
];

export function vgg16(size = 224): tf.LayersModel {
  const model = tf.sequential({ name: 'vgg16' });
  for (const [block, widths] of blocks.entries()) {
    for (const [index, filters] of widths.entries()) {
      const first = block === 0 && index === 0 ? { inputShape: [size, size, 3] } : {};
      model.add(conv(filters, 3, `conv${block + 1}_${index + 1}`, { activation: 'relu', ...first }));
    }
    model.add(tf.layers.maxPooling2d({ poolSize: 2, strides: 2, name: `pool${block + 1}` }));
  }
  model.add(tf.layers.flatten({ name: 'flatten' }));
  model.add(dense(4096, 'fc1', 'relu'));
  model.add(dense(4096, 'fc2', 'relu'));
  model.add(dense(1000, 'logits'));
  model.add(tf.layers.softmax({ name: 'softmax' }));
  return model;
}
