// ResNet-50 (He et al., 2016) in version 1.5: a block's stride is on its 3×3 convolution, batch norm after every one.
import * as tf from '@tensorflow/tfjs';
import { conv, damped, dense, through } from './network.js';

const stages = [
  { blocks: 3, width: 64 },
  { blocks: 4, width: 128 },
  { blocks: 6, width: 256 },
  { blocks: 3, width: 512 },
];

const norm = (name: string) => tf.layers.batchNormalization({ epsilon: 1e-5, name });
const around = (count: number, name: string) => tf.layers.zeroPadding2d({ padding: count, name });

function bottleneck(x: tf.SymbolicTensor, width: number, strides: number, name: string): tf.SymbolicTensor {
  const plain = { useBias: false, padding: 'valid' } as const;
  const branch = through(
    x,
    conv(width, 1, `${name}_a`, plain),
    norm(`${name}_a_norm`),
    tf.layers.reLU({ name: `${name}_a_relu` }),
    around(1, `${name}_pad`),
    conv(width, 3, `${name}_b`, { ...plain, strides }),
    norm(`${name}_b_norm`),
    tf.layers.reLU({ name: `${name}_b_relu` }),
    conv(4 * width, 1, `${name}_c`, plain),
    norm(`${damped}${name}_c_norm`),
  );
  const shortcut =
    x.shape[3] === 4 * width
      ? x
      : through(x, conv(4 * width, 1, `${name}_s`, { ...plain, strides }), norm(`${name}_s_norm`));
  const sum = tf.layers.add({ name: `${name}_add` }).apply([branch, shortcut]) as tf.SymbolicTensor;
  return through(sum, tf.layers.reLU({ name: `${name}_relu` }));
}

export function resnet50(size = 224): tf.LayersModel {
  const input = tf.input({ shape: [size, size, 3] });
  let x = through(
    input,
    around(3, 'stem_pad'),
    conv(64, 7, 'stem', { strides: 2, useBias: false, padding: 'valid' }),
    norm('stem_norm'),
    tf.layers.reLU({ name: 'stem_relu' }),
    around(1, 'pool_pad'),
    tf.layers.maxPooling2d({ poolSize: 3, strides: 2, name: 'pool' }),
  );
  for (const [stage, { blocks, width }] of stages.entries()) {
    for (let block = 0; block < blocks; block++) {
      const strides = stage > 0 && block === 0 ? 2 : 1;
      x = bottleneck(x, width, strides, `stage${stage + 1}_${block + 1}`);
    }
  }
  const output = through(
    x,
    tf.layers.globalAveragePooling2d({ name: 'mean' }),
    dense(1000, 'logits'),
    tf.layers.softmax({ name: 'softmax' }),
  );
  return tf.model({ inputs: input, outputs: output, name: 'resnet50' });
}
